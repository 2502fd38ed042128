"""`fit`: the one training loop, a generator of step records. It knows neither the model nor the objective."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unispeech_cli.batches.batch import Batch
from unispeech_cli.chance import mixed
from unispeech_cli.trainer.distributed import ALONE, Exchange, Ranks
from unispeech_cli.trainer.gradients import Objective, OnFault, Outcome, add_gradients, outcomes
from unispeech_cli.trainer.guard import Fault
from unispeech_cli.trainer.optim import set_rate
from unispeech_cli.trainer.precision import Precision


@dataclass(frozen=True)
class Step:
    """One optimiser update, over all ranks."""

    # counted from 1: this many updates are done
    update: int
    # per counted unit (masked frame, or utterance); `total` is their sum
    losses: dict[str, float]
    total: float
    watched: dict[str, float]
    # before clipping; 0 where nothing was done
    gradient_norm: float
    rate: float
    # seconds of speech, of padding and speech, and of this rank's clock
    speech: float
    padded: float
    seconds: float
    waited: float
    # the weights stay as they were: a loss or gradient was not finite, or there was nothing to learn from
    skipped: bool
    # batches of this rank with a loss or gradient that is not finite, and their number on all ranks
    faults: tuple[Fault, ...]
    faulty: int
    # some rank was asked to stop; some rank has something to tell
    stop: bool
    news: bool


@dataclass(frozen=True)
class Machine:
    """On what a loop runs: this process among its ranks, and the numbers that it computes in."""

    ranks: Ranks
    precision: Precision
    # what the objective sums over ranks in every round of batches
    exchange: Exchange

    @classmethod
    def alone(cls, device: torch.device = ALONE.device) -> "Machine":
        """One process in float32."""
        ranks = Ranks(0, 1, device)
        return cls(ranks, Precision("float32", device), Exchange(ranks, 0))


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
    seed: int,
    machine: Machine,
    on_fault: OnFault = print,
    asked_to_stop: Callable[[], bool] = lambda: False,
    has_news: Callable[[], bool] = lambda: False,
) -> Iterator[Step]:
    """Train from update `first` (done so far) to `last`, yielding after each.

    `before_update(update)` moves whatever is on a schedule and returns the learning rate. The loss of an
    update is the sum over the batches of all ranks divided once by the sum of their counts. Every draw is a
    function of (seed, update, cut id), but for dropout and the like: of (seed, update, rank).
    """
    ranks = machine.ranks
    for update in range(first, last):
        model.train()
        rate = before_update(update)
        set_rate(optimizer, rate)
        torch.manual_seed(mixed(seed, update, ranks.rank))
        trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        tally = _Tally(objective)
        for _ in range(batches_per_update):
            batch = tally.next_batch(batches)
            with machine.exchange.round():
                if batch is not None:
                    batch = batch.to(ranks.device).seeded(seed, update)
                    for outcome in outcomes(model, objective, machine.precision, trained, batch, on_fault):
                        add_gradients(trained, outcome.gradients)
                        tally.add(outcome)
        tally.share(ranks, asked_to_stop(), has_news())
        norm = _apply(list(trained.values()), optimizer, tally, clip, machine)
        yield tally.step(update + 1, norm, rate)


def _apply(
    trained: Sequence[nn.Parameter],
    optimizer: torch.optim.Optimizer,
    tally: "_Tally",
    clip: float,
    machine: Machine,
) -> float | None:
    """Divide the summed gradients by the count, clip, step. Returns the norm before clipping, None where not."""
    scale, norm, overflow = machine.precision.loss_scale, math.nan, tally.overflows > 0
    if not (overflow or tally.faulty) and tally.count:
        machine.ranks.sum_gradients(trained)
        divisor = tally.count * scale.value
        for weight in trained:
            weight.grad /= divisor
        norm = float(torch.nn.utils.clip_grad_norm_(trained, clip))
        overflow = not math.isfinite(norm)
        if not overflow:
            optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    if (tally.count or overflow) and not tally.faulty:
        scale.learn(overflow)
    return norm if math.isfinite(norm) else None


class _Tally:
    """Sums over the batches of one update: first of this rank, after `share` of all."""

    def __init__(self, objective: Objective) -> None:
        self._started, self.waited = time.perf_counter(), 0.0
        self._terms, self._watched = tuple(objective.terms), tuple(objective.watched)
        self._count: list[Tensor] = []
        self._figures: dict[str, list[Tensor]] = {name: [] for name in (*self._terms, *self._watched)}
        self._losses, self._means = dict[str, float](), dict[str, float]()
        self.faults: list[Fault] = []
        self.count = self.speech = self.padded = self.faulty = self.overflows = self.stops = self.news = 0.0

    def next_batch(self, batches: Iterator[Batch | None]) -> Batch | None:
        started = time.perf_counter()
        batch = next(batches)
        self.waited += time.perf_counter() - started
        return batch

    def add(self, outcome: Outcome) -> None:
        self.overflows += outcome.overflow
        if outcome.fault is not None:
            self.faults.append(outcome.fault)
        if outcome.losses is None:
            return
        self.speech += outcome.batch.seconds
        self.padded += outcome.batch.padded_seconds
        self._count.append(outcome.losses.count)
        for name, value in (*outcome.losses.terms.items(), *outcome.losses.watched.items()):
            self._figures[name].append(value.detach())

    def share(self, ranks: Ranks, stop: bool, news: bool) -> None:
        """Sum over ranks, in one go."""
        self.faulty = float(len(self.faults))
        flags = self.faulty, self.overflows, float(stop), float(news)
        own = [_sum(self._count), self.speech, self.padded, *flags]
        sums = [_sum(values) for values in self._figures.values()]
        numbers = [float(len(values)) for values in self._figures.values()]
        every = ranks.totals([*own, *sums, *numbers])
        self.count, self.speech, self.padded = every[:3]
        self.faulty, self.overflows, self.stops, self.news = every[3:7]
        figures = zip(every[len(own) :], every[len(own) + len(sums) :], strict=False)
        found = {name: pair for name, pair in zip(self._figures, figures, strict=True) if pair[1] > 0}
        self._losses = {name: found[name][0] / max(self.count, 1.0) for name in self._terms if name in found}
        self._means = {name: found[name][0] / found[name][1] for name in self._watched if name in found}

    def step(self, update: int, norm: float | None, rate: float) -> Step:
        return Step(
            update=update,
            losses=self._losses,
            total=sum(self._losses.values()),
            watched=self._means,
            gradient_norm=norm or 0.0,
            rate=rate,
            speech=self.speech,
            padded=self.padded,
            seconds=time.perf_counter() - self._started,
            waited=self.waited,
            skipped=norm is None,
            faults=tuple(self.faults),
            faulty=int(self.faulty),
            stop=self.stops > 0,
            news=self.news > 0,
        )


def _sum(values: Sequence[Tensor]) -> float:
    return float(torch.stack(list(values)).sum()) if values else 0.0
