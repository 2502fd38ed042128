"""`--dry-run` of the trainings: every number of it worked by hand, or held against the training itself."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from unispeech_cli.paths import ExpDir
from unispeech_cli.records import Note, Table
from unispeech_cli.stages import finetune, pretrain
from unispeech_cli.trainer.journal import read_lines
from unispeech_cli.trainer.weights import load_recognizer

SOURCES = {"cv-en": 1350.0, "cv-es": 168.0, "cv-fr": 353.0, "cv-it": 90.0}
NOWHERE = Path("nowhere")


def manifests(*corpora: str) -> list[Path]:
    return [NOWHERE / f"{corpus}_cuts_train.jsonl.gz" for corpus in corpora]


def told(hours: Mapping[str, float]) -> list[str]:
    return [f"{corpus}={count}" for corpus, count in hours.items()]


def tables(records: Any) -> tuple[list[dict[str, Any]], dict[str, Any], list[dict[str, Any]]]:
    """Rows of the speech, values of the training by name, rows of the schedule."""
    training, speech, schedule = (
        [dict(zip(record.columns, row, strict=True)) for row in record.rows]
        for record in records
        if isinstance(record, Table)
    )
    return speech, {row["what"]: row["value"] for row in training}, schedule


def test_many_to_one_at_the_papers_size() -> None:
    hours = {**SOURCES, "cv-ky": 17.0}
    inputs = pretrain.PretrainInputs(manifests(*SOURCES), manifests("cv-ky"), [])
    records = pretrain.forecast(NOWHERE, NOWHERE, inputs, preset="large", hours=told(hours), speed=500.0)
    speech, training, schedule = tables(records)
    # labelled speech is 1,961 of 1,978 hours, and its languages are drawn by the root of theirs
    wanted = [100 * 1961 / 1978 * share for share in (0.4712, 0.1662, 0.2410, 0.1217)] + [100 * 17 / 1978]
    assert [row["share %"] for row in speech] == pytest.approx(wanted, abs=0.01)
    assert [(row["kind"], row["language"], row["from"]) for row in speech][3:] == [
        ("labelled", "cv-it", "--hours"),
        ("unlabelled", "cv-ky", "--hours"),
    ]
    # 64 GPUs x 75 s, 200,000 times
    assert training["batches an update"] == 64
    assert training["hours of audio heard"] == pytest.approx(64 * 75 * 200_000 / 3600)
    assert speech[4]["times"] == pytest.approx(64 * 75 * 200_000 / 3600 / 1978)
    assert training["GPU hours"] == pytest.approx(64 * 75 * 200_000 / 3600 / 500)
    assert training["parameters"] == 317_390_848
    # of ten possible starts of a span over a frame none is drawn: 0.95 ** 10
    assert training["% of the frames masked"] == pytest.approx(100 * (1 - 0.95**10))
    assert training["contrastive loss at chance"] == pytest.approx(math.log(101))
    rates = {row["update"]: row["rate x 1e6"] for row in schedule}
    assert rates == pytest.approx({0: 0.04, 25_000: 1000, 100_000: 1000 * 4 / 7, 199_999: 0.0057}, rel=1e-2)
    heat = {row["update"]: row["Gumbel temperature"] for row in schedule}
    assert heat[100_000] == pytest.approx(2 * 0.999995**100_000, rel=1e-3)


def test_fine_tuning_at_the_papers_size() -> None:
    inputs = finetune.FinetuneInputs(manifests("cv-ky"), [])
    records = finetune.forecast(NOWHERE, NOWHERE, inputs, preset="large", init=NOWHERE, hours=["cv-ky=1"])
    speech, training, schedule = tables(records)
    assert speech[0]["times"] == pytest.approx(20_000 * 250 / 3600)
    assert (training["batches an update"], training["updates of the head alone"]) == (4, 2000)
    assert training["% of the frames masked"] == pytest.approx(54.1, abs=0.1)
    assert [(row["update"], row["encoder trains"]) for row in schedule] == [
        (0, "no"), (2000, "yes"), (10_000, "yes"), (19_999, "yes"),
    ]  # fmt: skip
    assert [row["rate x 1e6"] for row in schedule] == pytest.approx([0.2, 20, 20, 1], rel=1e-3)


def test_without_a_speed_the_assumption_is_said() -> None:
    inputs = finetune.FinetuneInputs(manifests("cv-ky"), [])
    training, _, _ = finetune.forecast(NOWHERE, NOWHERE, inputs, hours=["cv-ky=1"])
    (row,) = [row for row in training.rows if row[0] == "seconds of audio a second"]  # type: ignore[union-attr]
    assert str(row[2]).startswith("assumed, not measured: 30 TFLOP/s over ")


def test_it_foretells_a_training_and_leaves_no_trace(corpus: Any, minute: list[str], tmp_path: Path) -> None:
    inputs = pretrain.PretrainInputs([corpus.train], [corpus.unlabelled], [corpus.dev])
    exp = tmp_path / "exp"
    speech, training, schedule = tables(
        pretrain.forecast(exp, corpus.lang_dir, inputs, overrides=[*minute, "run.updates=4"])
    )
    assert not exp.exists()
    notes = list(pretrain.pretrain(exp, corpus.lang_dir, inputs, overrides=[*minute, "run.updates=4"]))
    assert any(isinstance(note, Note) and "labelled: 6 cuts" in note.text for note in notes)
    assert [(row["kind"], row["language"], row["from"]) for row in speech] == [
        ("labelled", "es", "manifest"),
        ("unlabelled", "ky", "manifest"),
    ]
    model, _ = load_recognizer(exp)
    parts = ("frontend", "projection", "context network", "CTC head")
    counted = sum(training[f"parameters: {part}"] for part in parts)
    assert counted == sum(p.numel() for p in model.parameters())
    logged = {line["update"] - 1: line["rate"] for line in read_lines(ExpDir(exp).metrics) if "rate" in line}
    for row in schedule:
        assert row["rate x 1e6"] == pytest.approx(1e6 * logged[row["update"]])


@pytest.mark.parametrize(
    ("hours", "complaint"),
    [
        ([], r"no manifest of cv-ky yet: make it, or tell --hours cv-ky=HOURS"),
        (["cv-ky"], r"--hours cv-ky: expected CORPUS=HOURS, as cv-en=1350"),
        (["cv-ky=-1"], r"--hours cv-ky=-1: expected CORPUS=HOURS"),
    ],
)
def test_hours_that_nobody_knows_are_asked_for(hours: list[str], complaint: str) -> None:
    inputs = finetune.FinetuneInputs(manifests("cv-ky"), [])
    with pytest.raises(ValueError, match=complaint):
        list(finetune.forecast(NOWHERE, NOWHERE, inputs, hours=hours))
