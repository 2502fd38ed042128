"""Recordings as they are named on a command line: files, directories, standard input."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from unispeech_cli.audio import Wave
from unispeech_cli.stream import SUFFIXES, blocks

STDIN = "-"


@dataclass(frozen=True)
class Recording:
    """Where a recording lies, what its outputs are called, and what errors call it."""

    path: Path
    name: str
    shown: str

    def blocks(self) -> Iterator[Wave]:
        """Its samples from the start, as `stream.blocks` gives them."""
        return blocks(self.path, self.shown)


def recordings(named: Sequence[str], spool: Path) -> list[Recording]:
    """Files as they are, the audio of directories in sorted order, `-` as a file in the directory `spool`.

    A file is called by its name without suffix, in a directory by its path there. Raises ValueError for a directory
    without audio.
    """
    return [recording for name in named for recording in _resolved(name, spool)]


def clashing(found: Sequence[Recording]) -> list[Recording]:
    """The first recordings of one name, where there are such."""
    counts = Counter(recording.name for recording in found)
    name = next((name for name, count in counts.items() if count > 1), None)
    return [recording for recording in found if recording.name == name]


def _resolved(named: str, spool: Path) -> list[Recording]:
    if named == STDIN:
        return [_spooled(spool / "stdin")]
    path = Path(named)
    if not path.is_dir():
        return [Recording(path, path.stem, named)]
    files = [Path(root, name) for root, _, names in os.walk(path, followlinks=True) for name in names]
    audio = sorted(file for file in files if _is_audio(file))
    if not audio:
        raise ValueError(f"{path}: no audio in this directory")
    return [Recording(file, str(file.relative_to(path).with_suffix("")), str(file)) for file in audio]


def _is_audio(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".")


def _spooled(path: Path) -> Recording:
    """Standard input as a file: most formats cannot be read from a pipe, and it is read twice."""
    with path.open("wb") as out:
        shutil.copyfileobj(sys.stdin.buffer, out, 1 << 20)
    return Recording(path, path.name, "standard input")
