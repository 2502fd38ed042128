from pathlib import Path

import pytest
import torch
from torch import nn

from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.paths import CheckpointDir
from unispeech_cli.trainer.checkpoint import Identity, Position, read_weights, restore, save
from unispeech_cli.trainer.ema import Ema
from unispeech_cli.trainer.optim import OptimSettings, make_optimizer, set_rate

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
