import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unispeech_cli import audio
from unispeech_cli.stream import blocks

RANDOM = np.random.default_rng(0)
NOISE = RANDOM.normal(0, 0.1, (8_000 * 25, 2)).cumsum(0).clip(-1, 1)


def streamed(path: Path) -> np.ndarray:
    parts = list(blocks(path))
    assert all(part.ndim == 1 and part.dtype == np.float32 for part in parts)
    return np.concatenate(parts)


@pytest.mark.parametrize(
    ("name", "rate", "channels", "subtype"),
    [
        ("plain.wav", 16_000, 1, "PCM_16"),
        ("telephone.wav", 8_000, 1, "ULAW"),
        ("stereo.flac", 44_100, 2, "PCM_24"),
        ("talk.mp3", 48_000, 2, "MPEG_LAYER_III"),
        ("talk.sph", 16_000, 1, "PCM_16"),
        ("talk.ogg", 24_000, 1, "VORBIS"),
    ],
)
def test_blocks_are_the_file_read_at_once(
    tmp_path: Path, name: str, rate: int, channels: int, subtype: str
) -> None:
    format = "NIST" if name.endswith("sph") else None
    soundfile.write(tmp_path / name, NOISE[: 12 * rate, :channels], rate, subtype, format=format)
    parts, whole = list(blocks(tmp_path / name)), audio.read(tmp_path / name)
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=2e-5)


def test_a_wav_from_a_pipe_does_not_know_its_length(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", NOISE[:16_000, 0], 16_000)
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[4:8] = data[40:44] = b"\xff" * 4
    (tmp_path / "a.wav").write_bytes(data)
    assert len(streamed(tmp_path / "a.wav")) == 16_000


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3", "wav"])
def test_a_recording_that_breaks_off_is_an_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, NOISE[:160_000, 0], 16_000)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(ValueError, match=r"talk: (truncated|damaged|no samples)"):
        list(blocks(path, "talk"))


def test_the_mp3_decoder_does_not_talk(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "page.mp3").write_text("<html>not found</html>" * 50)
    with pytest.raises(ValueError, match=r"page\.mp3: not readable as audio \(Format not recognised\)"):
        list(blocks(tmp_path / "page.mp3"))
    soundfile.write(tmp_path / "a.mp3", NOISE[:160_000, 0], 16_000)
    data = bytearray((tmp_path / "a.mp3").read_bytes())
    data[20_000:20_800] = bytes(800)
    (tmp_path / "a.mp3").write_bytes(data)
    # a hole is left out or is silence
    assert 9 * 16_000 < len(streamed(tmp_path / "a.mp3")) <= 160_000
    print("heard", file=sys.stderr)
    assert capfd.readouterr().err == "heard\n"


def test_what_is_missing_or_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    soundfile.write(tmp_path / "none.wav", NOISE[:0, 0], 16_000)
    for name, complaint in (
        ("gone.wav", "no audio file"),
        ("empty.wav", "is empty"),
        ("none.wav", "no samples"),
    ):
        with pytest.raises((FileNotFoundError, ValueError), match=complaint) as error:
            list(blocks(tmp_path / name, "standard input"))
        assert "standard input" in str(error.value) and str(tmp_path) not in str(error.value)


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    (tmp_path / "letter.m4a").write_text("Dear Sir or Madam")
    return tmp_path / "letter.m4a"


def stand_in(folder: Path, script: str) -> None:
    """An ffmpeg that checks how it is called and does as `script` says."""
    program = folder / "bin" / "ffmpeg"
    program.parent.mkdir()
    check = "assert sys.argv[-7:] == '-f f32le -ac 1 -ar 16000 -'.split() and '-nostdin' in sys.argv"
    program.write_text(f"#!{sys.executable} -S\nimport array, sys\n{check}\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def test_without_ffmpeg_the_error_says_so(monkeypatch: pytest.MonkeyPatch, letter: Path) -> None:
    monkeypatch.setenv("PATH", str(letter.parent))
    with pytest.raises(
        ValueError, match=r"letter\.m4a: not readable .*; ffmpeg, which .* is not on the path"
    ):
        list(blocks(letter))


def test_what_libsndfile_does_not_read_comes_from_ffmpeg(
    monkeypatch: pytest.MonkeyPatch, letter: Path
) -> None:
    script = (
        "path = sys.argv[sys.argv.index('-i') + 1].removeprefix('file:')\n"
        "data = array.array('f', [*open(path, 'rb').read()] * 20_000)\nsys.stdout.buffer.write(data.tobytes())"
    )
    stand_in(letter.parent, script)
    monkeypatch.setenv("PATH", str(letter.parent / "bin"))
    parts = list(blocks(letter))
    assert [len(part) for part in parts] == [160_000, 160_000, 20_000]
    assert np.concatenate(parts)[:4].tolist() == [68.0, 101.0, 97.0, 114.0]
    # who stops half-way leaves no process behind: closing waits for its end
    half = blocks(letter)
    next(half)
    half.close()


def test_what_ffmpeg_does_not_read_either(monkeypatch: pytest.MonkeyPatch, letter: Path) -> None:
    stand_in(letter.parent, "sys.exit('first line\\nInvalid data found')")
    monkeypatch.setenv("PATH", str(letter.parent / "bin"))
    with pytest.raises(ValueError, match=r"letter\.m4a: neither .* reads it \(Invalid data found\)"):
        list(blocks(letter))
