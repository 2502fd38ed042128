"""Lhotse cut manifests: build, write, read, validate, summarise; the training units of a supervision.

One JSON line per cut, with the keys and values that Lhotse's own `MonoCut.to_dict` gives. Audio is 16 kHz by
cut: a recording at another rate carries Lhotse's Resample transform, and its file stays as it is.
"""

import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lhotse.qa
from lhotse.cut import Cut
from lhotse.serialization import deserialize_item
from lhotse.supervision import SupervisionSegment

from unispeech_cli.atomic import atomic_file
from unispeech_cli.corpora.clip import Dropped, Measured
from unispeech_cli.frames import RECEPTIVE_FIELD, SAMPLE_RATE

# one pass of the encoder over more takes memory by the square; training sets its own, lower limit
MAX_SECONDS = 60.0
_encode = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True)
class Summary:
    """What a manifest holds; speakers are counted where they are named."""

    cuts: int
    hours: float
    speakers: int


def outside_limits(clip_id: str, seconds: float) -> Dropped | None:
    """Why no model can read audio of this length, or None when one can: 400 samples to 60 s."""
    samples = _at_16k(seconds)
    if samples < RECEPTIVE_FIELD:
        return Dropped(clip_id, "too short", f"{samples} samples at 16 kHz, {RECEPTIVE_FIELD} are needed")
    if seconds > MAX_SECONDS:
        return Dropped(
            clip_id, "too long", f"{seconds:.1f} s, at most {MAX_SECONDS:g} s; cut it into segments"
        )
    return None


def build_cut(measured: Measured, text_norm: str) -> dict[str, Any]:
    """The JSON of a cut of one supervision: original text, and `custom.text_norm` beside it."""
    clip, recording = measured.clip, _recording(measured)
    whole = measured.start == 0 and measured.duration == measured.info.seconds
    duration = recording["duration"] if whole else round(measured.duration, 8)
    named = {"language": clip.language, "speaker": clip.speaker, "gender": clip.gender}
    supervision = {
        "id": clip.id,
        "recording_id": clip.recording,
        "start": 0.0,
        "duration": duration,
        "channel": clip.channel,
        "text": clip.text,
        **{name: value for name, value in named.items() if value is not None},
        "custom": {**clip.custom, "text_norm": text_norm},
    }
    return {
        "id": clip.id,
        "start": measured.start,
        "duration": duration,
        "channel": clip.channel,
        "supervisions": [supervision],
        "recording": recording,
        "type": "MonoCut",
    }


def _recording(measured: Measured) -> dict[str, Any]:
    clip, info = measured.clip, measured.info
    channels = list(range(info.channels))
    kind = "command" if clip.command else "file"
    # halves up, in whole numbers: as Lhotse's Recording.resample counts
    samples = (2 * info.num_samples * SAMPLE_RATE + info.sampling_rate) // (2 * info.sampling_rate)
    recording: dict[str, Any] = {
        "id": clip.recording,
        "sources": [{"type": kind, "channels": channels, "source": clip.path}],
        "sampling_rate": SAMPLE_RATE,
        "num_samples": samples,
        "duration": samples / SAMPLE_RATE,
        "channel_ids": channels,
    }
    if info.sampling_rate != SAMPLE_RATE:
        rates = {"source_sampling_rate": info.sampling_rate, "target_sampling_rate": SAMPLE_RATE}
        recording["transforms"] = [{"name": "Resample", "kwargs": rates}]
    return recording


def _at_16k(seconds: float) -> int:
    return int(seconds * SAMPLE_RATE + 0.5)


@contextmanager
def cut_writer(path: Path) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Yield a function that writes a cut's JSON; the manifest appears when all went well.

    The same cuts give the same bytes: no time is stored.
    """
    with atomic_file(path) as fresh, fresh.open("wb") as raw, _compressed(raw, path) as stream:
        yield lambda cut: _write_line(stream, cut)


def _compressed(raw: io.BufferedWriter, path: Path) -> Any:
    return gzip.GzipFile("", "wb", 4, raw, mtime=0) if path.suffix == ".gz" else raw


def _write_line(stream: Any, cut: Mapping[str, Any]) -> None:
    stream.write(f"{_encode(cut)}\n".encode())


def write_cuts(path: Path, cuts: Iterable[Cut]) -> Summary:
    """Write Lhotse cuts as a manifest, atomically, and say what is in it."""
    with cut_writer(path) as write:
        return summarize(_written(cuts, write))


def _written(cuts: Iterable[Cut], write: Callable[[Mapping[str, Any]], None]) -> Iterator[Cut]:
    for cut in cuts:
        write(cut.to_dict())
        yield cut


def read_cuts(path: Path, wanted: Callable[[int], bool] = lambda number: True) -> Iterator[Cut]:
    """The cuts of a `.jsonl` or `.jsonl.gz` manifest, one at a time; those whose number from 0 on is `wanted`.

    Raises FileNotFoundError when there is none, ValueError naming file and line where a line is no cut.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no manifest {path}")
    read = number = 0
    try:
        with _opened(path) as lines:
            for line in lines:
                if line.strip():
                    if wanted(number):
                        yield _cut(line)
                    number += 1
                read += 1
    except (ValueError, KeyError, TypeError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path}:{read + 1}: not a Lhotse cut ({_first_line(error)})") from None


def count_cuts(path: Path) -> int:
    """How many cuts a manifest has, without looking at them. Raises FileNotFoundError, ValueError where damaged."""
    if not path.is_file():
        raise FileNotFoundError(f"no manifest {path}")
    try:
        with _opened(path) as lines:
            return sum(1 for line in lines if line.strip())
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path}: {_first_line(error)}") from None


def _opened(path: Path) -> Any:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _cut(line: bytes) -> Cut:
    item = deserialize_item(json.loads(line))
    if not isinstance(item, Cut):
        raise ValueError(f"it is a {type(item).__name__}")
    return item


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def validate(path: Path) -> Summary:
    """Read a whole manifest and check what every later stage relies on; audio is not read. As `validated`."""
    return summarize(validated(path))


def validated(path: Path) -> Iterator[Cut]:
    """The cuts of a manifest, each checked as it comes.

    Ids are unique, audio is 16 kHz, each cut has at most one supervision, and Lhotse's own checks pass.
    Raises ValueError naming the cut.
    """
    seen: set[str] = set()
    return (_checked(cut, seen, path) for cut in read_cuts(path))


def _checked(cut: Cut, seen: set[str], path: Path) -> Cut:
    faults = {
        "its id occurs twice": cut.id in seen,
        f"sampling rate {cut.sampling_rate}, expected {SAMPLE_RATE}": cut.sampling_rate != SAMPLE_RATE,
        "more than one supervision": len(cut.supervisions) > 1,
    }
    seen.add(cut.id)
    try:
        lhotse.qa.validate(cut)
    except AssertionError as error:
        faults[_first_line(error)] = True
    for fault, present in faults.items():
        if present:
            raise ValueError(f"{path}: cut {cut.id}: {fault}")
    return cut


def summarize(cuts: Iterable[Cut]) -> Summary:
    """Count cuts, hours and speakers."""
    count, seconds, speakers = 0, 0.0, set()
    for cut in cuts:
        count += 1
        seconds += cut.duration
        speakers |= {supervision.speaker for supervision in cut.supervisions}
    return Summary(count, seconds / 3600, len(speakers - {None}))


def units(supervision: SupervisionSegment) -> list[str]:
    """The training units that phonemize wrote (phones, letters or subwords); [] where it did not."""
    custom = supervision.custom or {}
    return str(custom.get(custom.get("tokens_type"), "")).split()
