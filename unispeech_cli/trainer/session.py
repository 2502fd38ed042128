"""One training from first update or last checkpoint to the end: fit, validate, save, and tell of it."""

import math
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from unispeech_cli.batches.batch import Batch
from unispeech_cli.batches.loader import OnFault, readers_alive
from unispeech_cli.batches.source import Division
from unispeech_cli.paths import ExpDir
from unispeech_cli.records import Note, Progress, Records
from unispeech_cli.stopping import Stopped, never
from unispeech_cli.trainer import checkpoint
from unispeech_cli.trainer.alarms import Alarm, Watch
from unispeech_cli.trainer.average import best_kept
from unispeech_cli.trainer.checkpoint import Identity, Position
from unispeech_cli.trainer.distributed import Ranks
from unispeech_cli.trainer.ema import Ema
from unispeech_cli.trainer.gradients import Objective
from unispeech_cli.trainer.guard import Guard, GuardSettings
from unispeech_cli.trainer.journal import Journal
from unispeech_cli.trainer.loop import Machine, Step, fit
from unispeech_cli.trainer.optim import OptimSettings, make_optimizer
from unispeech_cli.trainer.precision import Kind
from unispeech_cli.trainer.resuming import resume
from unispeech_cli.trainer.telling import Pace, figures, gathered, line, log, told
from unispeech_cli.trainer.trial import Worst, try_batches


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
    # and besides these the validated ones with the least dev figure, for `average --best`
    keep_best: int = 0
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
        if self.keep_best < 0:
            raise ValueError(f"keep_best is 0 or more, not {self.keep_best}")

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
    # what else is on a schedule, by the name it has in the curves
    scheduled: Callable[[], Mapping[str, float]]
    # the figure that the best checkpoint has least of, by name, and the same on every rank
    measure: str
    validate: Callable[[OnFault], float]
    identity: Identity
    machine: Machine
    guard: GuardSettings
    alarms: Sequence[Alarm]
    # batches that none of the plan goes beyond, to be tried before the first update
    worst: Sequence[Worst] = ()
    asked_to_stop: Callable[[], bool] = never

    @property
    def ranks(self) -> Ranks:
        return self.machine.ranks


def train(training: Training, experiment: ExpDir) -> Records:
    """Train to the last update, from the newest checkpoint on if there is one; the first rank alone writes.

    A validated checkpoint with the least `measure` becomes best/. The same command again continues or does
    nothing. Raises Stopped, all done so far being saved, once any rank is asked to stop.
    """
    optimizer, ema = make_optimizer(training.model, training.optim), Ema(training.model, training.optim.ema)
    seconds = training.division.seconds
    position = yield from resume(experiment, training.model, optimizer, training.ranks, seconds, ema.shadow)
    position = replace(position, seconds_per_batch=seconds)
    training.machine.precision.loss_scale.restore(position.loss_scale)
    if position.update >= training.run.updates:
        yield Note(f"{experiment.root} is trained: {position.update} updates; nothing to do")
        return
    # with all weights trained that ever are
    training.before_update(training.run.updates - 1)
    try_batches(training.worst, training.model, training.objective, optimizer, training.machine)
    journal = Journal(experiment, training.stage, position.update) if training.ranks.is_first else None
    try:
        with readers_alive():
            yield from _continue(training, experiment, optimizer, ema, position, journal)
    finally:
        if journal is not None:
            journal.close()


def _continue(
    training: Training,
    experiment: ExpDir,
    optimizer: torch.optim.Optimizer,
    ema: Ema,
    position: Position,
    journal: Journal | None,
) -> Records:
    run, news, pace, dev = training.run, deque[str](), Pace(), dict[str, float]()
    watched = _Watched(training, experiment)
    for step in _steps(training, optimizer, position, news):
        batches = position.batches + training.division.batches * training.division.ranks
        scale = training.machine.precision.loss_scale.state()
        position = replace(position, update=step.update, batches=batches, loss_scale=scale)
        pace.add(step)
        ema.follow(step.update, step.skipped)
        yield from told(watched.look(step, news), journal)
        yield Progress(training.stage, step.update, run.updates, line(step, pace), figures(step, pace, dev))
        if run.logs(step.update):
            log(step, pace, training.scheduled(), journal)
        if run.validates(step.update):
            with ema.worn():
                position = yield from _validate(training, position, dev, journal)
        if run.saves(step.update) or step.stop:
            _save(training, experiment, position, optimizer, ema, journal)
        if journal is not None and (run.logs(step.update) or run.saves(step.update)):
            journal.timing(step.update, pace.values())
        if step.stop and step.update < run.updates:
            raise Stopped(f"stopped at update {step.update}, run the same command again")


class _Watched:
    """What an update tells of faults and alarms."""

    def __init__(self, training: Training, experiment: ExpDir) -> None:
        self._training, self._ranks = training, training.ranks
        self._guard = Guard(training.guard, experiment, training.ranks.rank)
        self._watch = Watch(training.guard.alarms, training.alarms, training.run.updates)

    def look(self, step: Step, news: deque[str]) -> list[str]:
        """Lines on it. Raises ValueError, on all ranks, after too many faulty updates in a row."""
        lines: list[str] = []
        if step.faults:
            news.append(f"update {step.update} skipped: {self._guard.dump(step.update, step.faults)}")
        if step.news or step.faulty:
            lines += gathered(self._ranks, news)
        self._guard.count(step.update, self._is_faulty(step), self._weights_are_finite)
        return lines + ([] if step.skipped else self._watch.see(step.update, step.watched))

    def _is_faulty(self, step: Step) -> bool:
        """Not where nothing could be read, nor where the scale of fp16 was too large."""
        moves = self._training.machine.precision.loss_scale.moves
        return step.faulty > 0 or (step.skipped and step.speech > 0 and not moves)

    def _weights_are_finite(self) -> bool:
        return all(bool(weight.isfinite().all()) for weight in self._training.model.parameters())


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
        asked_to_stop=training.asked_to_stop,
        has_news=lambda: bool(news),
    )


def _save(
    training: Training,
    experiment: ExpDir,
    position: Position,
    optimizer: torch.optim.Optimizer,
    ema: Ema,
    journal: Journal | None,
) -> None:
    """Curves, then the checkpoint, then what is made of it: a kill in between leaves nothing that runs ahead."""
    if journal is not None:
        journal.sync()
        place = experiment.checkpoint(position.update)
        checkpoint.save(place, training.model, position, training.identity, optimizer, ema.shadow)
        if position.best_update == position.update:
            checkpoint.promote(place, experiment.best)
        spared = best_kept(experiment, training.run.keep_best)
        checkpoint.prune(experiment, position.update, training.run.keep, spared)
    training.ranks.wait()


def _validate(
    training: Training, position: Position, dev: dict[str, float], journal: Journal | None
) -> Generator[Note, None, Position]:
    faults, ranks = deque[str](), training.ranks
    training.model.eval()
    # a validation draws masks of its own, and must not move the training's
    with torch.random.fork_rng([ranks.device] if ranks.device.type == "cuda" else []):
        value = training.validate(faults.append)
    if journal is not None:
        journal.metrics(position.update, {f"dev_{training.measure}": value})
    dev[training.measure] = value
    best = position.best is None or value < position.best or math.isnan(position.best)
    text = f"{training.stage} update {position.update}: dev {training.measure} {value:.4f}"
    warnings = [line.replace("warning: ", "warning: dev: ", 1) for line in gathered(ranks, faults)]
    # the same faults come with every validation
    known = position.best is not None
    yield from told([*([] if known else warnings), f"{text} (best so far)" if best else text], journal)
    return replace(position, best=value, best_update=position.update) if best else position
