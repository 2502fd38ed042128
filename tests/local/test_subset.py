"""local/subset.py: enough, of every speaker, the same again, a smaller part in a larger one."""

import gzip
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "local"))

from subset import main

CORPUS = "librispeech"


def manifest(path: Path, speakers: int, cuts: int) -> Path:
    """Cuts of 10 s each, an equal number of every speaker."""
    lines = [
        json.dumps(
            {"id": f"{path.name}-{s}-{c}", "duration": 10.0, "supervisions": [{"speaker": f"{path.name}{s}"}]}
        )
        for s in range(speakers)
        for c in range(cuts)
    ]
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    return path


def subset(out: Path, size: str, *cuts: Path) -> list[dict]:
    assert main([str(out), CORPUS, size, *map(str, cuts)]) == 0
    with gzip.open(out / f"{CORPUS}_cuts_{size}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture
def corpus(tmp_path) -> list[Path]:
    return [manifest(tmp_path / "clean.jsonl.gz", 7, 20), manifest(tmp_path / "other.jsonl.gz", 5, 20)]


def test_every_speaker_has_a_part_in_it(tmp_path, corpus):
    chosen = subset(tmp_path, "4min", *corpus)
    speakers = [cut["supervisions"][0]["speaker"] for cut in chosen]
    assert (len(chosen), len({cut["id"] for cut in chosen})) == (24, 24)
    assert {speakers.count(speaker) for speaker in speakers} == {2} and len(set(speakers)) == 12


def test_a_smaller_part_lies_in_a_larger_one_whatever_the_order(tmp_path, corpus):
    small = subset(tmp_path, "1min", *corpus)
    large = subset(tmp_path, "0.5h", *reversed(corpus))
    assert len(small) == 6 and len(large) == 180
    assert {cut["id"] for cut in small} < {cut["id"] for cut in large}


def test_made_once_from_the_same_cuts(tmp_path, corpus, capsys):
    for told in (False, True):
        subset(tmp_path, "1min", *corpus)
        assert ("nothing to do" in capsys.readouterr().err) is told
    manifest(corpus[0], 7, 19)
    subset(tmp_path, "1min", *corpus)
    assert "6 cuts" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("size", "told"), [("2h", "the manifests hold 0.67 h"), ("much", "no size like 10min")]
)
def test_what_cannot_be_had_is_told_in_one_line(tmp_path, corpus, capsys, size, told):
    assert main([str(tmp_path), CORPUS, size, *map(str, corpus)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
