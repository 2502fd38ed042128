"""One training from first update or last checkpoint to the end: fit, validate, save, and tell of it."""

import math
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace

import torch
from torch import nn

from unispeech_cli.atomic import sweep
from unispeech_cli.batches.batch import Batch
from unispeech_cli.batches.loader import OnFault
from unispeech_cli.paths import ExpDir
from unispeech_cli.records import Note, Progress, Records
from unispeech_cli.trainer import checkpoint
from unispeech_cli.trainer.checkpoint import Identity, Position
from unispeech_cli.trainer.journal import Journal
from unispeech_cli.trainer.loop import Objective, Step, fit
from unispeech_cli.trainer.optim import OptimSettings, make_optimizer


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
    batches_per_update: int
    # moves what is on a schedule to an update, returns the learning rate
    before_update: Callable[[int], float]
    # the figure that the best checkpoint has least of, by name
    measure: str
    validate: Callable[[OnFault], float]
    identity: Identity
    device: torch.device


def train(training: Training, experiment: ExpDir) -> Records:
    """Train to the last update, from the newest checkpoint on if there is one.

    A validated checkpoint with the least `measure` becomes best/. The same command again continues or does
    nothing.
    """
    optimizer = make_optimizer(training.model, training.optim)
    torch.manual_seed(training.run.seed)
    position = yield from _resume(training, experiment, optimizer)
    if position.update >= training.run.updates:
        yield Note(f"{experiment.root} is trained: {position.update} updates; nothing to do")
        return
    journal = Journal(experiment, training.stage, position.update)
    sweep(experiment.root)
    try:
        yield from _continue(training, experiment, optimizer, position, journal)
    finally:
        journal.close()


def _continue(
    training: Training,
    experiment: ExpDir,
    optimizer: torch.optim.Optimizer,
    position: Position,
    journal: Journal,
) -> Records:
    run, faults, pace = training.run, deque[str](), _Pace()
    for step in _steps(training, optimizer, position, faults.append):
        batches = position.batches + training.batches_per_update
        position = replace(position, update=step.update, batches=batches)
        pace.add(step)
        yield from _told([f"warning: {faults.popleft()}" for _ in range(len(faults))], journal)
        yield Progress(training.stage, step.update, run.updates, _line(step, pace))
        if run.logs(step.update):
            _log(step, pace, journal)
        if run.validates(step.update):
            position = yield from _validate(training, experiment, position, journal)
        if run.saves(step.update):
            place = experiment.checkpoint(step.update)
            checkpoint.save(place, training.model, position, training.identity, optimizer)
            checkpoint.prune(experiment, step.update, run.keep)
        if run.logs(step.update) or run.saves(step.update):
            journal.timing(step.update, pace.values())


def _steps(
    training: Training, optimizer: torch.optim.Optimizer, position: Position, on_fault: OnFault
) -> Iterator[Step]:
    return fit(
        training.model,
        training.objective,
        training.batches(position.batches, on_fault),
        optimizer,
        first=position.update,
        last=training.run.updates,
        batches_per_update=training.batches_per_update,
        clip=training.optim.clip,
        before_update=training.before_update,
        device=training.device,
    )


def _validate(
    training: Training, experiment: ExpDir, position: Position, journal: Journal
) -> Generator[Note, None, Position]:
    faults: list[str] = []
    training.model.eval()
    # a validation draws masks of its own, and must not move the training's
    with torch.random.fork_rng([training.device] if training.device.type == "cuda" else []):
        value = training.validate(faults.append)
    journal.metrics(position.update, {f"dev_{training.measure}": value})
    best = position.best is None or value < position.best or math.isnan(position.best)
    text = f"{training.stage} update {position.update}: dev {training.measure} {value:.4f}"
    # the same faults come with every validation
    warnings = [f"warning: dev: {fault}" for fault in faults] if position.best is None else []
    yield from _told([*warnings, f"{text} (best so far)" if best else text], journal)
    if best:
        position = replace(position, best=value, best_update=position.update)
        checkpoint.save(experiment.best, training.model, position, training.identity)
    return position


def _resume(
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


def _log(step: Step, pace: "_Pace", journal: Journal) -> None:
    losses = {f"loss_{name}": value for name, value in step.losses.items()}
    rates = {"gradient_norm": step.gradient_norm, "rate": step.rate, "speech_seconds": step.speech}
    journal.metrics(step.update, {"loss": step.total, **losses, **step.watched, **rates})
    journal.say(f"update {step.update}: {_line(step, pace)}")


def _told(lines: list[str], journal: Journal) -> Iterator[Note]:
    for line in lines:
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
