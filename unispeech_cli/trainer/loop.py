"""`fit`: the one training loop, a generator of step records. It knows neither the model nor the objective."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from unispeech_cli.batches.batch import Batch
from unispeech_cli.objective.unispeech import Losses
from unispeech_cli.trainer.optim import set_rate

Objective = Callable[..., Losses]


@dataclass(frozen=True)
class Step:
    """One optimiser update."""

    # counted from 1: this many updates are done
    update: int
    # per counted unit (masked frame, or utterance); `total` is their sum
    losses: dict[str, float]
    total: float
    watched: dict[str, float]
    gradient_norm: float
    rate: float
    # seconds of speech, of padding and speech, and of the clock
    speech: float
    padded: float
    seconds: float
    waited: float


def fit(
    model: nn.Module,
    objective: Objective,
    batches: Iterator[Batch | None],
    optimizer: torch.optim.Optimizer,
    *,
    first: int,
    last: int,
    batches_per_update: int,
    clip: float,
    before_update: Callable[[int], float],
    device: torch.device,
) -> Iterator[Step]:
    """Train from update `first` (done so far) to `last`, yielding after each.

    `before_update(update)` moves whatever is on a schedule and returns the learning rate. The loss of an
    update is the sum over its batches divided once by the sum of their counts.
    """
    for update in range(first, last):
        model.train()
        rate = before_update(update)
        set_rate(optimizer, rate)
        tally = _Tally()
        for _ in range(batches_per_update):
            batch = tally.next_batch(batches)
            if batch is not None:
                _accumulate(model, objective, batch.to(device), tally)
        norm = _apply(model, optimizer, tally.count, clip)
        yield tally.step(update + 1, norm, rate)


def _accumulate(model: nn.Module, objective: Objective, batch: Batch, tally: "_Tally") -> None:
    losses = objective(model(batch.wave_BS, batch.wave_lengths_B), batch)
    losses.total.backward()
    tally.add(losses, batch)


def _apply(model: nn.Module, optimizer: torch.optim.Optimizer, count: float, clip: float) -> float:
    """Divide the summed gradients by the count, clip, step. Returns the norm before clipping."""
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    for gradient in gradients:
        gradient /= max(count, 1.0)
    norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), clip))
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return norm


class _Tally:
    """Sums over the batches of one update."""

    def __init__(self) -> None:
        self.count = self.speech = self.padded = self.waited = 0.0
        self._started = time.perf_counter()
        self._terms: dict[str, float] = defaultdict(float)
        self._watched: dict[str, list[float]] = defaultdict(list)

    def next_batch(self, batches: Iterator[Batch | None]) -> Batch | None:
        started = time.perf_counter()
        batch = next(batches)
        self.waited += time.perf_counter() - started
        return batch

    def add(self, losses: Losses, batch: Batch) -> None:
        self.count += float(losses.count)
        self.speech += batch.seconds
        self.padded += batch.padded_seconds
        for name, term in losses.terms.items():
            self._terms[name] += float(term.detach())
        for name, value in losses.watched.items():
            self._watched[name].append(value)

    def step(self, update: int, norm: float, rate: float) -> Step:
        losses = {name: value / max(self.count, 1.0) for name, value in self._terms.items()}
        watched = {name: sum(values) / len(values) for name, values in self._watched.items()}
        seconds = time.perf_counter() - self._started
        return Step(
            update=update,
            losses=losses,
            total=sum(losses.values()),
            watched=watched,
            gradient_norm=norm,
            rate=rate,
            speech=self.speech,
            padded=self.padded,
            seconds=seconds,
            waited=self.waited,
        )
