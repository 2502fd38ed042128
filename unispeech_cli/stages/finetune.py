"""Transcribed cuts and a pre-trained encoder in, an experiment directory with a CTC recogniser out."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import torch

from unispeech_cli import settings as settings_room
from unispeech_cli.batches.batch import Batch
from unispeech_cli.batches.loader import HeldOut, OnFault, open_held_out, training_batches
from unispeech_cli.batches.source import Source, open_sources, summary
from unispeech_cli.lang.tokens import read as read_tokens
from unispeech_cli.model.recognizer import Recognizer
from unispeech_cli.model.size import multiplications, weights
from unispeech_cli.objective.unispeech import CtcObjective
from unispeech_cli.paths import ExpDir, LangDir
from unispeech_cli.records import Note, Records
from unispeech_cli.scorer.validation import error_rate
from unispeech_cli.stopping import never
from unispeech_cli.trainer.alarms import blank_alarm
from unispeech_cli.trainer.checkpoint import Identity
from unispeech_cli.trainer.distributed import Exchange, Ranks, join
from unispeech_cli.trainer.experiment import claim, held
from unispeech_cli.trainer.finetuning import FinetuneInputs, FinetuneSettings, read_settings
from unispeech_cli.trainer.forecast import Forecast, Row, hours_told, known_speech, mask_row, schedule_table
from unispeech_cli.trainer.loop import Machine
from unispeech_cli.trainer.precision import Precision
from unispeech_cli.trainer.schedule import rate_factor
from unispeech_cli.trainer.session import Training, train
from unispeech_cli.trainer.trial import made_up
from unispeech_cli.trainer.weights import find, load_weights


def finetune(
    exp: Path,
    lang_dir: Path,
    inputs: FinetuneInputs,
    *,
    preset: str = "base",
    config: Path | None = None,
    overrides: Sequence[str] = (),
    init: Path | None = None,
    device: str = "cpu",
    asked_to_stop: Callable[[], bool] = never,
) -> Records:
    """Train a CTC recogniser; the encoder comes from `init` (an experiment or checkpoint), else from scratch.

    Raises ValueError for settings, tokens or an experiment directory that do not fit, FileNotFoundError for
    missing inputs, and Stopped where it was asked to stop and has saved what was done.
    """
    settings = read_settings(preset, config, overrides, init)
    ranks = join(device)
    yield from ranks.records(_finetune(exp, lang_dir, inputs, settings, init, ranks, asked_to_stop))


def _finetune(
    exp: Path,
    lang_dir: Path,
    inputs: FinetuneInputs,
    settings: FinetuneSettings,
    init: Path | None,
    ranks: Ranks,
    asked_to_stop: Callable[[], bool],
) -> Records:
    tokens, start = read_tokens(LangDir(lang_dir).tokens), None if init is None else find(init)
    with ranks.first_goes_first():
        sources = open_sources(inputs.train, True, settings.data, tokens)
        dev = open_held_out(inputs.dev, tokens, settings.data.seconds_per_batch)
    yield from (Note(line) for line in summary(sources, settings.data, ranks.size))
    identity = Identity(settings_room.dump(settings), tokens)
    machine = Machine(ranks, Precision(settings.run.precision, ranks.device), Exchange(ranks, 0))
    torch.manual_seed(settings.run.seed)
    model = Recognizer(settings.model, len(tokens)).to(ranks.device)
    model.context.spare(recompute=settings.run.recompute, compiled=settings.run.compile)
    if start is not None:
        yield from (Note(line) for line in load_weights(model, start, None))
    model.context.frontend.requires_grad_(not settings.freeze.frontend)
    defaults = settings_room.dump(FinetuneSettings())
    with held(ExpDir(exp)) if ranks.is_first else nullcontext():
        if ranks.is_first:
            read = {**vars(inputs), "augment": settings.data.augment.manifests}
            claim(ExpDir(exp), identity, read, start, defaults)
        ranks.wait()
        training = _training(model, settings, identity, sources, dev, machine, asked_to_stop)
        yield from train(training, ExpDir(exp))


def forecast(
    exp: Path,
    lang_dir: Path,
    inputs: FinetuneInputs,
    *,
    preset: str = "base",
    config: Path | None = None,
    overrides: Sequence[str] = (),
    init: Path | None = None,
    hours: Sequence[str] = (),
    speed: float | None = None,
) -> Records:
    """What `finetune` would do, and nothing done; an `init` that is not there yet is taken to be of the preset.

    `hours` are those of corpora without a manifest, `cv-ky=1`. Raises ValueError for settings that do not fit,
    and where hours are known from nowhere.
    """
    there = init if init is not None and init.exists() else None
    settings, told = read_settings(preset, config, overrides, there), hours_told(hours)
    table, run = LangDir(lang_dir).tokens, settings.run
    tokens = len(read_tokens(table)) if table.is_file() else None
    speech = known_speech(inputs.train, True, settings.data, told)
    parts = settings.model.context, None, tokens or 0
    plan = Forecast(
        exp, run, settings.data, speech, weights(*parts), tokens, 3 * multiplications(*parts), speed
    )
    schedule = schedule_table(
        settings.rate,
        run.updates,
        ("rate x 1e6", "encoder trains"),
        lambda update: (
            1e6 * settings.optim.lr * rate_factor(settings.rate, update, run.updates),
            "yes" if update >= settings.freeze.encoder * run.updates else "no",
        ),
    )
    yield from plan.tables(_own_rows(settings, init, there), schedule)


def _own_rows(settings: FinetuneSettings, init: Path | None, there: Path | None) -> Iterator[Row]:
    """What fine-tuning alone has."""
    start = "from scratch" if init is None else str(init)
    yield ("encoder", start, "as the checkpoint is" if there else "as the preset and the settings are")
    frozen = "for good" if settings.freeze.frontend else "never"
    yield ("convolutions frozen", frozen, "freeze.frontend")
    frozen_updates = settings.freeze.encoder * settings.run.updates
    yield ("updates of the head alone", frozen_updates, "freeze.encoder x updates")
    yield mask_row("frames", settings.model.time_mask)
    yield mask_row("channels", settings.model.channel_mask)


def _training(
    model: Recognizer,
    settings: FinetuneSettings,
    identity: Identity,
    sources: Sequence[Source],
    dev: HeldOut,
    machine: Machine,
    asked_to_stop: Callable[[], bool],
) -> Training:
    data, seed, ranks = settings.data, settings.run.seed, machine.ranks
    division, own_dev = data.division(ranks.size), dev.part(ranks.rank, ranks.size)

    def batches(skip: int, on_fault: OnFault) -> Iterator[Batch | None]:
        return training_batches(sources, identity.tokens, data, seed, skip, on_fault, ranks.rank, ranks.size)

    def per(on_fault: OnFault) -> float:
        heard = own_dev.batches(ranks.device, on_fault)
        return error_rate(model.recognize, heard, ranks.totals).fraction

    return Training(
        stage="finetune",
        run=settings.run,
        optim=settings.optim,
        model=model,
        objective=CtcObjective(),
        batches=batches,
        division=division,
        before_update=lambda update: _schedule(model, settings, update),
        scheduled=dict,
        measure="per",
        validate=per,
        identity=identity,
        machine=machine,
        guard=settings.guard,
        alarms=[blank_alarm(settings.guard.alarms)],
        worst=made_up(settings.guard, sources, division.seconds, len(identity.tokens), ranks.device),
        asked_to_stop=asked_to_stop,
    )


def _schedule(model: Recognizer, settings: FinetuneSettings, update: int) -> float:
    updates = settings.run.updates
    thawed = update >= settings.freeze.encoder * updates
    for name, parameter in model.context.named_parameters():
        if not (settings.freeze.frontend and name.startswith("frontend.")):
            parameter.requires_grad_(thawed)
    return settings.optim.lr * rate_factor(settings.rate, update, updates)
