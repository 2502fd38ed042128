"""The files that transcribe writes: what they are called, and which are there already."""

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from unispeech_cli.decoder.formats import FORMATS
from unispeech_cli.paths import TranscriptDir
from unispeech_cli.provenance import differences, record
from unispeech_cli.recordings import Recording, clashing
from unispeech_cli.records import Note, Record

Numbered = tuple[int, Recording]

SUFFIXES = {name: "TextGrid" if name == "textgrid" else "txt" if name == "text" else name for name in FORMATS}
"""What files of a format are called under --out."""


def missing(
    place: TranscriptDir, suffix: str, found: Sequence[Recording], wanted: Mapping[str, Any]
) -> Generator[Record, None, list[Numbered]]:
    """The recordings of which there is no file, or none by these means, with their numbers."""
    if twice := clashing(found):
        raise ValueError(f"{twice[0].shown} and {twice[1].shown} would both become {twice[0].name}.{suffix}")
    mark = place.mark(suffix)
    changed = differences(mark, wanted)
    yield from (Note(f"{place.root} is made anew: {line}") for line in changed or [])
    if changed != []:
        record(mark, wanted)
    # what is older than the mark was made by other means
    left = [
        (number, one)
        for number, one in enumerate(found)
        if not _is_newer(place.file(one.name, suffix), [mark, one.path])
    ]
    if len(left) < len(found):
        todo = f"{len(left)} to do" if left else "nothing to do"
        yield Note(f"{place.root}: {len(found) - len(left)} of {len(found)} recordings are done; {todo}")
    return left


def _is_newer(file: Path, than: Sequence[Path]) -> bool:
    times = [path.stat().st_mtime_ns if path.exists() else 0 for path in (file, *than)]
    return times[0] >= max(times[1:]) and times[0] > 0
