"""One training from first update or last checkpoint to the end: fit, validate, save, and tell of it."""

import json
import math
import resource
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from unispeech_cli.atomic import write_text
from unispeech_cli.batches.batch import Batch
from unispeech_cli.batches.loader import OnFault
from unispeech_cli.paths import ExpDir
from unispeech_cli.provenance import hash_file
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
    validate: Callable[[], float]
    identity: Identity
    device: torch.device


def claim(experiment: ExpDir, settings: str, inputs: dict[str, list[Path]], init: Path | None) -> None:
    """Make the experiment directory, or see that it is this very experiment.

    Raises ValueError naming what differs: an experiment made otherwise is never trained on.
    """
    wanted = {name: {str(path): hash_file(path) for path in paths} for name, paths in inputs.items()}
    made = json.dumps({**wanted, "init": None if init is None else str(init)}, indent=2)
    if not experiment.root.exists() or not any(experiment.root.iterdir()):
        experiment.root.mkdir(parents=True, exist_ok=True)
        write_text(experiment.inputs, made)
        write_text(experiment.settings, settings)
        return
    for path, text in ((experiment.settings, settings), (experiment.inputs, made)):
        _same(path, text)


def train(training: Training, experiment: ExpDir) -> Records:
    """Train to the last update, from the newest checkpoint on if there is one.

    A validated checkpoint with the least `measure` becomes best/. The same command again continues or does nothing.
    """
    optimizer = make_optimizer(training.model, training.optim)
    torch.manual_seed(training.run.seed)
    position, notes = _resume(training, experiment, optimizer)
    yield from notes
    if position.update >= training.run.updates:
        yield Note(f"{experiment.root} is trained: {position.update} updates; nothing to do")
        return
    journal = Journal(experiment, training.stage, position.update)
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
    run, faults = training.run, deque[str]()
    steps = fit(
        training.model,
        training.objective,
        training.batches(position.batches, faults.append),
        optimizer,
        first=position.update,
        last=run.updates,
        batches_per_update=training.batches_per_update,
        clip=training.optim.clip,
        before_update=training.before_update,
        device=training.device,
    )
    speed = _Speed()
    for step in steps:
        batches = position.batches + training.batches_per_update
        position = replace(position, update=step.update, batches=batches)
        speed.add(step)
        yield from _told([f"warning: {faults.popleft()}" for _ in range(len(faults))], journal)
        yield Progress(training.stage, step.update, run.updates, _line(step, speed))
        if step.update % run.log_every == 0 or step.update in (1, run.updates):
            _log(step, speed, journal)
        if _due(step.update, run):
            position = yield from _validate(training, experiment, position, journal)
        if _due(step.update, run) or step.update % run.save_every == 0:
            place = experiment.checkpoint(step.update)
            checkpoint.save(place, training.model, position, training.identity, optimizer)
            checkpoint.prune(experiment, run.keep)


def _validate(training: Training, experiment: ExpDir, position: Position, journal: Journal) -> Iterator[Note]:  # type: ignore[misc]
    random = torch.get_rng_state()
    training.model.eval()
    value = training.validate()
    torch.set_rng_state(random)
    journal.metrics(position.update, {f"dev_{training.measure}": value})
    best = position.best is None or value < position.best or math.isnan(position.best)
    text = f"{training.stage} update {position.update}: dev {training.measure} {value:.4f}"
    yield from _told([f"{text} (best so far)" if best else text], journal)
    if best:
        position = replace(position, best=value, best_update=position.update)
        checkpoint.save(experiment.best, training.model, position, training.identity)
    return position


def _resume(
    training: Training, experiment: ExpDir, optimizer: torch.optim.Optimizer
) -> tuple[Position, list[Note]]:
    notes = []
    for update in reversed(experiment.checkpoints()):
        place = experiment.checkpoint(update)
        try:
            position = checkpoint.restore(place, training.model, optimizer)
        except ValueError as error:
            notes.append(Note(f"warning: {error}; trying the checkpoint before"))
            continue
        return position, [*notes, Note(f"continuing {experiment.root} from update {update}")]
    return Position(0, 0), notes


def _due(update: int, run: RunSettings) -> bool:
    """Whether a validation falls on this update: evenly spaced, the last one at the end."""
    return update * run.validations // run.updates > (update - 1) * run.validations // run.updates


def _log(step: Step, speed: "_Speed", journal: Journal) -> None:
    losses = {f"loss_{name}": value for name, value in step.losses.items()}
    rates = {"gradient_norm": step.gradient_norm, "rate": step.rate, "speech_seconds": step.speech}
    journal.metrics(step.update, {"loss": step.total, **losses, **step.watched, **rates})
    journal.timing(step.update, speed.values())
    journal.say(f"update {step.update}: {_line(step, speed)}")


def _told(lines: list[str], journal: Journal) -> Iterator[Note]:
    for line in lines:
        journal.say(line)
        yield Note(line)


def _line(step: Step, speed: "_Speed") -> str:
    terms = [f"{name} {value:.3f}" for name, value in {**step.losses, **step.watched}.items()]
    return f"loss {step.total:.3f} ({' '.join(terms)}) {speed.speech / max(speed.seconds, 1e-9):.0f} x real time"


class _Speed:
    """Sums since the training began or went on."""

    def __init__(self) -> None:
        self.speech = self.padded = self.seconds = self.waited = 0.0

    def add(self, step: Step) -> None:
        self.speech += step.speech
        self.padded += step.padded
        self.seconds += step.seconds
        self.waited += step.waited

    def values(self) -> dict[str, float]:
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "linux" else 1024)
        return {
            "seconds": round(self.seconds, 3),
            "waited_seconds": round(self.waited, 3),
            "speech_seconds_per_second": round(self.speech / max(self.seconds, 1e-9), 1),
            "padding_share": round(1 - self.speech / max(self.padded, 1e-9), 4),
            "peak_memory_mb": round(kilobytes / 1024),
        }


def _same(path: Path, wanted: str) -> None:
    if not path.is_file():
        raise ValueError(f"{path.parent} exists and is not an experiment (no {path.name}); choose another directory")
    found = path.read_text(encoding="utf-8")
    if found != wanted:
        pairs = zip(found.splitlines(), wanted.splitlines(), strict=False)
        was, now = next((pair for pair in pairs if pair[0] != pair[1]), ("", "more lines"))
        raise ValueError(
            f"{path.parent} was made with other {path.stem}: `{was.strip()}`, now `{now.strip()}`; "
            "give the former ones or choose another directory"
        )
