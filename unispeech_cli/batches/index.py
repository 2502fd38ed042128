"""A manifest of cuts made ready for training: one plain JSON line per cut at a known offset, arrays to plan with.

Made once per manifest or Shar directory, kept beside it under the hash of its bytes.

Legend: N cuts.
"""

import contextlib
import fcntl
import json
import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lhotse.cut import Cut
from lhotse.serialization import deserialize_item

from unispeech_cli.atomic import atomic_dir
from unispeech_cli.batches.lines import Json, cut_lines
from unispeech_cli.batches.shar import shar_lines
from unispeech_cli.paths import IndexDir, ManifestDir, SharDir
from unispeech_cli.provenance import hash_manifest

Array = np.ndarray[Any, Any]

# goes up when the files of an index change
FORMAT = 3


@dataclass(frozen=True)
class CutIndex:
    """Random access to the cuts of one manifest, with what planning and checking need of all of them."""

    lines: Path
    # int64, bytes from the start of `lines`; read from disk as it is needed
    offset_N: Array
    # float32, seconds of audio
    seconds_N: Array
    # int16, the language of each as its number among `languages`
    language_N: Array
    # "" where cuts name none
    languages: tuple[str, ...]
    # the training units seen, by language; empty for untranscribed audio
    units: dict[str, list[str]]
    # where the archives lie whose members the cuts name
    archives: Path | None = None

    def __len__(self) -> int:
        return len(self.offset_N)

    def cut(self, number: int) -> Cut:
        """Read one cut. Raises OSError where the index is gone."""
        with self.lines.open("rb") as stream:
            stream.seek(int(self.offset_N[number]))
            said = json.loads(stream.readline())
        if self.archives is not None:
            source = said["recording"]["sources"][0]
            source["source"] = str(self.archives / source["source"])
        cut = deserialize_item(said)
        assert isinstance(cut, Cut)
        return cut


def index_cuts(manifest: Path) -> CutIndex:
    """Open the index of a manifest of cuts, or of a Shar directory, making it first if there is none.

    What is indexed is hashed each time, about a second for a gigabyte. Raises FileNotFoundError for a missing
    manifest and ValueError naming the line that is not a cut.
    """
    here = manifest.resolve() if manifest.is_dir() else manifest
    name = f"{here.name}-{FORMAT}-{hash_manifest(manifest)[:16]}"
    # not inside: Lhotse takes every file of a Shar directory for a part of it
    place = IndexDir(ManifestDir(here.parent).index / name)
    if not place.root.is_dir():
        with _alone(place.root.parent):
            if not place.root.is_dir():
                with atomic_dir(place.root) as fresh:
                    _build(manifest, IndexDir(fresh))
    units, languages = (json.loads(path.read_text("utf-8")) for path in (place.units, place.languages))
    return CutIndex(
        place.lines,
        np.load(place.offsets, mmap_mode="r"),
        np.load(place.seconds),
        np.load(place.codes),
        tuple(languages),
        units,
        manifest if manifest.is_dir() else None,
    )


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
    # arrays of machine numbers: lists of a million and a half take ten times the memory
    offsets, seconds, codes = array("q"), array("f"), array("h")
    languages: dict[str, int] = {}
    units: dict[str, set[str]] = {}
    found = shar_lines(SharDir(manifest)) if manifest.is_dir() else cut_lines(manifest)
    with place.lines.open("wb") as lines:
        for line, cut in found:
            offsets.append(lines.tell())
            seconds.append(float(cut["duration"]))
            codes.append(languages.setdefault(_language(cut), len(languages)))
            _note_units(cut, units)
            lines.write(line.strip() + b"\n")
    for path, numbers in ((place.offsets, offsets), (place.seconds, seconds), (place.codes, codes)):
        np.save(path, np.asarray(numbers))
    place.languages.write_text(json.dumps(list(languages), ensure_ascii=False), encoding="utf-8")
    known = {language: sorted(seen) for language, seen in sorted(units.items())}
    place.units.write_text(json.dumps(known, ensure_ascii=False), encoding="utf-8")


def _language(cut: Json) -> str:
    return next((said["language"] for said in cut.get("supervisions", []) if said.get("language")), "")


def _note_units(cut: Json, units: dict[str, set[str]]) -> None:
    for supervision in cut.get("supervisions", []):
        custom = supervision.get("custom") or {}
        labels = custom.get(custom.get("tokens_type"))
        if labels:
            units.setdefault(supervision.get("language") or "", set()).update(labels.split())
