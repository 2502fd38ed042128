import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from unispeech_cli.paths import CheckpointDir, ExpDir
from unispeech_cli.records import Note, Table
from unispeech_cli.stages.average import average
from unispeech_cli.stages.finetune import FinetuneInputs, finetune
from unispeech_cli.stages.info import info
from unispeech_cli.trainer.weights import load_recognizer, load_weights


@pytest.fixture(scope="module")
def exp(corpus: Any, minute: list[str], tmp_path_factory: pytest.TempPathFactory) -> ExpDir:
    """Six checkpoints, each of them validated."""
    exp = ExpDir(tmp_path_factory.mktemp("average") / "exp")
    settings = [*minute, "run.keep=9", "run.validations=6"]
    list(
        finetune(exp.root, corpus.lang_dir, FinetuneInputs([corpus.train], [corpus.dev]), overrides=settings)
    )
    return exp


def said(*arguments: Any, **options: Any) -> list[str]:
    return [record.text for record in average(*arguments, **options) if isinstance(record, Note)]


def test_the_mean_of_the_last_is_a_checkpoint_to_decode_with(exp: ExpDir, tmp_path: Path) -> None:
    out = CheckpointDir(tmp_path / "mean")
    assert said(exp.root, out.root, last=2) == [f"{out.root}: the mean of 2 checkpoints, updates 5, 6"]
    parts = [load_file(exp.checkpoint(update).weights) for update in (5, 6)]
    mean = load_file(out.weights)
    assert mean.keys() == parts[0].keys()
    for name in mean:
        assert torch.allclose(mean[name], (parts[0][name] + parts[1][name]) / 2, atol=1e-7)
    model, tokens = load_recognizer(out.root)
    assert all(torch.equal(value, mean[name]) for name, value in model.state_dict().items())
    assert tokens.symbols[0] == "<blk>"
    assert load_weights(model, out, tokens) == [f"initialised from {out.root}"]
    state = json.loads(out.state.read_text())
    assert state["position"]["update"] == 6
    assert list(state["averaged"]) == ["update 5", "update 6"]
    assert not out.optimizer.exists()
    (told,) = [table for table in info(out.root) if isinstance(table, Table) and table.title == "checkpoint"]
    assert dict(told.rows)["average of"] == "update 5, update 6"


def test_the_mean_of_the_best(exp: ExpDir, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in exp.metrics.read_text().splitlines()]
    figures = sorted((line["dev_per"], line["update"]) for line in lines if "dev_per" in line)
    least = sorted(update for _, update in figures[:3])
    out = CheckpointDir(tmp_path / "mean")
    said(exp.root, out.root, best=3)
    averaged = json.loads(out.state.read_text())["averaged"]
    assert list(averaged) == [f"update {update}" for update in least]
    assert sorted(made["dev"] for made in averaged.values()) == [value for value, _ in figures[:3]]


def test_the_same_again_does_nothing_and_others_are_never_overwritten(exp: ExpDir, tmp_path: Path) -> None:
    out = tmp_path / "mean"
    said(exp.root, out, last=2)
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert said(exp.root, out, last=2) == [f"{out} is the average of these checkpoints; nothing to do"]
    with pytest.raises(ValueError, match=r"mean is an average of others \(update 5, update 6\): remove"):
        said(exp.root, out, last=3)
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before
    with pytest.raises(ValueError, match=r"best exists and is no average: name another --out"):
        said(exp.root, exp.best.root, last=3)


def test_what_cannot_be_averaged_is_one_line(exp: ExpDir, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has 6 \(1, 2, 3, 4, 5, 6\) of the 7 checkpoints asked for"):
        said(exp.root, tmp_path / "mean", last=7)
    with pytest.raises(ValueError, match="say which checkpoints: --last N or --best N"):
        said(exp.root, tmp_path / "mean", last=1, best=1)
    with pytest.raises(ValueError, match="an average is of 1 checkpoint or more, not 0"):
        said(exp.root, tmp_path / "mean", last=0)
    with pytest.raises(FileNotFoundError, match=r"is no experiment \(no inputs\.json\)"):
        said(tmp_path, tmp_path / "mean", last=1)
    assert list(tmp_path.iterdir()) == []


def test_a_training_keeps_the_best_besides_the_last(corpus: Any, minute: list[str], tmp_path: Path) -> None:
    exp = ExpDir(tmp_path / "exp")
    run = ["run.updates=12", "run.validations=6", "run.save_every=1", "run.keep=1", "run.keep_best=2"]
    inputs = FinetuneInputs([corpus.train], [corpus.dev])
    list(finetune(exp.root, corpus.lang_dir, inputs, overrides=[*minute, *run, "optim.lr=0.01"]))
    lines = [json.loads(line) for line in exp.metrics.read_text().splitlines()]
    figures = sorted((line["dev_per"], line["update"]) for line in lines if "dev_per" in line)
    least = sorted(update for _, update in figures[:2])
    assert exp.checkpoints() == sorted({*least, 12})
    assert said(exp.root, tmp_path / "mean", best=2)[-1].endswith(f"updates {least[0]}, {least[1]}")
