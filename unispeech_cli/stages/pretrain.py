"""Labelled and unlabelled cuts in, an experiment directory with a pre-trained encoder out."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor

from unispeech_cli import settings as settings_room
from unispeech_cli.batches.batch import Batch
from unispeech_cli.batches.loader import HeldOut, OnFault, open_held_out, training_batches
from unispeech_cli.batches.source import Source, open_sources, summary
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.lang.tokens import read as read_tokens
from unispeech_cli.model.size import multiplications, weights
from unispeech_cli.model.unispeech import UniSpeech
from unispeech_cli.objective.unispeech import UniSpeechObjective
from unispeech_cli.paths import ExpDir, LangDir
from unispeech_cli.records import Note, Records
from unispeech_cli.scorer.validation import Recognize, error_rate, mean_loss
from unispeech_cli.stopping import never
from unispeech_cli.trainer.alarms import Alarm, blank_alarm, codebook_alarms
from unispeech_cli.trainer.checkpoint import Identity
from unispeech_cli.trainer.distributed import Exchange, Ranks, join
from unispeech_cli.trainer.experiment import claim, held
from unispeech_cli.trainer.forecast import Forecast, Row, hours_told, known_speech, mask_row, schedule_table
from unispeech_cli.trainer.loop import Machine
from unispeech_cli.trainer.precision import Precision
from unispeech_cli.trainer.pretraining import PretrainInputs, PretrainSettings, given, read_settings
from unispeech_cli.trainer.schedule import rate_factor, replace, temperature
from unispeech_cli.trainer.session import Training, train
from unispeech_cli.trainer.trial import made_up
from unispeech_cli.trainer.weights import find, load_weights


def pretrain(
    exp: Path,
    lang_dir: Path,
    inputs: PretrainInputs,
    *,
    preset: str = "base",
    config: Path | None = None,
    overrides: Sequence[str] = (),
    init: Path | None = None,
    device: str = "cpu",
    asked_to_stop: Callable[[], bool] = never,
) -> Records:
    """Train UniSpeech, or go on with it: labelled cuts by CTC and contrast, unlabelled ones by contrast.

    Raises ValueError for settings, tokens or an experiment directory that do not fit, FileNotFoundError for
    missing inputs, and Stopped where it was asked to stop and has saved what was done.
    """
    settings = read_settings(preset, config, overrides)
    ranks = join(device)
    yield from ranks.records(_pretrain(exp, lang_dir, inputs, settings, init, ranks, asked_to_stop))


def _pretrain(
    exp: Path,
    lang_dir: Path,
    inputs: PretrainInputs,
    settings: PretrainSettings,
    init: Path | None,
    ranks: Ranks,
    asked_to_stop: Callable[[], bool],
) -> Records:
    tokens, start = read_tokens(LangDir(lang_dir).tokens), None if init is None else find(init)
    yield from _unused(inputs, settings)
    with ranks.first_goes_first():
        sources = _sources(inputs, settings, tokens)
        by_ctc = settings.objective.alpha > 0 and any(source.labelled for source in sources)
        dev = open_held_out(inputs.dev, tokens if by_ctc else None, settings.data.seconds_per_batch)
    yield from (Note(line) for line in summary(sources, settings.data, ranks.size))
    identity, machine = Identity(settings_room.dump(settings), tokens), _machine(settings, ranks)
    torch.manual_seed(settings.run.seed)
    model = UniSpeech(settings.model, len(tokens)).to(ranks.device)
    model.context.spare(recompute=settings.run.recompute, compiled=settings.run.compile)
    if start is not None:
        yield from (Note(line) for line in load_weights(model, start, tokens))
    defaults = settings_room.dump(PretrainSettings())
    with held(ExpDir(exp)) if ranks.is_first else nullcontext():
        if ranks.is_first:
            read = {**vars(inputs), "augment": settings.data.augment.manifests}
            claim(ExpDir(exp), identity, read, start, defaults)
        ranks.wait()
        training = _training(model, settings, identity, sources, dev, machine, asked_to_stop)
        yield from train(training, ExpDir(exp))


def _machine(settings: PretrainSettings, ranks: Ranks) -> Machine:
    """What the ranks tell one another of their codebooks: sums of probabilities, frames, the scale."""
    quantizer = settings.model.quantizer
    size = 0 if quantizer is None else quantizer.groups * quantizer.entries + 2
    return Machine(ranks, Precision(settings.run.precision, ranks.device), Exchange(ranks, size))


def forecast(
    exp: Path,
    lang_dir: Path,
    inputs: PretrainInputs,
    *,
    preset: str = "base",
    config: Path | None = None,
    overrides: Sequence[str] = (),
    hours: Sequence[str] = (),
    speed: float | None = None,
) -> Records:
    """What `pretrain` would do, and nothing done; `hours` are those of corpora without a manifest, `cv-en=1350`.

    Raises ValueError for settings that do not fit, and where hours are known from nowhere.
    """
    settings, told = read_settings(preset, config, overrides), hours_told(hours)
    table = LangDir(lang_dir).tokens
    tokens = len(read_tokens(table)) if table.is_file() else None
    model, optim = settings.model, settings.optim
    speech = [
        known
        for of, paths in given(inputs, settings).items()
        for known in known_speech(paths, of, settings.data, told)
    ]
    parts = model.context, model.quantizer, tokens or 0
    plan = Forecast(
        exp, settings.run, settings.data, speech, weights(*parts), tokens, 3 * multiplications(*parts), speed
    )
    schedule = schedule_table(
        settings.rate,
        settings.run.updates,
        ("rate x 1e6", "Gumbel temperature", "r"),
        lambda update: (
            1e6 * optim.lr * rate_factor(settings.rate, update, settings.run.updates),
            temperature(settings.temperature, update, settings.run.updates),
            replace(settings.replace, update, settings.run.updates),
        ),
    )
    yield from plan.tables(_own_rows(settings), schedule)


def _own_rows(settings: PretrainSettings) -> Iterator[Row]:
    """What pre-training alone has."""
    objective, quantizer = settings.objective, settings.model.quantizer
    yield ("alpha", objective.alpha, "CTC's share on labelled speech")
    yield mask_row("frames", settings.model.mask)
    if quantizer is None:
        yield ("codebook", None, "model.quantizer is null: only CTC trains")
        return
    distractors = objective.contrastive.distractors
    yield ("contrastive loss at chance", math.log(1 + distractors), f"log(1 + {distractors} distractors)")
    yield ("codebook", f"{quantizer.groups} x {quantizer.entries}", f"{quantizer.dim} dimensions")


def _training(
    model: UniSpeech,
    settings: PretrainSettings,
    identity: Identity,
    sources: Sequence[Source],
    dev: HeldOut,
    machine: Machine,
    asked_to_stop: Callable[[], bool],
) -> Training:
    data, seed, ranks = settings.data, settings.run.seed, machine.ranks
    division = data.division(ranks.size)
    model.mixes_in_evaluation = settings.replace.in_evaluation

    def batches(skip: int, on_fault: OnFault) -> Iterator[Batch | None]:
        return training_batches(sources, identity.tokens, data, seed, skip, on_fault, ranks.rank, ranks.size)

    measure, validate = _validation(model, settings, dev, ranks)
    return Training(
        stage="pretrain",
        run=settings.run,
        optim=settings.optim,
        model=model,
        objective=UniSpeechObjective(settings.objective, machine.exchange),
        batches=batches,
        division=division,
        before_update=lambda update: _schedule(model, settings, update),
        scheduled=lambda: _scheduled(model),
        measure=measure,
        validate=validate,
        identity=identity,
        machine=machine,
        guard=settings.guard,
        alarms=_alarms(settings),
        worst=made_up(settings.guard, sources, division.seconds, len(identity.tokens), ranks.device),
        asked_to_stop=asked_to_stop,
    )


def _validation(
    model: UniSpeech, settings: PretrainSettings, dev: HeldOut, ranks: Ranks
) -> tuple[str, Callable[[OnFault], float]]:
    """The figure that is least in the best checkpoint, by name, and how it is taken, over all ranks."""
    seed, own_dev = settings.run.seed, dev.part(ranks.rank, ranks.size)

    def per(on_fault: OnFault) -> float:
        torch.manual_seed(seed)
        rate = error_rate(_heard(model), own_dev.batches(ranks.device, on_fault), ranks.totals)
        return rate.fraction

    def contrast(on_fault: OnFault) -> float:
        # ranks have unequal numbers of these batches: without the exchange of training
        objective = UniSpeechObjective(settings.objective)
        heard = own_dev.batches(ranks.device, on_fault)
        return mean_loss(model, objective, heard, "contrastive", seed, ranks.totals)

    return ("contrastive", contrast) if dev.tokens is None else ("per", per)


def _alarms(settings: PretrainSettings) -> tuple[Alarm, ...]:
    alarms, quantizer = settings.guard.alarms, settings.model.quantizer
    codes = () if quantizer is None else codebook_alarms(alarms, quantizer.groups, quantizer.entries)
    return (*codes, blank_alarm(alarms))


def _heard(model: UniSpeech) -> Recognize:
    """What validation decodes: speech as it is, or masked and mixed as in training."""

    def masked(wave_BS: Tensor, wave_lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        output = model(wave_BS, wave_lengths_B)
        return output.logit_BTV, output.frame_lengths_B

    return masked if model.mixes_in_evaluation else model.recognize


def _sources(inputs: PretrainInputs, settings: PretrainSettings, tokens: TokenTable) -> list[Source]:
    """The labelled and the unlabelled cuts, by language."""
    parts = given(inputs, settings).items()
    opened = [open_sources(paths, labelled, settings.data, tokens) for labelled, paths in parts]
    return [source for sources in opened for source in sources]


def _unused(inputs: PretrainInputs, settings: PretrainSettings) -> Iterator[Note]:
    if settings.model.quantizer is None and inputs.unlabeled:
        yield Note("warning: without model.quantizer unlabelled speech has no loss; --unlabeled is not used")


def _scheduled(model: UniSpeech) -> dict[str, float]:
    """What moves besides the learning rate; without a codebook nothing does."""
    return {} if model.quantizer is None else {"temperature": model.temperature, "replace": model.replace}


def _schedule(model: UniSpeech, settings: PretrainSettings, update: int) -> float:
    updates = settings.run.updates
    model.temperature = temperature(settings.temperature, update, updates)
    model.replace = replace(settings.replace, update, updates)
    return settings.optim.lr * rate_factor(settings.rate, update, updates)
