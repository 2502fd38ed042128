from typing import Any

import pytest

from unispeech_cli.paths import ExpDir
from unispeech_cli.records import Progress
from unispeech_cli.stages.pretrain import PretrainInputs, pretrain
from unispeech_cli.trainer.journal import read_lines


def test_an_update_tells_a_live_view_by_name_and_the_curves_what_moved(
    corpus: Any, minute: list[str], tmp_path: Any
) -> None:
    exp = ExpDir(tmp_path / "exp")
    inputs = PretrainInputs([corpus.train], [corpus.unlabelled], [corpus.dev])
    schedule = ["temperature.start=2", "temperature.end=0.5", "replace.r=0.4", "replace.full=0.5"]
    settings = [*minute, *schedule, "run.updates=4", "run.validations=2"]
    records = list(pretrain(exp.root, corpus.lang_dir, inputs, overrides=settings))
    told = [record.figures for record in records if isinstance(record, Progress)]
    terms = ["loss", "ctc", "contrastive", "diversity"]
    rest = ["perplexity", "rate", "audio s/s", "padding %", "waiting for data %", "memory MB"]
    assert [name for name in [*terms, *rest] if name not in told[0]] == []
    lines = read_lines(exp.metrics)
    dev = {line["update"]: line["dev_per"] for line in lines if "dev_per" in line}
    # a validation is told from the next update on
    assert [figures.get("dev per") for figures in told] == [None, None, dev[2], dev[2]]
    assert told[0]["loss"] == pytest.approx(sum(told[0][name] for name in terms[1:]))
    assert 0 <= told[0]["waiting for data %"] <= 100 and told[0]["memory MB"] > 50
    logged = [line for line in lines if "loss" in line]
    assert [line["temperature"] for line in logged] == pytest.approx([2, 2**0.5, 1, 0.5**0.5])
    assert [line["replace"] for line in logged] == pytest.approx([0, 0.2, 0.4, 0.4])
