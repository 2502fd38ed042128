"""Lhotse manifests that others made: cuts, or recordings with supervisions, over files or commands.

What is kept of a cut: its place in a recording, its channel, and its supervision's text, language, speaker,
gender and custom fields. Features, alignments and augmentations are not.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lhotse import CutSet, RecordingSet, SupervisionSet, load_manifest_lazy
from lhotse.cut import MonoCut

from unispeech_cli.corpora.clip import Clip, Dropped, Split

_NAME = re.compile(r"(?P<corpus>.+)_(?P<kind>cuts|recordings)_(?P<split>.+)\.jsonl(?:\.gz)?")


def splits(path: Path, language: str, names: Sequence[str] = (), allow_commands: bool = False) -> list[Split]:
    """The manifest `path`, or all in the directory `path`; where there are cuts, recordings are passed over.

    A file of recordings has its supervisions beside it, in Lhotse's names. `language` is that of supervisions
    which name none. Raises FileNotFoundError when nothing is there, ValueError when no name is Lhotse's.
    """
    if not path.exists():
        raise FileNotFoundError(f"no manifest {path}")
    found = _named([path] if path.is_file() else sorted(path.iterdir()))
    if not found:
        raise ValueError(
            f"{path}: expected a name like corpus_cuts_train.jsonl.gz or corpus_recordings_train.jsonl.gz"
        )
    missing = [name for name in names if name not in {split for _, split in found}]
    if missing:
        raise FileNotFoundError(
            f"no split {missing[0]} in {path}; found: {', '.join(split for _, split in found)}"
        )
    return [
        _split(corpus, split, file, language, allow_commands)
        for (corpus, split), file in found.items()
        if not names or split in names
    ]


def _named(files: list[Path]) -> dict[tuple[str, str], Path]:
    """Manifest by corpus and split."""
    matches = [(file, match) for file in files if (match := _NAME.fullmatch(file.name))]
    found: dict[tuple[str, str], Path] = {}
    for file, match in sorted(matches, key=lambda pair: pair[1]["kind"]):
        found.setdefault((match["corpus"], match["split"]), file)
    return found


def _split(corpus: str, name: str, file: Path, language: str, allow_commands: bool) -> Split:
    if "_cuts_" in file.name:
        return Split(corpus, name, (file,), partial(_from_cuts, file, language, allow_commands), (), language)
    beside = file.with_name(file.name.replace("_recordings_", "_supervisions_"))
    if not beside.is_file():
        raise FileNotFoundError(f"no supervisions {beside} beside {file}")
    clips = partial(_from_supervisions, file, beside, language, allow_commands)
    return Split(corpus, name, (beside,), clips, (file,), language)


def _from_cuts(file: Path, language: str, allow_commands: bool) -> Iterator[Clip | Dropped]:
    for cut in _items(file, CutSet):
        if not isinstance(cut, MonoCut) or not cut.has_recording:
            yield Dropped(cut.id, "not of one channel", f"{file}: a {type(cut).__name__}")
        elif len(cut.supervisions) > 1:
            for part in cut.trim_to_supervisions(keep_overlapping=False):
                yield _clip(part.supervisions[0].id, part, language, allow_commands)
        else:
            yield _clip(cut.id, cut, language, allow_commands)


def _from_supervisions(
    recordings: Path, supervisions: Path, language: str, allow_commands: bool
) -> Iterator[Clip | Dropped]:
    by_id = {recording.id: recording for recording in _items(recordings, RecordingSet)}
    for supervision in _items(supervisions, SupervisionSet):
        recording = by_id.get(supervision.recording_id)
        if recording is None:
            yield Dropped(
                supervision.id, "missing recording", f"{supervision.recording_id} is not in {recordings}"
            )
        else:
            place = (supervision.start, supervision.duration, supervision.channel)
            cut = MonoCut(supervision.id, *place, [supervision], recording=recording)
            yield _clip(supervision.id, cut, language, allow_commands)


def _items(file: Path, kind: type) -> Iterator[Any]:
    try:
        items: Any = load_manifest_lazy(file)
        # Lhotse gives None for an empty file
        if items is not None and not issubclass(type(items), kind):
            raise ValueError(f"it is a {type(items).__name__}")
        yield from () if items is None else items
    except (ValueError, KeyError, TypeError, AttributeError, OSError, EOFError) as error:
        raise ValueError(
            f"{file}: not a Lhotse {kind.__name__} ({str(error).strip().splitlines()[0]})"
        ) from None


def _clip(clip_id: str, cut: MonoCut, language: str, allow_commands: bool) -> Clip | Dropped:
    recording, supervision = cut.recording, cut.supervisions[0] if cut.supervisions else None
    source = next((one for one in recording.sources if cut.channel in one.channels), None)
    if source is None or source.type not in ("file", "command"):
        return Dropped(clip_id, "not in a file", f"a source of type {source.type if source else 'none'}")
    if source.type == "command" and not allow_commands:
        raise ValueError(f"cut {clip_id} reads from a shell command; --allow-commands runs such")
    language = (supervision.language if supervision else None) or language
    if not language and supervision is not None and supervision.text:
        return Dropped(clip_id, "no language", "its supervision names none; say it with --language")
    whole = cut.start == 0 and cut.duration >= recording.duration - 1e-3
    return Clip(
        id=clip_id,
        path=source.source,
        text=(supervision.text if supervision else None) or "",
        language=language,
        recording=recording.id,
        speaker=supervision.speaker if supervision else None,
        gender=supervision.gender if supervision else None,
        start=cut.start,
        duration=None if whole else cut.duration,
        promised=recording.duration if whole else None,
        channel=source.channels.index(cut.channel),
        command=source.type == "command",
        custom=dict(supervision.custom or {}) if supervision else {},
    )
