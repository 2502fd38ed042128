"""local/lm_text.py: text as releases write it and transcripts of manifests, in the form that models learn."""

import gzip
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "local"))

from lm_text import main


@pytest.fixture
def files(tmp_path) -> list[str]:
    (tmp_path / "librispeech.txt").write_text("IT WAS HIS DON'T\n\nTHE NURSE\n")
    talk = "so it 's the don 't </s>\n<unk>\n{NOISE} well-known\n"
    (tmp_path / "talks.en.gz").write_bytes(gzip.compress(talk.encode()))
    said = {"supervisions": [{"text": "IT, WAS", "custom": {"text_norm": "it was"}}]}
    lines = "".join(json.dumps(cut) + "\n" for cut in (said, {"supervisions": []}))
    (tmp_path / "x_cuts_train.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    return [str(tmp_path / name) for name in ("librispeech.txt", "talks.en.gz", "x_cuts_train.jsonl.gz")]


def written(out: Path) -> list[str]:
    return gzip.decompress(out.read_bytes()).decode().splitlines()


def test_sentences_are_normalised_and_in_order(tmp_path, files):
    out = tmp_path / "lm" / "text.gz"
    assert main([str(out), *files]) == 0
    assert written(out) == ["it was his don't", "the nurse", "so it's the don't", "well known", "it was"]


def test_words_come_once(tmp_path, files):
    out = tmp_path / "words"
    assert main(["--words", str(out), *files[:1]]) == 0
    assert out.read_text().split() == ["don't", "his", "it", "nurse", "the", "was"]


def test_made_once_from_the_same_files(tmp_path, files, capsys):
    out = tmp_path / "text.gz"
    for told in (False, True):
        assert main([str(out), *files]) == 0
        assert ("nothing to do" in capsys.readouterr().err) is told
    assert main([str(out), *files[1:]]) == 0
    assert len(written(out)) == 3


def test_a_missing_file_is_told_in_one_line(tmp_path, capsys):
    assert main([str(tmp_path / "text.gz"), str(tmp_path / "gone")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "gone" in line
