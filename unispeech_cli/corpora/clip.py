"""What every corpus reader yields: utterances as the corpus lists them, and what could not be used."""

import gzip
import io
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from unispeech_cli.audio import AudioInfo, peek, peek_bytes

# a segment may outlast its recording by so much: transcribers round up
SLACK = 0.5


@dataclass(frozen=True, slots=True)
class Clip:
    """One utterance: a whole audio file, or `duration` seconds of it from `start` on.

    `promised` is the length in seconds that the corpus states for a whole file, None where it states none.
    With `command` the path is a shell command that writes an audio file to its standard output.
    """

    id: str
    path: str
    text: str
    language: str
    recording: str
    speaker: str | None = None
    gender: str | None = None
    start: float = 0.0
    duration: float | None = None
    promised: float | None = None
    channel: int = 0
    command: bool = False
    custom: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dropped:
    """An utterance that was left out: `reason` in a few words to count by, `detail` for this one.

    `expected` ones are as the corpus means them, and need no line each.
    """

    id: str
    reason: str
    detail: str
    expected: bool = False


@dataclass(frozen=True)
class Split:
    """One manifest to be: `clips` streams the utterances, `transcripts` hold about one line for each."""

    corpus: str
    name: str
    transcripts: tuple[Path, ...]
    clips: Callable[[], Iterator[Clip | Dropped]]
    extras: tuple[Path, ...] = ()
    language: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """A clip whose file is there: `start` and `duration` (seconds) lie within what `info` describes."""

    clip: Clip
    info: AudioInfo
    start: float
    duration: float


def measure(clip: Clip) -> Measured | Dropped:
    """Look at the header of the clip's file, and hold it against what the corpus says of its length."""
    try:
        info = _info(clip)
    except FileNotFoundError as error:
        return Dropped(clip.id, "missing file", str(error))
    except (ValueError, OSError) as error:
        return Dropped(clip.id, _kind(str(error)), str(error))
    if clip.start == 0 and clip.duration is None:
        return _whole(clip, info)
    return _segment(clip, info, info.seconds - clip.start if clip.duration is None else clip.duration)


def _whole(clip: Clip, info: AudioInfo) -> Measured | Dropped:
    promised = clip.promised
    if promised is not None and info.seconds < promised - SLACK:
        detail = f"{clip.path}: {info.seconds:.2f} s of the {promised:.2f} s that the corpus lists"
        return Dropped(clip.id, "truncated file", detail)
    return Measured(clip, info, 0.0, info.seconds)


def _segment(clip: Clip, info: AudioInfo, duration: float) -> Measured | Dropped:
    end = clip.start + duration
    if duration <= 0 or clip.start < 0:
        return Dropped(clip.id, "empty segment", f"{clip.path}: from {clip.start} s to {end} s")
    if end > info.seconds + SLACK or clip.start >= info.seconds:
        detail = f"{clip.path}: ends at {info.seconds:.2f} s, the segment at {end:.2f} s"
        return Dropped(clip.id, "segment beyond the file", detail)
    return Measured(clip, info, clip.start, min(end, info.seconds) - clip.start)


def _kind(message: str) -> str:
    if "truncated" in message:
        return "truncated file"
    return "empty file" if "is empty" in message or "no samples" in message else "unreadable file"


def count_lines(paths: tuple[Path, ...]) -> int:
    """Lines in all of the files, for telling how far a reader is."""
    return sum(_newlines(path) for path in paths)


def _newlines(path: Path) -> int:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        return sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))


def _info(clip: Clip) -> AudioInfo:
    if clip.command:
        return _peek_command(clip.path)
    return peek(clip.path) if clip.duration is None else _peek_long(clip.path)


def source(clip: Clip) -> str | io.BytesIO:
    """What `audio.read` takes: the clip's path, or what its command writes."""
    return io.BytesIO(_output(clip.path)) if clip.command else clip.path


# segments of one long recording come one after the other
@lru_cache(maxsize=16)
def _peek_long(path: str) -> AudioInfo:
    return peek(path)


@lru_cache(maxsize=16)
def _peek_command(command: str) -> AudioInfo:
    return peek_bytes(_output(command), command)


def _output(command: str) -> bytes:
    done = subprocess.run(command, shell=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise ValueError(f"command failed with exit status {done.returncode}: {command}")
    return done.stdout
