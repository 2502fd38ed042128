"""Headers, reading, cuts and transcoding on files made here; lengths and pitch are the oracles."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from lhotse import AudioSource, MonoCut, MultiCut, Recording
from lhotse.audio.utils import AudioLoadingError

from unispeech_cli.audio import AudioInfo, num_samples, peek, peek_bytes, read, read_cut, transcode

FORMATS: dict[str, dict[str, Any]] = {
    "wav": {"subtype": "PCM_16"},
    "flac": {"subtype": "PCM_16"},
    "sph": {"format": "NIST", "subtype": "PCM_16"},
    "ogg": {"format": "OGG", "subtype": "VORBIS"},
    "mp3": {"format": "MP3", "subtype": "MPEG_LAYER_III"},
}


def tone(hertz: float, seconds: float, rate: int) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def write(path: Path, wave: np.ndarray, rate: int) -> Path:
    soundfile.write(path, wave, rate, **FORMATS[path.suffix[1:]])
    return path


def pitch(wave: np.ndarray) -> float:
    """Hertz of the strongest partial of a wave at 16 kHz."""
    return float(np.argmax(np.abs(np.fft.rfft(wave))) * 16_000 / len(wave))


def cut_of(
    path: Path, start: float, duration: float, rate: int, channel: int = 0, channels: int = 1
) -> MonoCut:
    recording = Recording("r", [AudioSource("file", list(range(channels)), str(path))], rate, rate * 2, 2.0)
    return MonoCut("one", start, duration, channel, recording=recording)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_peek_and_read_every_format(tmp_path: Path, suffix: str, rate: int) -> None:
    path = write(tmp_path / f"a.{suffix}", tone(440, 2, rate), rate)
    assert peek(path) == peek_bytes(path.read_bytes(), "it") == AudioInfo(2 * rate, rate, 1)
    wave = read(path)
    assert wave.shape == (32_000,) and wave.dtype == np.float32
    assert pitch(wave) == pytest.approx(440, abs=1)


def test_peek_names_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "empty.mp3").touch()
    (tmp_path / "page.mp3").write_text("<html>not found</html>")
    write(tmp_path / "none.wav", np.zeros(0), 16_000)
    for name, message in [
        ("empty.mp3", "is empty"),
        ("page.mp3", "not readable"),
        ("none.wav", "no samples"),
    ]:
        with pytest.raises(ValueError, match=f"{name}: .*{message}"):
            peek(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"no audio file .*gone\.wav"):
        peek(tmp_path / "gone.wav")


@pytest.mark.parametrize("suffix", ["wav", "sph", "mp3"])
def test_peek_notices_a_cut_off_file(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a.{suffix}", tone(440, 2, 16_000), 16_000)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(ValueError, match=rf"a\.{suffix}: truncated: its header promises"):
        peek(path)


def test_read_takes_a_stretch_and_averages_channels(tmp_path: Path) -> None:
    left, right = tone(300, 2, 16_000), tone(700, 2, 16_000)
    path = write(tmp_path / "a.flac", np.stack([left, right], axis=1), 16_000)
    expected = ((left + right) / 2)[8_000:16_000]
    np.testing.assert_allclose(read(path, 0.5, 0.5), expected, atol=1e-4)


def test_cut_is_read_at_the_rate_of_its_file(tmp_path: Path) -> None:
    # the manifest says 16 kHz, as manifests made without looking at the file do
    path = write(tmp_path / "a.mp3", tone(440, 2, 48_000), 48_000)
    wave = read_cut(cut_of(path, 0, 2.0, 16_000))
    assert wave.shape == (32_000,) and pitch(wave) == pytest.approx(440, abs=1)


def test_cut_of_a_long_file_at_another_rate(tmp_path: Path) -> None:
    sweep = np.concatenate([tone(300, 1, 32_000), tone(700, 1, 32_000)])
    path = write(tmp_path / "a.flac", sweep, 32_000)
    wave = read_cut(cut_of(path, 1.0, 0.9, 32_000).resample(16_000))
    assert wave.shape == (14_400,) and pitch(wave) == pytest.approx(700, abs=2)


def test_cut_reads_its_own_channel(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.stack([tone(300, 2, 16_000), tone(700, 2, 16_000)], axis=1), 16_000)
    waves = [read_cut(cut_of(path, 0, 2.0, 16_000, channel, 2)) for channel in (0, 1)]
    assert [pitch(wave) for wave in waves] == [pytest.approx(300, abs=1), pytest.approx(700, abs=1)]


def test_cut_of_a_file_a_hair_short_is_padded_and_of_a_long_one_trimmed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(440, 1.98, 16_000), 16_000)
    wave = read_cut(cut_of(path, 0, 2.0, 16_000))
    assert wave.shape == (32_000,) and not wave[31_680:].any() and wave[:31_680].any()
    assert read_cut(cut_of(path, 0, 1.5, 16_000)).shape == (24_000,)


def test_cut_of_a_file_that_is_clearly_short_is_refused_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(440, 1.5, 16_000), 16_000)
    with pytest.raises(ValueError, match=r"cut one: .*a\.wav gives 1\.50 s of the 2\.00 s"):
        read_cut(cut_of(path, 0, 2.0, 16_000))


@pytest.mark.parametrize("suffix", ["flac", "mp3"])
def test_cut_of_a_truncated_file_is_refused_by_name(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a.{suffix}", tone(440, 2, 16_000), 16_000)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(ValueError, match=rf"cut one: .*a\.{suffix}"):
        read_cut(cut_of(path, 0, 2.0, 16_000))


def test_cut_of_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cut one: no audio file .*gone\.wav"):
        read_cut(cut_of(tmp_path / "gone.wav", 0, 2.0, 16_000))


@pytest.mark.filterwarnings("ignore:You requested a subset of a recording:UserWarning")
def test_sources_other_than_files_read_as_the_file_does(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(440, 2, 48_000), 48_000)
    expected = read_cut(cut_of(path, 0.5, 1.0, 48_000))
    for source in (AudioSource("memory", [0], path.read_bytes()), AudioSource("command", [0], f"cat {path}")):
        recording = Recording("r", [source], 48_000, 96_000, 2.0)
        cut = MonoCut("one", 0.5, 1.0, 0, recording=recording).resample(16_000)
        np.testing.assert_allclose(read_cut(cut), expected, atol=1e-6)


def test_cut_of_several_channels_is_averaged(tmp_path: Path) -> None:
    left, right = tone(300, 2, 16_000), tone(700, 2, 16_000)
    path = write(tmp_path / "a.wav", np.stack([left, right], axis=1), 16_000)
    recording = Recording.from_file(path)
    wave = read_cut(MultiCut("two", 0, 2.0, [0, 1], recording=recording))
    np.testing.assert_allclose(wave, (left + right) / 2, atol=1e-4)


def test_lhotse_itself_reads_sphere_files_and_wraps_errors(tmp_path: Path) -> None:
    path = write(tmp_path / "a.sph", tone(440, 2, 16_000), 16_000)
    assert Recording.from_file(path).load_audio().shape == (1, 32_000)
    (tmp_path / "b.sph").write_bytes(b"nothing")
    with pytest.raises(AudioLoadingError):
        Recording.from_file(tmp_path / "b.sph")


def test_num_samples_rounds_halves_up() -> None:
    assert [num_samples(seconds) for seconds in (0.0, 1.0, 0.5 / 16_000, 2.304, 1.33)] == [
        0,
        16_000,
        1,
        36_864,
        21_280,
    ]


def test_transcode_writes_16_khz_flac_once(tmp_path: Path) -> None:
    path, out = write(tmp_path / "a.mp3", tone(440, 2, 44_100), 44_100), tmp_path / "b" / "a.flac"
    assert transcode(path, out, start=0.5, duration=1.0) == AudioInfo(16_000, 16_000, 1)
    np.testing.assert_allclose(read(out), read(path, 0.5, 1.0), atol=1e-4)
    written = out.stat().st_mtime_ns
    transcode(path, out, start=0.5, duration=1.0)
    assert out.stat().st_mtime_ns == written
    os.utime(path, ns=(written + 10**9, written + 10**9))
    transcode(path, out, start=0.5, duration=1.0)
    assert out.stat().st_mtime_ns > written
    assert [item.name for item in out.parent.iterdir()] == ["a.flac"]
