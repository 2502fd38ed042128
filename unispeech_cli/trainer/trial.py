"""Whether the largest batches fit into memory, found out before the first update and not on the third day."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from unispeech_cli.batches.batch import Batch
from unispeech_cli.batches.source import Source
from unispeech_cli.batches.worst import worst_batches
from unispeech_cli.trainer.gradients import Objective, outcomes
from unispeech_cli.trainer.guard import GuardSettings
from unispeech_cli.trainer.loop import Machine


@dataclass(frozen=True)
class Worst:
    """A batch that none of its kind goes beyond, in a few words: `5 cuts of 15 s`."""

    name: str
    batch: Batch


def made_up(
    settings: GuardSettings, sources: Sequence[Source], seconds: float, tokens: int, device: torch.device
) -> list[Worst]:
    """The batches to try: of the most and the longest cuts that `seconds` hold; none where it is not asked for."""
    if not settings.tries_batches(device):
        return []
    return [Worst(*named) for named in worst_batches(sources, seconds, tokens)]


def try_batches(
    worst: Sequence[Worst],
    model: nn.Module,
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    machine: Machine,
) -> None:
    """Forwards and backwards through each, without a step, beside as much as the optimiser and gradients will take.

    All ranks at once. Raises ValueError where memory runs out on any.
    """
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    # gradients, and the two moments of Adam where it has none yet
    held = (
        [torch.empty_like(w) for w in trained.values() for _ in range(3 - 2 * bool(optimizer.state))]
        if worst
        else []
    )
    model.train()
    for tried in worst:
        told: list[str] = []
        batch = tried.batch.to(machine.ranks.device).seeded(0, 0)
        with machine.exchange.round():
            for _ in outcomes(model, objective, machine.precision, trained, batch, told.append):
                pass
        if machine.ranks.any(bool(told)):
            raise ValueError(
                f"a batch of {tried.name} does not fit into the memory of {machine.ranks.device}: a lower "
                "data.seconds_per_batch (data.seconds_per_update may stay: more batches then make an update)"
            )
    del held
