"""A recording of any length as blocks of 16 kHz mono samples, so that memory does not grow with its length.

What libsndfile reads is read by it; anything else goes through ffmpeg where that is on the path.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import numpy as np
import soundfile
import soxr

from unispeech_cli import mp3
from unispeech_cli.audio import AudioInfo, Wave, peek
from unispeech_cli.frames import SAMPLE_RATE

BLOCK_SECONDS = 10
# lengths in mp3 headers are guesses: tags behind the audio count as audio
TOLERANCE = 1.0
# what a walk over a directory takes for audio; a file that is named is tried whatever it is called
SUFFIXES = frozenset(
    ".wav .flac .mp3 .ogg .oga .opus .sph .aif .aiff .aifc .au .snd .caf .w64 .rf64 "
    ".m4a .mp4 .aac .wma .webm .mka .mkv .mov .amr .3gp".split()
)


def blocks(path: Path, shown: str = "") -> Iterator[Wave]:
    """Blocks (samples,) of a recording from its start to its end: 16 kHz, channels averaged, some 10 s each.

    `shown` is what errors call it. Raises FileNotFoundError when it is missing, ValueError when it is empty,
    damaged, ends more than 1 s before its header says, or nothing here reads it.
    """
    shown = shown or str(path)
    try:
        with _quiet():
            info = peek(path)
    except ValueError as error:
        reason = str(error).replace(str(path), shown)
        if "not readable as audio" not in reason:
            raise ValueError(reason) from None
        yield from _by_ffmpeg(path, shown, reason)
        return
    except FileNotFoundError:
        raise FileNotFoundError(f"no audio file {shown}") from None
    yield from resampled(_by_libsndfile(path, shown, info), info.sampling_rate)


def resampled(waves: Iterable[Wave], rate: int) -> Iterator[Wave]:
    """Consecutive blocks (samples,) at `rate` -> the same recording at 16 kHz, in blocks."""
    if rate == SAMPLE_RATE:
        yield from waves
        return
    stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
    for wave in waves:
        yield stream.resample_chunk(wave)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _by_libsndfile(path: Path, shown: str, info: AudioInfo) -> Iterator[Wave]:
    read, rate = 0, info.sampling_rate
    try:
        with _quiet():
            file = soundfile.SoundFile(mp3.playable(path))
        with file:
            while len(block := _next_block(file)):
                read += len(block)
                yield block.mean(axis=1) if info.channels > 1 else block[:, 0]
    except soundfile.LibsndfileError as error:
        second, reason = read // rate, error.error_string.rstrip(". ")
        raise ValueError(
            f"{shown}: damaged between {second} and {second + BLOCK_SECONDS} s ({reason})"
        ) from None
    if read < info.num_samples - TOLERANCE * rate:
        promised = f"{read / rate:.1f} s of the {info.seconds:.1f} s that its header promises"
        raise ValueError(f"{shown}: truncated: it holds {promised}")


def _next_block(file: soundfile.SoundFile) -> Wave:
    with _quiet():
        return cast(Wave, file.read(BLOCK_SECONDS * file.samplerate, dtype="float32", always_2d=True))


@contextmanager
def _quiet() -> Iterator[None]:
    """libsndfile's mp3 decoder talks to stderr, past Python; what matters comes as an error."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _by_ffmpeg(path: Path, shown: str, reason: str) -> Iterator[Wave]:
    program = shutil.which("ffmpeg")
    if program is None:
        raise ValueError(f"{reason}; ffmpeg, which may know it, is not on the path")
    # file: keeps ffmpeg from taking a name for a protocol or an option
    source = [program, "-v", "error", "-nostdin", "-i", f"file:{path}", "-map", "0:a:0"]
    command = [*source, "-f", "f32le", "-ac", "1", "-ar", str(SAMPLE_RATE), "-"]
    with tempfile.TemporaryFile() as said, _running(command, said) as process:
        yield from _floats(process)
        if process.wait() != 0:
            said.seek(0)
            line = said.read().decode(errors="replace").strip().splitlines()[-1:] or ["no reason given"]
            raise ValueError(f"{shown}: neither libsndfile nor ffmpeg reads it ({line[0]})")


@contextmanager
def _running(command: list[str], errors: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
    try:
        yield process
    finally:
        # whoever stops reading half-way leaves it running
        process.kill()
        process.communicate()


def _floats(process: subprocess.Popen[bytes]) -> Iterator[Wave]:
    assert process.stdout is not None
    while data := process.stdout.read(4 * BLOCK_SECONDS * SAMPLE_RATE):
        yield np.frombuffer(data[: len(data) // 4 * 4], np.float32)
