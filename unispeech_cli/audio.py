"""Any audio file or stream -> 16 kHz mono float32: header peek, reading, transcoding, Lhotse's reading.

A file's own sampling rate is what counts, whatever a manifest says. Importing this makes Lhotse read with
libsndfile alone (mp3, flac, ogg, wav and NIST sphere without sph2pipe), unless LHOTSE_AUDIO_BACKEND asks for
something else.
"""

import io
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from lhotse.audio.backend import CompositeAudioBackend, LibsndfileBackend, set_current_audio_backend
from lhotse.audio.utils import AudioLoadingError, DurationMismatchError
from lhotse.augmentation import Resample
from lhotse.cut import MonoCut
from numpy.typing import NDArray

from unispeech_cli import archive, mp3, truncation
from unispeech_cli.atomic import atomic_file
from unispeech_cli.frames import SAMPLE_RATE

Wave = NDArray[np.float32]
Source = str | Path | io.BytesIO
# a file that ends this many seconds before its manifest says is broken; mp3 headers are off by up to 0.02 s
TOLERANCE = 0.1
# the type, in a Lhotse manifest, of audio inside a tar; its source is `archive.Member` as text
MEMBER = "member"


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a file's header says: samples per channel at its own rate."""

    num_samples: int
    sampling_rate: int
    channels: int

    @property
    def seconds(self) -> float:
        return self.num_samples / self.sampling_rate


class SoundfileBackend(CompositeAudioBackend):
    """libsndfile as Lhotse's audio backend; the composite turns its errors into AudioLoadingError."""

    def __init__(self) -> None:
        super().__init__([LibsndfileBackend()])


if "LHOTSE_AUDIO_BACKEND" not in os.environ:
    set_current_audio_backend(SoundfileBackend())


def peek(path: str | Path) -> AudioInfo:
    """Length, rate and channels from the header; of an mp3 only the first 4 kB are read.

    Raises FileNotFoundError when the file is missing, ValueError when it is empty, shorter than its header
    promises, or no audio.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"no audio file {path}") from None
    try:
        size = os.fstat(descriptor).st_size
        head = os.read(descriptor, mp3.HEAD) if size else b""
    finally:
        os.close(descriptor)
    return _peek(head, size, path, str(path))


def peek_bytes(data: bytes, shown: str) -> AudioInfo:
    """As `peek`, of the bytes of a whole file; `shown` names them in errors."""
    return _peek(data[: mp3.HEAD], len(data), io.BytesIO(data), shown)


def _peek(head: bytes, size: int, source: Source, shown: str) -> AudioInfo:
    if size == 0:
        raise ValueError(f"{shown}: the file is empty")
    try:
        found = mp3.measure(head, size, lambda: _all_bytes(source))
        truncation.check(head, size)
    except ValueError as error:
        raise ValueError(f"{shown}: {error}") from None
    info = AudioInfo(*found) if found else _peek_other(source, shown)
    if info.num_samples == 0:
        raise ValueError(f"{shown}: no samples in it")
    return info


def _all_bytes(source: Source) -> bytes:
    return source.getvalue() if isinstance(source, io.BytesIO) else Path(source).read_bytes()


def _peek_other(source: Source, shown: str) -> AudioInfo:
    try:
        found = soundfile.info(source)
    except (soundfile.LibsndfileError, TypeError) as error:
        raise ValueError(f"{shown}: not readable as audio ({_reason(error)})") from None
    return AudioInfo(found.frames, found.samplerate, found.channels)


def _reason(error: Exception) -> str:
    said = str(getattr(error, "error_string", error)).strip().rstrip(".")
    # what it says of a file called .mp3 that is none
    said = "Format not recognised" if said.startswith("File does not exist") else said
    return said or f"libsndfile error {getattr(error, 'code', '')}"


def read(path: Source, start: float = 0.0, duration: float | None = None) -> Wave:
    """Samples (samples,) at 16 kHz, channels averaged, from `start` seconds on, at most `duration` seconds.

    Raises FileNotFoundError when the file is missing, ValueError when it cannot be decoded.
    """
    wave, rate = _decode(path, start, duration)
    return _to_16k(wave.mean(axis=1) if wave.shape[1] > 1 else wave[:, 0], rate)


def read_cut(cut: Any, speed: float = 1.0) -> Wave:
    """Samples (samples,) of a Lhotse cut: its channel, exactly as many samples as the cut has at 16 kHz.

    Played `speed` times as fast, and as much higher, it has 1 / `speed` as many. Raises ValueError naming the
    cut and the file when it is missing, cannot be decoded, or ends more than 0.1 s before the cut does.
    """
    try:
        wave, rate = _plain(cut) if _is_plain(cut) else _by_lhotse(cut)
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(f"cut {cut.id}: {error}") from None
    wave = _to_16k(wave, rate * speed)
    wanted = num_samples(cut.duration / speed)
    if len(wave) < wanted - TOLERANCE * SAMPLE_RATE:
        seconds = len(wave) * speed / SAMPLE_RATE
        raise ValueError(
            f"cut {cut.id}: {_source(cut)} gives {seconds:.2f} s of the {cut.duration:.2f} s "
            "that the manifest promises; the file is truncated or the manifest is stale"
        )
    return wave[:wanted] if len(wave) >= wanted else np.pad(wave, (0, wanted - len(wave)))


def num_samples(seconds: float) -> int:
    """Samples at 16 kHz, halves up, as Lhotse counts them."""
    return int(round(seconds * SAMPLE_RATE, 8) + 0.5)


def transcode(path: Source, out: Path, start: float = 0.0, duration: float | None = None) -> AudioInfo:
    """Write (part of) a file as 16 kHz mono 16-bit FLAC, atomically; an `out` newer than it is left as it is.

    Raises as `read`.
    """
    if not _is_newer(out, path):
        wave = read(path, start, duration)
        with atomic_file(out) as fresh:
            soundfile.write(fresh, wave, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return peek(out)


def _is_newer(out: Path, path: Source) -> bool:
    if isinstance(path, io.BytesIO) or not out.is_file():
        return False
    return out.stat().st_mtime >= os.stat(path).st_mtime


def _decode(path: Source, start: float, duration: float | None) -> tuple[Wave, int]:
    """Samples (samples, channels) at the file's own rate, and that rate."""
    if not isinstance(path, io.BytesIO) and not os.path.isfile(path):
        raise FileNotFoundError(f"no audio file {path}")
    try:
        with soundfile.SoundFile(mp3.playable(path)) as file:
            rate = file.samplerate
            if start > 0:
                file.seek(min(round(start * rate), file.frames))
            frames = -1 if duration is None else round(duration * rate)
            return file.read(frames, dtype="float32", always_2d=True), rate
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{path}: not readable as audio ({_reason(error)})") from None


def _to_16k(wave: Wave, rate: float) -> Wave:
    return wave if rate == SAMPLE_RATE else soxr.resample(wave, rate, SAMPLE_RATE, quality="HQ")


def _is_plain(cut: Any) -> bool:
    if not isinstance(cut, MonoCut) or cut.recording is None or len(cut.recording.sources) != 1:
        return False
    transforms = cut.recording.transforms or ()
    return cut.recording.sources[0].type in ("file", MEMBER, "memory") and all(
        map(_is_resampling, transforms)
    )


def _is_resampling(transform: Any) -> bool:
    return transform["name"] == "Resample" if isinstance(transform, dict) else isinstance(transform, Resample)


def _plain(cut: Any) -> tuple[Wave, int]:
    """Samples of the cut's channel at the file's own rate, and that rate."""
    source = cut.recording.sources[0]
    # reading to the end is cheaper than asking for a length, and the manifest's may be a hair short
    whole = cut.start == 0 and cut.duration >= cut.recording.duration - TOLERANCE
    wave, rate = _decode(_opened(source), cut.start, None if whole else cut.duration)
    return wave[:, source.channels.index(cut.channel)], rate


def _opened(source: Any) -> Source:
    if source.type == MEMBER:
        return io.BytesIO(archive.member(source.source).read())
    return io.BytesIO(source.source) if source.type == "memory" else source.source


def _by_lhotse(cut: Any) -> tuple[Wave, int]:
    """Archives, commands, URLs, several channels or augmentations: whatever Lhotse can load."""
    cut = _without_resampling(_in_memory(cut))
    try:
        wave = np.atleast_2d(cut.load_audio()).mean(axis=0)
    except (AudioLoadingError, DurationMismatchError, OSError) as error:
        raise ValueError(f"{_source(cut)}: {str(error).strip().splitlines()[0]}") from None
    return wave, cut.sampling_rate


def _in_memory(cut: Any) -> Any:
    """Lhotse knows no members of archives."""
    recording: Any = getattr(cut, "recording", None)
    if recording is None or recording.sources[0].type != MEMBER:
        return cut
    data = archive.member(recording.sources[0].source).read()
    source = replace(recording.sources[0], type="memory", source=data)
    return replace(cut, recording=replace(recording, sources=[source]))


def _without_resampling(cut: Any) -> Any:
    recording: Any = getattr(cut, "recording", None)
    transforms = recording.transforms if recording is not None else None
    if not transforms or not all(map(_is_resampling, transforms)):
        return cut
    first = transforms[0]
    rate = first["kwargs"]["source_sampling_rate"] if isinstance(first, dict) else first.source_sampling_rate
    length = round(recording.duration * rate)
    return replace(cut, recording=replace(recording, sampling_rate=rate, num_samples=length, transforms=None))


def _source(cut: Any) -> str:
    sources = getattr(getattr(cut, "recording", None), "sources", None)
    return str(sources[0].source) if sources else "its audio"
