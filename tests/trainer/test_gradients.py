"""A batch that fails: split where memory runs out, told where a number is none, and nothing of it left."""

import pytest
import torch
from torch import Tensor

from unispeech_cli.batches.batch import Batch, Example, collate
from unispeech_cli.model.recognizer import Recognition
from unispeech_cli.objective.unispeech import CtcObjective
from unispeech_cli.trainer.gradients import Outcome, add_gradients, outcomes
from unispeech_cli.trainer.loop import Machine, fit
from unispeech_cli.trainer.precision import Precision


class Narrow(torch.nn.Module):
    """Frames of 400 samples, each of them a logit; room for so many samples at once."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.weight, self.unused = torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(2))
        self.room = room

    def forward(self, wave_BS: Tensor, wave_lengths_B: Tensor, *, seeds: tuple[int, ...]) -> Recognition:
        if wave_BS.numel() > self.room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return Recognition(wave_BS.unfold(1, 400, 400)[:, :, :1] * self.weight, wave_lengths_B // 400)


def four(value: float = 1.0) -> Batch:
    waves = [torch.linspace(0.1, value, 2000 + 400 * n) for n in range(4)]
    return collate([Example(f"cut-{n}", "", wave, torch.tensor([1 + n % 2])) for n, wave in enumerate(waves)])


def tried(room: int, batch: Batch) -> tuple[list[Outcome], list[str], Narrow]:
    model, told = Narrow(room), list[str]()
    weights = dict(model.named_parameters())
    precision = Precision("float32", torch.device("cpu"))
    found = []
    for outcome in outcomes(model, CtcObjective(), precision, weights, batch, told.append):
        add_gradients(weights, outcome.gradients)
        found.append(outcome)
    return found, told, model


def test_where_memory_runs_out_the_halves_give_the_gradient_of_the_whole() -> None:
    (whole,), quiet, expected = tried(100_000, four())
    halves, told, model = tried(7_000, four())
    assert quiet == [] and told == ["out of memory, tried again in halves: cut-0, cut-1, cut-2, cut-3"]
    assert [outcome.batch.cut_ids for outcome in halves] == [("cut-0", "cut-1"), ("cut-2", "cut-3")]
    # the first half has no padding for the second
    assert halves[0].batch.wave_BS.shape == (2, 2400)
    torch.testing.assert_close(model.weight.grad, expected.weight.grad)
    assert model.unused.grad is expected.unused.grad is None
    assert sum(float(outcome.losses.count) for outcome in halves) == float(whole.losses.count) == 4


def test_a_half_for_which_there_is_no_room_is_left_out() -> None:
    (first,), told, _ = tried(5_000, four())
    assert first.batch.cut_ids == ("cut-0", "cut-1")
    assert told[1] == "out of memory, left out: cut-2, cut-3; a smaller data.seconds_per_batch helps"
    none, told, model = tried(1_000, four().rows(3, 4))
    assert none == [] and told == ["out of memory, left out: cut-3; a smaller data.seconds_per_batch helps"]
    assert model.weight.grad is None


def test_what_is_no_number_is_a_fault_with_its_cuts() -> None:
    (outcome,), _, model = tried(100_000, four(float("nan")))
    assert (outcome.losses, outcome.gradients, model.weight.grad) == (None, (), None)
    assert outcome.fault is not None and outcome.fault.what == "loss ctc is nan"
    assert outcome.fault.cuts == ("cut-0", "cut-1", "cut-2", "cut-3")


def test_one_such_batch_costs_the_update() -> None:
    model, batches = Narrow(100_000), [four(), four(float("nan")), four(), four()]
    steps = fit(
        model,
        CtcObjective(),
        iter(batches),
        torch.optim.SGD(model.parameters(), lr=0.0),
        first=0,
        last=2,
        batches_per_update=2,
        clip=1.0,
        before_update=lambda update: 1.0,
        seed=1,
        machine=Machine.alone(),
    )
    step = next(steps)
    assert (step.skipped, step.faulty, len(step.faults), step.gradient_norm) == (True, 1, 1, 0.0)
    assert model.weight.tolist() == [1, 1, 1] and model.weight.grad is None
    # what was heard without a fault is told all the same
    assert step.losses["ctc"] > 0 and step.speech == pytest.approx(four().seconds)
    step = next(steps)
    assert (step.skipped, step.faults) == (False, ()) and model.weight.tolist() != [1, 1, 1]


def test_no_other_error_is_taken_for_a_lack_of_memory() -> None:
    model, batch = Narrow(100_000), four()
    model.weight = torch.nn.Parameter(torch.ones(2, 2, 2, 2, 2))
    precision = Precision("float32", torch.device("cpu"))
    with pytest.raises(RuntimeError):
        list(outcomes(model, CtcObjective(), precision, {"weight": model.weight}, batch, print))
