import io
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from unispeech_cli.recordings import Recording, clashing, recordings


@pytest.fixture
def talks(tmp_path: Path) -> Path:
    for name in ("b.wav", "a.FLAC", "sub/c.mp3", "sub/notes.txt", ".hidden.wav"):
        (tmp_path / "talks" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "talks" / name).touch()
    return tmp_path / "talks"


def test_files_and_directories_in_order(talks: Path, tmp_path: Path) -> None:
    named = [str(talks / "sub" / "notes.txt"), str(talks), "gone.ogg"]
    found = recordings(named, tmp_path)
    assert [recording.name for recording in found] == ["notes", "a", "b", "sub/c", "gone"]
    assert found[3] == Recording(talks / "sub" / "c.mp3", "sub/c", str(talks / "sub" / "c.mp3"))
    assert clashing(found) == []


def test_two_of_one_name(talks: Path, tmp_path: Path) -> None:
    (talks / "b.mp3").touch()
    assert [str(one.path.name) for one in clashing(recordings([str(talks)], tmp_path))] == ["b.mp3", "b.wav"]


def test_a_directory_without_audio_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(ValueError, match="no audio in this directory"):
        recordings([str(tmp_path)], tmp_path)


def test_standard_input_is_read_as_often_as_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = io.BytesIO()
    soundfile.write(data, np.zeros(700), 8_000, format="FLAC")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data.getvalue())))
    (found,) = recordings(["-"], tmp_path)
    assert (found.name, found.shown) == ("stdin", "standard input")
    assert [sum(map(len, found.blocks())) for _ in range(2)] == [1_400, 1_400]
