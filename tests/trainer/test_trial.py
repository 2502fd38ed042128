from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from unispeech_cli.batches.batch import Batch
from unispeech_cli.batches.source import Source
from unispeech_cli.batches.worst import worst_batches
from unispeech_cli.frames import ctc_frames_needed, num_frames
from unispeech_cli.objective.unispeech import Losses
from unispeech_cli.trainer.guard import GuardSettings
from unispeech_cli.trainer.loop import Machine
from unispeech_cli.trainer.trial import made_up, try_batches

CPU = torch.device("cpu")


class Narrow(nn.Module):
    """A model with room for so many samples at once, and as torch says it when there is no more."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.weight, self.room = nn.Parameter(torch.ones(())), room
        self.seen: list[tuple[int, ...]] = []

    def forward(self, wave_BS: Tensor, wave_lengths_B: Tensor, seeds: Sequence[int] = ()) -> Tensor:
        self.seen.append(tuple(wave_BS.shape))
        if wave_BS.numel() > self.room:
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp:66] DefaultCPUAllocator: can't allocate memory"
            )
        return self.weight * wave_BS.sum()


class Sum:
    terms, watched = ("sum",), ()

    def __call__(self, output: Tensor, batch: Batch) -> Losses:
        return Losses({"sum": output}, torch.tensor(1.0), {})


def source(*seconds: float, labelled: bool = True) -> Source:
    places = np.zeros((len(seconds), 2), dtype=np.int32)
    return Source((), labelled, None, places, np.array(seconds, dtype=np.float32), 0)


def tried(room: int) -> Narrow:
    model = Narrow(room)
    worst = made_up(GuardSettings(try_batches=True), [source(0.5, 2.0)], 4.0, 5, CPU)
    try_batches(worst, model, Sum(), torch.optim.AdamW(model.parameters()), Machine.alone())
    return model


def test_the_largest_batches_are_of_the_longest_and_of_the_shortest_cuts() -> None:
    sources = [source(0.5, 2.0), source(1.0, 3.0, labelled=False)]
    (name, longest), (other, most) = worst_batches(sources, 7.0, 5)
    assert (name, tuple(longest.wave_BS.shape)) == ("2 cuts of 3.0 s", (2, 48_000))
    assert (other, tuple(most.wave_BS.shape)) == ("14 cuts of 0.5 s", (14, 8_000))
    assert bool(longest.labelled_B.all())
    # labels that CTC can align
    assert ctc_frames_needed(longest.token_BL[0].tolist()) <= num_frames(48_000)
    assert not next(worst_batches([source(30.0, labelled=False)], 7.0, 5))[1].labelled_B.any()


def test_what_fits_is_tried_once_and_leaves_nothing() -> None:
    model = tried(room=64_000)
    assert model.seen == [(2, 32_000), (8, 8_000)]
    assert model.weight.grad is None and model.weight.item() == 1.0


def test_what_does_not_fit_is_named_with_its_setting() -> None:
    with pytest.raises(
        ValueError, match=r"batch of 2 cuts of 2.0 s does not fit .* lower data.seconds_per_batch"
    ):
        tried(room=63_999)


def test_it_is_for_gpus_unless_it_is_asked_for() -> None:
    assert made_up(GuardSettings(), [source(1.0)], 4.0, 5, CPU) == []
    assert len(made_up(GuardSettings(), [source(1.0)], 4.0, 5, torch.device("cuda"))) == 2
    assert made_up(GuardSettings(try_batches=False), [source(1.0)], 4.0, 5, torch.device("cuda")) == []
