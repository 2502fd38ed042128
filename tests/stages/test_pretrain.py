import math
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from unispeech_cli.paths import ExpDir
from unispeech_cli.records import Note
from unispeech_cli.stages.pretrain import PretrainInputs, pretrain, read_settings
from unispeech_cli.trainer.journal import read_lines
from unispeech_cli.trainer.weights import load_recognizer

EVERY = {"ctc", "contrastive", "diversity"}


def said(corpus: Any, exp: Path, settings: list[str], kinds: str = "lu", **options: Any) -> list[str]:
    """Notes of a pre-training on labelled (l) and unlabelled (u) cuts."""
    labelled, unlabelled = (
        ([corpus.train] if "l" in kinds else []),
        ([corpus.unlabelled] if "u" in kinds else []),
    )
    inputs = PretrainInputs(labelled, unlabelled, [corpus.dev])
    records = pretrain(exp, corpus.lang_dir, inputs, overrides=settings, **options)
    return [record.text for record in records if isinstance(record, Note)]


def logged(exp: Path) -> list[dict[str, Any]]:
    return [line for line in read_lines(ExpDir(exp).metrics) if "loss" in line]


@pytest.mark.parametrize(
    ("kinds", "settings", "terms"),
    [
        ("lu", [], EVERY),
        ("lu", ["objective.alpha=0"], {"contrastive", "diversity"}),
        ("lu", ["replace.r=0"], EVERY),
        # single frames of a codebook tell CTC little: it takes longer
        ("l", ["replace.r=1", "objective.alpha=0.9", "optim.lr=5e-3", "run.updates=50"], EVERY),
        ("l", ["objective.alpha=1"], {"ctc"}),
        ("l", ["objective.alpha=1", "replace.r=0", "model.quantizer=null"], {"ctc"}),
        ("u", [], EVERY),
    ],
)
def test_every_corner_of_the_method_trains(
    corpus: Any, minute: list[str], tmp_path: Path, kinds: str, settings: list[str], terms: set[str]
) -> None:
    said(corpus, tmp_path / "exp", [*minute, "run.updates=20", *settings], kinds)
    lines = logged(tmp_path / "exp")
    losses = [name for line in lines for name in line if name.startswith("loss_")]
    assert {name.removeprefix("loss_") for name in losses} == terms
    assert all(math.isfinite(value) for line in lines for value in line.values())
    assert all(line["gradient_norm"] > 0 for line in lines)
    by_ctc = [line["loss_ctc"] for line in lines if line.get("loss_ctc", 0) > 0]
    if "l" in kinds and "ctc" in terms:
        assert sum(by_ctc[-5:]) < 0.9 * sum(by_ctc[:5])
    else:
        assert by_ctc == []
        assert lines[-1]["loss_contrastive"] < lines[0]["loss_contrastive"] + 0.5
    measure = "dev_per" if "l" in kinds and "ctc" in terms else "dev_contrastive"
    measured = [line["update"] for line in read_lines(ExpDir(tmp_path / "exp").metrics) if measure in line]
    assert measured == [len(lines) // 2, len(lines)]


def test_codebooks_and_collapse_are_watched(corpus: Any, minute: list[str], tmp_path: Path) -> None:
    said(corpus, tmp_path / "exp", minute)
    for line in logged(tmp_path / "exp"):
        assert 2 < line["code_perplexity"] < 640
        assert 0 <= line["same_code_share"] < 1


def test_what_it_learns_can_be_decoded(corpus: Any, minute: list[str], tmp_path: Path) -> None:
    notes = said(corpus, tmp_path / "exp", minute)
    model, tokens = load_recognizer(tmp_path / "exp")
    assert (tokens.symbols, model.settings.encoder.dim) == (("<blk>", "a", "e", "i", "o"), 32)
    assert notes[:3] == [
        "labelled: 6 cuts, 0.00 h; 0 outside 0.1 .. 20 s",
        "unlabelled: 6 cuts, 0.00 h; 0 outside 0.1 .. 20 s",
        "an update: 1 batch of 20 s",
    ]


def test_unlabelled_speech_is_no_use_without_a_codebook(
    corpus: Any, minute: list[str], tmp_path: Path
) -> None:
    settings = [*minute, "model.quantizer=null", "objective.alpha=1", "run.updates=3"]
    both, labelled = said(corpus, tmp_path / "both", settings), said(corpus, tmp_path / "one", settings, "l")
    assert (
        both[0] == "warning: without model.quantizer unlabelled speech has no loss; --unlabeled is not used"
    )
    assert both[1] == labelled[0]
    weights = [load_file(ExpDir(tmp_path / exp).best.weights) for exp in ("both", "one")]
    assert all(weights[0][name].equal(weights[1][name]) for name in weights[0])


def test_schedules_reach_the_model(corpus: Any, minute: list[str], tmp_path: Path) -> None:
    said(corpus, tmp_path / "exp", [*minute, "run.updates=8", "rate.warmup=0.5", "optim.lr=0.01"])
    rates = [line["rate"] for line in logged(tmp_path / "exp")]
    assert rates == pytest.approx([0.0025, 0.005, 0.0075, 0.01, 0.01, 0.0075, 0.005, 0.0025])


def test_init_takes_over_everything_of_the_same_tokens(
    corpus: Any, minute: list[str], tmp_path: Path
) -> None:
    said(corpus, tmp_path / "first", [*minute, "run.updates=1"])
    notes = said(
        corpus,
        tmp_path / "second",
        [*minute, "run.updates=1", "optim.lr=0", "run.seed=2"],
        init=tmp_path / "first",
    )
    assert f"initialised from {tmp_path / 'first' / 'best'}" in notes
    first, second = (load_file(ExpDir(tmp_path / exp).best.weights) for exp in ("first", "second"))
    assert all(first[name].equal(second[name]) for name in first)


def test_r_in_evaluation_makes_the_per_of_a_random_mix(
    corpus: Any, minute: list[str], tmp_path: Path
) -> None:
    per = {}
    for mixed in ("false", "true"):
        exp = tmp_path / mixed
        said(corpus, exp, [*minute, "replace.r=1", f"replace.in_evaluation={mixed}"])
        per[mixed] = [line["dev_per"] for line in read_lines(ExpDir(exp).metrics) if "dev_per" in line]
    # the weights are the same: validation draws for itself
    assert logged(tmp_path / "true") == logged(tmp_path / "false")
    assert per["true"] != per["false"]


def test_validating_more_often_changes_nothing(corpus: Any, minute: list[str], tmp_path: Path) -> None:
    settings = [*minute, "objective.alpha=0", "run.updates=4"]
    for times in (1, 4):
        said(corpus, tmp_path / str(times), [*settings, f"run.validations={times}"])
    seldom, often = (load_file(ExpDir(tmp_path / str(n)).checkpoint(4).weights) for n in (1, 4))
    assert all(seldom[name].equal(often[name]) for name in seldom)


def test_accumulated_batches_make_one_update(corpus: Any, minute: list[str], tmp_path: Path) -> None:
    settings = [*minute, "data.seconds_per_batch=1.5", "data.seconds_per_update=6", "run.updates=2"]
    said(corpus, tmp_path / "exp", settings)
    assert [line["speech_seconds"] > 2.5 for line in logged(tmp_path / "exp")] == [True, True]


@pytest.mark.parametrize(
    ("kinds", "settings", "complaint"),
    [
        ("", [], "nothing to pre-train on: give --labeled or --unlabeled cuts"),
        ("u", ["model.quantizer=null"], "without model.quantizer only CTC trains: give --labeled cuts"),
        ("lu", ["model.quantizer=null", "objective.alpha=0"], "without model.quantizer only CTC trains"),
        ("lu", ["replace.r=2"], "setting replace: r is a share from 0 to 1, not 2"),
        ("lu", ["run.keep=0"], "setting run: keep is at least 1, not 0"),
        ("lu", ["data.min_seconds=30"], "none of 6 cuts lasts 30 .. 20 s"),
    ],
)
def test_what_cannot_train_is_said_before_anything_is_made(
    corpus: Any, minute: list[str], tmp_path: Path, kinds: str, settings: list[str], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        said(corpus, tmp_path / "exp", [*minute, *settings], kinds)
    assert not (tmp_path / "exp").exists()


def test_development_cuts_are_needed(corpus: Any, minute: list[str], tmp_path: Path) -> None:
    for dev, complaint in (([], "give --dev"), ([corpus.unlabelled], "holds no training units")):
        with pytest.raises(ValueError, match=complaint):
            list(
                pretrain(
                    tmp_path / "exp",
                    corpus.lang_dir,
                    PretrainInputs([corpus.train], [], dev),
                    overrides=minute,
                )
            )


def test_defaults_are_the_papers() -> None:
    settings = read_settings("base", None, ["run.seed=3"])
    assert (settings.objective.alpha, settings.replace.r, settings.objective.diversity) == (0.5, 0.5, 0.1)
    assert (settings.data.min_seconds, settings.data.max_seconds) == (2.0, 20.0)
    assert settings.data.division().batches == 64
