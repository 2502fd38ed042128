"""A cut manifest made ready for training: one plain JSON line per cut at a known offset, arrays to plan with.

Made once per manifest, kept beside it under the hash of its bytes.

Legend: N cuts.
"""

import contextlib
import fcntl
import gzip
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from lhotse.cut import Cut
from lhotse.serialization import deserialize_item

from unispeech_cli.atomic import atomic_dir
from unispeech_cli.paths import IndexDir, ManifestDir
from unispeech_cli.provenance import hash_file

Array = np.ndarray[Any, Any]

# goes up when the files of an index change
FORMAT = 2
# what a cut with audio always has
NAMES = ("type", "id", "start", "duration", "channel", "recording")


@dataclass(frozen=True)
class CutIndex:
    """Random access to the cuts of one manifest, with what planning and checking need of all of them."""

    lines: Path
    # int64, bytes from the start of `lines`
    offset_N: Array
    # float32, seconds of audio
    seconds_N: Array
    # text, "" where a cut names no language
    language_N: Array
    # the training units seen, by language; empty for untranscribed audio
    units: dict[str, list[str]]

    def __len__(self) -> int:
        return len(self.offset_N)

    def cut(self, number: int) -> Cut:
        """Read one cut."""
        with self.lines.open("rb") as stream:
            stream.seek(int(self.offset_N[number]))
            cut = deserialize_item(json.loads(stream.readline()))
        assert isinstance(cut, Cut)
        return cut


def index_cuts(manifest: Path) -> CutIndex:
    """Open the index of a manifest of cuts, making it first if there is none.

    Raises FileNotFoundError for a missing manifest and ValueError naming the line that is not a cut.
    """
    place = IndexDir(
        ManifestDir(manifest.parent).index / f"{manifest.name}-{FORMAT}-{hash_file(manifest)[:16]}"
    )
    if not place.root.is_dir():
        with _alone(place.root.parent):
            if not place.root.is_dir():
                with atomic_dir(place.root) as fresh:
                    _build(manifest, IndexDir(fresh))
    units = json.loads(place.units.read_text(encoding="utf-8"))
    offset_N, seconds_N, language_N = map(np.load, (place.offsets, place.seconds, place.languages))
    return CutIndex(place.lines, offset_N, seconds_N, language_N, units)


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One process at a time: trainings that start together share what the first of them makes."""
    directory.mkdir(parents=True, exist_ok=True)
    handle = os.open(directory, os.O_RDONLY)
    try:
        # some network file systems cannot lock a directory; two equal indexes are then made
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _build(manifest: Path, place: IndexDir) -> None:
    offsets: list[int] = []
    seconds: list[float] = []
    languages: list[str] = []
    units: dict[str, set[str]] = {}
    with place.lines.open("wb") as lines:
        for line, cut in _parsed(manifest):
            offsets.append(lines.tell())
            seconds.append(float(cut["duration"]))
            languages.append(_language(cut))
            _note_units(cut, units)
            lines.write(line.strip() + b"\n")
    np.save(place.offsets, np.array(offsets, dtype=np.int64))
    np.save(place.seconds, np.array(seconds, dtype=np.float32))
    np.save(place.languages, np.array(languages, dtype=np.str_))
    known = {language: sorted(seen) for language, seen in sorted(units.items())}
    place.units.write_text(json.dumps(known, ensure_ascii=False), encoding="utf-8")


def _parsed(manifest: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    read = 0
    try:
        with _open(manifest) as source:
            for line in source:
                if line.strip():
                    yield line, _checked(json.loads(line))
                read += 1
    except (ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{manifest} line {read + 1}: {error}; make the manifest again") from None


def _open(manifest: Path) -> IO[bytes]:
    return gzip.open(manifest, "rb") if manifest.suffix == ".gz" else manifest.open("rb")  # type: ignore[return-value]


def _checked(cut: Any) -> dict[str, Any]:
    missing = [name for name in NAMES if name not in cut] if isinstance(cut, dict) else list(NAMES)
    if missing:
        raise ValueError(f"not a Lhotse cut with a recording: no {', '.join(missing)}")
    return dict(cut)


def _language(cut: dict[str, Any]) -> str:
    return next((said["language"] for said in cut.get("supervisions", []) if said.get("language")), "")


def _note_units(cut: dict[str, Any], units: dict[str, set[str]]) -> None:
    for supervision in cut.get("supervisions", []):
        custom = supervision.get("custom") or {}
        labels = custom.get(custom.get("tokens_type"))
        if labels:
            units.setdefault(supervision.get("language") or "", set()).update(labels.split())
