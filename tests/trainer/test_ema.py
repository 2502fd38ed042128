import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from unispeech_cli.batches.loader import open_held_out
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.paths import CheckpointDir, ExpDir
from unispeech_cli.records import Note
from unispeech_cli.scorer.validation import error_rate
from unispeech_cli.stages.finetune import FinetuneInputs, finetune
from unispeech_cli.stages.pretrain import PretrainInputs, pretrain
from unispeech_cli.trainer.checkpoint import Identity, Position, read_weights, restore, save
from unispeech_cli.trainer.ema import Ema
from unispeech_cli.trainer.journal import read_lines
from unispeech_cli.trainer.optim import OptimSettings, make_optimizer, set_rate
from unispeech_cli.trainer.weights import load_recognizer

IDENTITY = Identity("model: {}\n", TokenTable(("<blk>", "a")))


class Model(nn.Module):
    """A weight that trains, one that does not, and a buffer of whole numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.free = nn.Parameter(torch.tensor([1.0, -2.0]))
        self.frozen = nn.Parameter(torch.tensor([5.0]), requires_grad=False)
        self.register_buffer("steps", torch.tensor(0))


def train(model: Model, ema: Ema, optimizer: torch.optim.Optimizer, first: int, last: int) -> None:
    set_rate(optimizer, 0.1)
    for update in range(first, last):
        optimizer.zero_grad()
        (model.free**2 * (update + 1)).sum().backward()
        optimizer.step()
        model.steps += 1
        ema.follow(update + 1)


@pytest.mark.parametrize("decay", [0.9, 0.15])
def test_it_is_the_average_computed_by_hand(decay: float) -> None:
    model = Model()
    ema, weights = Ema(model, decay), [model.free.detach().clone()]
    for update in range(1, 8):
        with torch.no_grad():
            model.free += torch.tensor([0.5, -0.25]) * update
            model.steps += 1
        ema.follow(update)
        weights.append(model.free.detach().clone())
    expected = weights[0].double()
    for update, weight in enumerate(weights[1:], 1):
        # 2/11, 3/12, 4/13 ... until the decay asked for is less
        kept = min(decay, [2 / 11, 3 / 12, 4 / 13, 5 / 14, 6 / 15, 7 / 16, 8 / 17][update - 1])
        expected = kept * expected + (1 - kept) * weight.double()
    assert torch.allclose(ema.shadow["free"].double(), expected, rtol=1e-6)
    assert ema.shadow["frozen"] == 5.0
    assert ema.shadow["steps"] == 7


def test_the_model_wears_it_and_gets_its_own_weights_back_bit_for_bit() -> None:
    model = Model()
    ema = Ema(model, 0.99)
    train(model, ema, make_optimizer(model, OptimSettings()), 0, 3)
    own = {name: value.clone() for name, value in model.state_dict().items()}
    average = ema.shadow["free"].clone()
    assert not torch.equal(average, own["free"])
    with pytest.raises(RuntimeError, match="within"), ema.worn():
        assert torch.equal(model.free, average)
        raise RuntimeError("within")
    assert all(torch.equal(value, own[name]) for name, value in model.state_dict().items())
    assert torch.equal(ema.shadow["free"], average)


def test_saved_and_restored_it_goes_on_bit_for_bit(tmp_path: Path) -> None:
    model, place = Model(), CheckpointDir(tmp_path / "checkpoint-3")
    ema, optimizer = Ema(model, 0.9), make_optimizer(model, OptimSettings())
    train(model, ema, optimizer, 0, 3)
    save(place, model, Position(3, 3), IDENTITY, optimizer, ema.shadow)
    # what others read is the average
    assert torch.equal(read_weights(place)["free"], ema.shadow["free"])
    train(model, ema, optimizer, 3, 6)
    again = Model()
    resumed, optimizer = Ema(again, 0.9), make_optimizer(again, OptimSettings())
    restore(place, again, optimizer, resumed.shadow)
    assert torch.equal(again.steps, torch.tensor(3))
    train(again, resumed, optimizer, 3, 6)
    for left, right in ((model.state_dict(), again.state_dict()), (ema.shadow, resumed.shadow)):
        assert left is not None and right is not None
        assert all(torch.equal(value, right[name]) for name, value in left.items())


def test_a_training_validates_and_keeps_it_and_resumes_it_bit_for_bit(
    corpus: Any, minute: list[str], tmp_path: Path
) -> None:
    settings = [*minute, "optim.ema=0.5", "run.keep=9", "run.validations=3"]

    def train(exp: ExpDir) -> list[str]:
        inputs = FinetuneInputs([corpus.train], [corpus.dev])
        records = finetune(exp.root, corpus.lang_dir, inputs, overrides=settings)
        return [record.text for record in records if isinstance(record, Note)]

    whole, resumed = ExpDir(tmp_path / "whole"), ExpDir(tmp_path / "resumed")
    train(whole)
    shutil.copytree(whole.root, resumed.root)
    shutil.rmtree(resumed.checkpoint(6).root)
    assert f"continuing {resumed.root} from update 4" in train(resumed)
    for place in ("checkpoint-6", "best"):
        for path in (whole.root / place).iterdir():
            assert path.read_bytes() == (resumed.root / place / path.name).read_bytes()
    assert whole.metrics.read_bytes() == resumed.metrics.read_bytes()
    last = whole.checkpoint(6)
    assert not torch.equal(load_file(last.weights)["head.weight"], load_file(last.trained)["head.weight"])
    model, tokens = load_recognizer(whole.root)
    best = int(json.loads(whole.best.state.read_text())["position"]["best_update"])
    assert torch.equal(model.head.weight, load_file(whole.checkpoint(best).weights)["head.weight"])
    assert not whole.best.trained.exists()
    # what was validated is the average
    held_out = open_held_out([corpus.dev], tokens, 20.0)
    heard = error_rate(model.recognize, held_out.batches(torch.device("cpu"), print)).fraction
    figures = [
        line["dev_per"] for line in read_lines(whole.metrics) if line["update"] == best and "dev_per" in line
    ]
    assert figures == [heard]


def test_training_is_the_same_with_it_and_validation_is_not(
    corpus: Any, minute: list[str], tmp_path: Path
) -> None:
    def curves(name: str, *more: str) -> list[dict[str, Any]]:
        inputs = PretrainInputs([], [corpus.unlabelled], [corpus.dev])
        settings = [*minute, "objective.alpha=0", "run.updates=2", "run.validations=1", *more]
        list(pretrain(tmp_path / name, corpus.lang_dir, inputs, overrides=settings))
        return read_lines(ExpDir(tmp_path / name).metrics)

    plain, averaged = curves("plain"), curves("averaged", "optim.ema=0.9")
    assert plain[:2] == averaged[:2]
    assert plain[2]["dev_contrastive"] != averaged[2]["dev_contrastive"]
