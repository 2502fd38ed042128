"""One training from first update or last checkpoint to the end: fit, validate, save, and tell of it."""

import math
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from unispeech_cli.atomic import sweep
from unispeech_cli.batches.batch import Batch
from unispeech_cli.batches.loader import OnFault
from unispeech_cli.batches.source import Division
from unispeech_cli.paths import ExpDir
from unispeech_cli.records import Note, Progress, Records
from unispeech_cli.trainer import checkpoint
from unispeech_cli.trainer.checkpoint import Identity, Position
from unispeech_cli.trainer.distributed import Ranks
from unispeech_cli.trainer.gradients import Objective
from unispeech_cli.trainer.journal import Journal
from unispeech_cli.trainer.loop import Machine, Step, fit
from unispeech_cli.trainer.optim import OptimSettings, make_optimizer
from unispeech_cli.trainer.precision import Kind


@dataclass(frozen=True)
class RunSettings:
    """Length of a run, and what happens on its way."""

    updates: int = 200_000
    seed: int = 1
    log_every: int = 50
    # times that the development cuts are decoded, evenly over the run
    validations: int = 40
    save_every: int = 1000
    # checkpoints kept besides the best
    keep: int = 2
    # what the model computes in: bf16 on newer GPUs, fp16 (with a loss scale) on older ones
    precision: Kind = "float32"
    # keep no activations of layers, compute them again for the gradient: less memory, more time
    recompute: bool = False
    # have the transformer layers compiled (torch 2)
    compile: bool = False

    def __post_init__(self) -> None:
        for name in ("updates", "log_every", "validations", "save_every", "keep"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1, not {getattr(self, name)}")

    def logs(self, update: int) -> bool:
        """Whether an update is written down."""
        return update % self.log_every == 0 or update in (1, self.updates)

    def validates(self, update: int) -> bool:
        """Whether a validation falls on an update: evenly spaced, the last one at the end."""
        return update * self.validations // self.updates > (update - 1) * self.validations // self.updates

    def saves(self, update: int) -> bool:
        """Whether a checkpoint falls on an update: with every validation, and in between."""
        return self.validates(update) or update % self.save_every == 0


@dataclass(frozen=True)
class Training:
    """All that one training is made of."""

    stage: str
    run: RunSettings
    optim: OptimSettings
    model: nn.Module
    objective: Objective
    # batches from a number of consumed ones on; faults go to the callback
    batches: Callable[[int, OnFault], Iterator[Batch | None]]
    # how an update is divided into batches, over all ranks
    division: Division
    # moves what is on a schedule to an update, returns the learning rate
    before_update: Callable[[int], float]
    # the figure that the best checkpoint has least of, by name, and the same on every rank
    measure: str
    validate: Callable[[OnFault], float]
    identity: Identity
    machine: Machine

    @property
    def ranks(self) -> Ranks:
        return self.machine.ranks


def train(training: Training, experiment: ExpDir) -> Records:
    """Train to the last update, from the newest checkpoint on if there is one; the first rank alone writes.

    A validated checkpoint with the least `measure` becomes best/. The same command again continues or does
    nothing.
    """
    optimizer = make_optimizer(training.model, training.optim)
    position = yield from _resume(training, experiment, optimizer)
    if position.update >= training.run.updates:
        yield Note(f"{experiment.root} is trained: {position.update} updates; nothing to do")
        return
    journal = None
    if training.ranks.is_first:
        journal = Journal(experiment, training.stage, position.update)
        sweep(experiment.root)
    try:
        yield from _continue(training, experiment, optimizer, position, journal)
    finally:
        if journal is not None:
            journal.close()


def _continue(
    training: Training,
    experiment: ExpDir,
    optimizer: torch.optim.Optimizer,
    position: Position,
    journal: Journal | None,
) -> Records:
    run, news, pace = training.run, deque[str](), _Pace()
    for step in _steps(training, optimizer, position, news):
        batches = position.batches + training.division.batches * training.division.ranks
        scale = training.machine.precision.loss_scale.state()
        position = replace(position, update=step.update, batches=batches, loss_scale=scale)
        pace.add(step)
        if step.news:
            yield from _told(_gathered(training.ranks, news), journal)
        yield Progress(training.stage, step.update, run.updates, _line(step, pace))
        if run.logs(step.update):
            _log(step, pace, journal)
        if run.validates(step.update):
            position = yield from _validate(training, experiment, position, journal)
        if run.saves(step.update):
            _save(training, experiment, position, optimizer)
        if journal is not None and (run.logs(step.update) or run.saves(step.update)):
            journal.timing(step.update, pace.values())


def _steps(
    training: Training, optimizer: torch.optim.Optimizer, position: Position, news: deque[str]
) -> Iterator[Step]:
    return fit(
        training.model,
        training.objective,
        training.batches(position.batches, news.append),
        optimizer,
        first=position.update,
        last=training.run.updates,
        batches_per_update=training.division.batches,
        clip=training.optim.clip,
        before_update=training.before_update,
        seed=training.run.seed,
        machine=training.machine,
        on_fault=news.append,
        has_news=lambda: bool(news),
    )


def _gathered(ranks: Ranks, news: deque[str]) -> list[str]:
    """What the ranks have to tell, the others' lines marked with their number."""
    told = "\n".join(news.popleft() for _ in range(len(news)))
    marked = [("" if rank == 0 else f"rank {rank}: ", lines) for rank, lines in enumerate(ranks.texts(told))]
    return [f"warning: {mark}{line}" for mark, lines in marked for line in lines.splitlines()]


def _save(
    training: Training, experiment: ExpDir, position: Position, optimizer: torch.optim.Optimizer
) -> None:
    if training.ranks.is_first:
        place = experiment.checkpoint(position.update)
        checkpoint.save(place, training.model, position, training.identity, optimizer)
        checkpoint.prune(experiment, position.update, training.run.keep)
    training.ranks.wait()


def _validate(
    training: Training, experiment: ExpDir, position: Position, journal: Journal | None
) -> Generator[Note, None, Position]:
    faults, ranks = deque[str](), training.ranks
    training.model.eval()
    # a validation draws masks of its own, and must not move the training's
    with torch.random.fork_rng([ranks.device] if ranks.device.type == "cuda" else []):
        value = training.validate(faults.append)
    if journal is not None:
        journal.metrics(position.update, {f"dev_{training.measure}": value})
    best = position.best is None or value < position.best or math.isnan(position.best)
    text = f"{training.stage} update {position.update}: dev {training.measure} {value:.4f}"
    warnings = [line.replace("warning: ", "warning: dev: ", 1) for line in _gathered(ranks, faults)]
    # the same faults come with every validation
    known = position.best is not None
    yield from _told([*([] if known else warnings), f"{text} (best so far)" if best else text], journal)
    if best:
        position = replace(position, best=value, best_update=position.update)
        if ranks.is_first:
            checkpoint.save(experiment.best, training.model, position, training.identity)
    return position


def _resume(
    training: Training, experiment: ExpDir, optimizer: torch.optim.Optimizer
) -> Generator[Note, None, Position]:
    """The place to go on from, which the first rank chooses."""
    ranks, seconds = training.ranks, training.division.seconds
    position = Position(0, 0)
    if ranks.is_first:
        position = yield from _newest(training, experiment, optimizer)
    update = int(ranks.texts(str(position.update))[0])
    if update and not ranks.is_first:
        position = checkpoint.restore(experiment.checkpoint(update), training.model, optimizer)
    before = position.seconds_per_batch
    if update and before is not None and not math.isclose(before, seconds):
        raise ValueError(
            f"{experiment.root} was trained in batches of {before:g} s, and on {ranks} they hold "
            f"{seconds:g} s: its place in the data would be lost; go on with as many ranks as before"
        )
    training.machine.precision.loss_scale.restore(position.loss_scale)
    return replace(position, seconds_per_batch=seconds)


def _newest(
    training: Training, experiment: ExpDir, optimizer: torch.optim.Optimizer
) -> Generator[Note, None, Position]:
    updates = experiment.checkpoints()
    for update in reversed(updates):
        try:
            position = checkpoint.restore(experiment.checkpoint(update), training.model, optimizer)
        except ValueError as error:
            yield Note(f"warning: {error}; trying the checkpoint before")
            continue
        yield Note(f"continuing {experiment.root} from update {update}")
        return position
    if updates:
        raise ValueError(f"{experiment.root}: none of its checkpoints can be read; remove it to train anew")
    return Position(0, 0)


def _log(step: Step, pace: "_Pace", journal: Journal | None) -> None:
    if journal is None:
        return
    losses = {f"loss_{name}": value for name, value in step.losses.items()}
    rates = {"gradient_norm": step.gradient_norm, "rate": step.rate, "speech_seconds": step.speech}
    journal.metrics(step.update, {"loss": step.total, **losses, **step.watched, **rates})
    journal.say(f"update {step.update}: {_line(step, pace)}")


def _told(lines: Sequence[str], journal: Journal | None) -> Iterator[Note]:
    for line in lines:
        if journal is not None:
            journal.say(line)
        yield Note(line)


def _line(step: Step, pace: "_Pace") -> str:
    terms = [f"{name} {value:.3f}" for name, value in {**step.losses, **step.watched}.items()]
    return f"loss {step.total:.3f} ({' '.join(terms)}) {pace.speech_per_second:.0f} x real time"


class _Pace:
    """Sums over the updates since the training began or went on; validation is not in them."""

    def __init__(self) -> None:
        self.speech = self.padded = self.seconds = self.waited = 0.0

    @property
    def speech_per_second(self) -> float:
        return self.speech / max(self.seconds, 1e-9)

    def add(self, step: Step) -> None:
        self.speech += step.speech
        self.padded += step.padded
        self.seconds += step.seconds
        self.waited += step.waited

    def values(self) -> dict[str, float]:
        return {
            "waited_seconds": round(self.waited, 3),
            "speech_seconds_per_second": round(self.speech_per_second, 1),
            "padding_share": round(1 - self.speech / max(self.padded, 1e-9), 4),
        }
