import json
from pathlib import Path

import pytest

from unispeech_cli.paths import ExpDir
from unispeech_cli.records import Note
from unispeech_cli.stages.plot import plot


def experiment(root: Path, updates: int) -> Path:
    root.mkdir()
    lines = [{"update": n, "loss": 7.0 / n, "dev_per": 1 / n} for n in range(1, updates + 1)]
    ExpDir(root).metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return root


def said(*experiments: Path, out: Path | None = None) -> list[str]:
    return [record.text for record in plot(experiments, out) if isinstance(record, Note)]


def test_the_picture_of_a_training_that_goes_on_is_drawn_anew_when_there_is_more(tmp_path: Path) -> None:
    exp = experiment(tmp_path / "exp", 3)
    picture = ExpDir(exp).curves
    assert said(exp) == [f"{picture}: 2 curves to update 3"]
    before = picture.read_bytes()
    assert before.startswith(b"\x89PNG")
    assert said(exp) == [f"{picture} shows these metrics; nothing to do"]
    with ExpDir(exp).metrics.open("a") as stream:
        stream.write('{"update": 4, "loss": 9.0}\n')
    assert said(exp) == [f"{picture}: 2 curves to update 4"]
    assert picture.read_bytes() != before
    assert not [path.name for path in exp.iterdir() if "fresh" in path.name]


def test_several_go_into_one_picture_where_they_are_told_to(tmp_path: Path) -> None:
    one, other = experiment(tmp_path / "one", 3), experiment(tmp_path / "other", 5)
    out = tmp_path / "new" / "place"
    assert said(one, other, one, out=out) == [f"{out / 'curves.png'}: 2 curves to update 5"]
    with pytest.raises(ValueError, match=r"several experiments in one picture: say where to with --out DIR"):
        said(one, other)


def test_what_cannot_be_drawn_is_one_line_and_writes_nothing(tmp_path: Path) -> None:
    exp = experiment(tmp_path / "exp", 0)
    with pytest.raises(ValueError, match=r"metrics\.jsonl holds nothing yet"):
        said(exp)
    with pytest.raises(FileNotFoundError, match=r"no .*none/metrics\.jsonl: give directories that"):
        said(tmp_path / "none")
    assert [path.name for path in exp.iterdir()] == ["metrics.jsonl"]
    assert not (tmp_path / "none").exists()


def test_a_picture_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    exp = experiment(tmp_path / "exp", 3)
    ExpDir(exp).curves.write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"curves\.png exists and was not made by plot"):
        said(exp)
    assert ExpDir(exp).curves.read_bytes() == b"mine"
