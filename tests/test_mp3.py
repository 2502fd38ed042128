"""Lengths from the first 4 kB of an mp3, held against what libsndfile decodes."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unispeech_cli import mp3

RATES = (8_000, 11_025, 16_000, 24_000, 32_000, 44_100, 48_000)


def encoded(samples: int, rate: int, channels: int = 1, mode: str = "CONSTANT") -> bytes:
    # louder and louder, so that a variable bit rate varies
    wave = (
        np.random.default_rng(samples).normal(size=(samples, channels))
        * np.linspace(0, 0.3, samples)[:, None]
    )
    out = io.BytesIO()
    soundfile.write(out, wave, rate, "MPEG_LAYER_III", format="MP3", bitrate_mode=mode, compression_level=0.5)
    return out.getvalue()


def measured(data: bytes) -> tuple[int, int, int] | None:
    return mp3.measure(data[:4096], len(data), lambda: data)


def without_xing(data: bytes) -> bytes:
    """As an encoder writes that cannot seek back: only frames of sound."""
    at = min(place for name in (b"Xing", b"Info") if (place := data.find(name)) > 0)
    return data[data.index(data[:2], at) :]


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE", "AVERAGE"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", RATES)
def test_xing_frame_gives_the_exact_length(rate: int, channels: int, mode: str) -> None:
    data = encoded(rate + 17, rate, channels, mode)
    assert measured(data) == (rate + 17, rate, channels)
    assert len(soundfile.read(io.BytesIO(data))[0]) == rate + 17


@pytest.mark.parametrize("rate", RATES)
def test_constant_rate_without_xing_frame(rate: int) -> None:
    data = without_xing(encoded(rate, rate))
    assert measured(data) == (len(soundfile.read(io.BytesIO(data))[0]), rate, 1)


def test_variable_rate_without_xing_frame_is_counted() -> None:
    data = encoded(96_000, 48_000, mode="VARIABLE")
    at = data.index(b"Xing")
    frames = int.from_bytes(data[at + 8 : at + 12], "big")
    assert measured(without_xing(data)) == (1152 * frames - 529, 48_000, 1)


def test_variable_rate_without_xing_frame_plays_to_its_end(tmp_path: Path) -> None:
    data = encoded(96_000, 48_000, mode="VARIABLE")
    original, path = soundfile.read(io.BytesIO(data))[0], tmp_path / "a.mp3"
    path.write_bytes(without_xing(data))
    wave, rate = soundfile.read(mp3.playable(path))
    info = mp3.measure(path.read_bytes(), path.stat().st_size, path.read_bytes)
    assert rate == 48_000 and info is not None and len(wave) == info[0]
    # the encoder's delay of 576 samples is not known without its tag
    np.testing.assert_allclose(wave[576 : 576 + 96_000], original, atol=1e-4)


def test_other_files_play_as_they_are(tmp_path: Path) -> None:
    for name, data in [
        ("x.mp3", encoded(8_000, 8_000)),
        ("c.mp3", without_xing(encoded(8_000, 8_000))),
        ("t", b""),
    ]:
        (tmp_path / name).write_bytes(data)
        assert mp3.playable(tmp_path / name) == tmp_path / name


def test_id3_tag_in_front_changes_nothing() -> None:
    data = encoded(16_000, 16_000)
    for length in (100, 9000):
        size = bytes([0, 0, length >> 7, length & 0x7F])
        assert measured(b"ID3\x04\x00\x00" + size + b"\0" * length + data) == (16_000, 16_000, 1)


def test_file_shorter_than_its_header_promises() -> None:
    data = encoded(48_000, 16_000)
    with pytest.raises(ValueError, match=r"truncated: its header promises"):
        measured(data[: len(data) // 2])


@pytest.mark.parametrize("data", [b"", b"\xff", b"RIFF0000WAVE" * 100, b"\xff\xfb\x90\x00 then nothing" * 40])
def test_something_else_is_not_taken_for_an_mp3(data: bytes) -> None:
    assert measured(data) is None
