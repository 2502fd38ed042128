from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from torch import Tensor

from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.paths import CheckpointDir, ExpDir, LangDir
from unispeech_cli.records import Note
from unispeech_cli.stages.finetune import FinetuneInputs, finetune, read_settings
from unispeech_cli.stages.pretrain import PretrainInputs, pretrain
from unispeech_cli.trainer.journal import read_lines
from unispeech_cli.trainer.weights import load_recognizer

# nothing hidden, nothing dropped, nothing frozen
PLAIN = (
    *(f"model.{name}_mask.probability=0" for name in ("time", "channel")),
    *(
        f"model.encoder.{name}=0"
        for name in ("dropout", "attention_dropout", "activation_dropout", "layerdrop")
    ),
    "model.input_dropout=0",
    "model.final_dropout=0",
    "freeze.frontend=false",
    "freeze.encoder=0",
)


def said(corpus: Any, exp: Path, settings: list[str], **options: Any) -> list[str]:
    inputs = FinetuneInputs([corpus.train], [corpus.dev])
    records = finetune(exp, corpus.lang_dir, inputs, overrides=settings, **options)
    return [record.text for record in records if isinstance(record, Note)]


def weights(place: CheckpointDir) -> dict[str, Tensor]:
    return dict(load_file(place.weights))


def moved(before: dict[str, Tensor], after: dict[str, Tensor], part: str) -> float:
    """The share of a part's tensors that changed."""
    names = [name for name in before if name.startswith(part)]
    return sum(not before[name].equal(after[name]) for name in names) / len(names)


@pytest.fixture(scope="module")
def pretrained(corpus: Any, minute: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    exp = tmp_path_factory.mktemp("pre") / "exp"
    inputs = PretrainInputs([corpus.train], [], [corpus.dev])
    list(pretrain(exp, corpus.lang_dir, inputs, overrides=[*minute, "run.updates=1"]))
    return exp


def test_one_batch_is_learnt_by_heart(corpus: Any, minute: list[str], tmp_path: Path) -> None:
    settings = [*minute, *PLAIN, "run.updates=120", "run.validations=1"]
    inputs = FinetuneInputs([corpus.train], [corpus.train])
    list(finetune(tmp_path / "exp", corpus.lang_dir, inputs, overrides=settings))
    lines = read_lines(ExpDir(tmp_path / "exp").metrics)
    assert lines[-1] == {"update": 120, "dev_per": 0.0}
    assert lines[-2]["loss_ctc"] < 0.1 * lines[0]["loss_ctc"]


def test_masks_and_dropout_only_slow_it_down(corpus: Any, minute: list[str], tmp_path: Path) -> None:
    said(corpus, tmp_path / "exp", [*minute, "run.updates=30"])
    losses = [line["loss_ctc"] for line in read_lines(ExpDir(tmp_path / "exp").metrics) if "loss" in line]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_the_frontend_stands_still_and_the_encoder_for_its_share(
    corpus: Any, minute: list[str], tmp_path: Path
) -> None:
    exp = ExpDir(tmp_path / "exp")
    said(corpus, exp.root, [*minute, "run.save_every=1", "run.keep=6", "freeze.encoder=0.5", "rate.warmup=0"])
    at = {update: weights(exp.checkpoint(update)) for update in exp.checkpoints()}
    assert moved(at[1], at[6], "context.frontend.") == 0
    assert moved(at[1], at[3], "context.") == 0
    assert moved(at[3], at[4], "context.encoder.") > 0.9
    assert moved(at[1], at[2], "head.") == 1


def test_nothing_stands_still_when_nothing_is_frozen(corpus: Any, minute: list[str], tmp_path: Path) -> None:
    exp = ExpDir(tmp_path / "exp")
    said(corpus, exp.root, [*minute, *PLAIN, "run.save_every=1", "run.updates=2"])
    first, second = weights(exp.checkpoint(1)), weights(exp.checkpoint(2))
    assert moved(first, second, "context.frontend.") == 1
    assert moved(first, second, "context.encoder.layers.") == 1


def test_init_gives_its_encoder_and_the_head_is_new_for_other_tokens(
    corpus: Any, minute: list[str], pretrained: Path, tmp_path: Path
) -> None:
    # another order: as many tokens, but the head's columns mean others
    TokenTable(("<blk>", "o", "i", "e", "a")).write(LangDir(tmp_path / "lang").tokens)
    inputs = FinetuneInputs([corpus.train], [corpus.dev])
    # the architecture comes from --init, not from these
    settings = [line for line in minute if not line.startswith("model.")]
    settings += ["run.updates=1", "freeze.encoder=1"]
    exp = tmp_path / "exp"
    records = finetune(exp, tmp_path / "lang", inputs, overrides=settings, init=pretrained)
    notes = [record.text for record in records if isinstance(record, Note)]
    best = pretrained / "best"
    assert f"initialised from {best}; new: head" in notes
    assert "left behind: project_codes, project_target, quantizer" in notes
    before, after = weights(CheckpointDir(best)), weights(ExpDir(exp).best)
    assert moved({name: before[name] for name in after}, after, "context.") == 0
    assert moved({name: before[name] for name in after}, after, "head.") == 1
    assert load_recognizer(exp)[1].symbols == ("<blk>", "o", "i", "e", "a")


def test_architecture_comes_from_init_and_training_habits_do_not(pretrained: Path) -> None:
    settings = read_settings("base", None, ["model.encoder.dropout=0.3"], pretrained)
    encoder = settings.model.encoder
    assert (settings.model.frontend.channels, encoder.dim, encoder.position_kernel) == (16, 32, 8)
    assert (encoder.dropout, encoder.layerdrop, encoder.activation_dropout) == (0.3, 0.1, 0.1)


def test_one_setting_does_not_undo_the_defaults_of_finetuning() -> None:
    settings = read_settings("base", None, ["optim.lr=1e-4", "rate.warmup=0.2", "data.workers=0"], None)
    assert (settings.optim.eps, settings.optim.weight_decay) == (1e-8, 0.0)
    assert (settings.rate.shape, settings.data.max_seconds) == ("tri-stage", 60.0)


def test_an_encoder_of_other_settings_is_refused_and_leaves_no_experiment(
    corpus: Any, minute: list[str], pretrained: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"best: context.encoder.* is \(64, 32\), not \(16, 32\)"):
        said(corpus, tmp_path / "exp", [*minute, "model.encoder.ffn_dim=16"], init=pretrained)
    assert not (tmp_path / "exp").exists()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"preset": "huge"}, "--preset huge: known are tiny, base, large"),
        ({"device": "cuda:99"}, "device cuda:99 does not work here"),
        ({"init": Path("nowhere")}, "nowhere holds no checkpoint"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_made(
    corpus: Any, minute: list[str], tmp_path: Path, change: dict[str, Any], complaint: str
) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=complaint):
        said(corpus, tmp_path / "exp", minute, **change)
    assert not (tmp_path / "exp").exists()


def test_tokens_of_another_inventory_are_refused_for_train_and_dev(
    corpus: Any, minute: list[str], tones: Callable[..., Path], tmp_path: Path
) -> None:
    TokenTable(("<blk>", "a", "e", "i")).write(LangDir(tmp_path / "lang").tokens)
    fitting = tones(tmp_path / "fits.jsonl", ["a e i"])
    for train, dev in ((corpus.train, fitting), (fitting, corpus.dev)):
        with pytest.raises(ValueError, match=r"cv-es_cuts_(train|dev).jsonl.gz: not in the token table: o;"):
            list(
                finetune(
                    tmp_path / "exp", tmp_path / "lang", FinetuneInputs([train], [dev]), overrides=minute
                )
            )
