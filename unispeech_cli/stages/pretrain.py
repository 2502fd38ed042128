"""Labelled and unlabelled cuts in, an experiment directory with a pre-trained encoder out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from unispeech_cli import settings as settings_room
from unispeech_cli.batches.batch import Batch
from unispeech_cli.batches.loader import (
    LoaderSettings,
    Source,
    inference_batches,
    open_source,
    training_batches,
)
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.lang.tokens import read as read_tokens
from unispeech_cli.manifests import read_cuts
from unispeech_cli.model.unispeech import PRESETS, UniSpeech, UniSpeechSettings
from unispeech_cli.objective.unispeech import ObjectiveSettings, UniSpeechObjective
from unispeech_cli.paths import ExpDir, LangDir
from unispeech_cli.records import Note, Records
from unispeech_cli.scorer.validation import error_rate, mean_loss
from unispeech_cli.trainer.checkpoint import Identity, find, load_weights, usable_device
from unispeech_cli.trainer.optim import OptimSettings
from unispeech_cli.trainer.schedule import (
    RateSettings,
    ReplaceSettings,
    TemperatureSettings,
    rate_factor,
    replace,
    temperature,
)
from unispeech_cli.trainer.session import RunSettings, Training, claim, train


@dataclass(frozen=True)
class PretrainSettings:
    """Everything that pre-training can be told; defaults are the paper's (method notes: docs/method.md)."""

    model: UniSpeechSettings = field(default_factory=UniSpeechSettings)
    objective: ObjectiveSettings = field(default_factory=ObjectiveSettings)
    replace: ReplaceSettings = field(default_factory=ReplaceSettings)
    temperature: TemperatureSettings = field(default_factory=TemperatureSettings)
    optim: OptimSettings = field(default_factory=OptimSettings)
    rate: RateSettings = field(default_factory=RateSettings)
    data: LoaderSettings = field(default_factory=lambda: LoaderSettings(min_seconds=2.0, max_seconds=20.0))
    run: RunSettings = field(default_factory=RunSettings)


@dataclass(frozen=True)
class PretrainInputs:
    """The manifests that pre-training reads."""

    labeled: Sequence[Path]
    unlabeled: Sequence[Path]
    dev: Sequence[Path]


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
) -> Records:
    """Train UniSpeech, or go on with it: labelled cuts through CTC and contrast, unlabelled ones through contrast.

    Raises ValueError for settings, tokens or an experiment directory that do not fit, FileNotFoundError for
    missing inputs.
    """
    settings = read_settings(preset, config, overrides)
    tokens = read_tokens(LangDir(lang_dir).tokens)
    sources = _sources(inputs, settings, tokens)
    yield from (Note(line) for line in _summary(sources, settings))
    experiment, where = ExpDir(exp), usable_device(device)
    torch.manual_seed(settings.run.seed)
    model = UniSpeech(settings.model, len(tokens)).to(where)
    if init is not None:
        yield from (Note(line) for line in load_weights(model, find(init)))
    manifests = {"labeled": inputs.labeled, "unlabeled": inputs.unlabeled, "dev": inputs.dev}
    plain = settings_room.dump(settings)
    claim(experiment, plain, {name: list(paths) for name, paths in manifests.items()}, init)
    tokens.write(experiment.tokens)
    training = Training(
        stage="pretrain",
        run=settings.run,
        optim=settings.optim,
        model=model,
        objective=UniSpeechObjective(settings.objective),
        batches=lambda skip, on_fault: training_batches(
            sources, tokens, settings.data, settings.run.seed, skip, on_fault
        ),
        batches_per_update=settings.data.batches_per_update,
        before_update=lambda update: _schedule(model, settings, update),
        measure="per" if settings.objective.alpha > 0 else "contrastive",
        validate=_validator(model, settings, tokens, inputs.dev, where),
        identity=Identity(plain, tokens),
        device=where,
    )
    yield from train(training, experiment)


def read_settings(preset: str, config: Path | None, overrides: Sequence[str]) -> PretrainSettings:
    """Defaults, preset, YAML file and overrides, in this order. Raises ValueError for names and values."""
    if preset not in PRESETS:
        raise ValueError(f"--preset {preset}: known are {', '.join(PRESETS)}")
    return settings_room.load(PretrainSettings, config, overrides, {"model": PRESETS[preset]})


def _sources(inputs: PretrainInputs, settings: PretrainSettings, tokens: TokenTable) -> list[Source]:
    given: Mapping[bool, Sequence[Path]] = {True: inputs.labeled, False: inputs.unlabeled}
    sources = [open_source(paths, labelled, settings.data, tokens) for labelled, paths in given.items() if paths]
    if not sources:
        raise ValueError("nothing to pre-train on: give --labeled or --unlabeled cuts")
    return sources


def _summary(sources: Sequence[Source], settings: PretrainSettings) -> Iterator[str]:
    for source in sources:
        kind = "labelled" if source.labelled else "unlabelled"
        limits = f"{settings.data.min_seconds:g} .. {settings.data.max_seconds:g} s"
        yield f"{kind}: {len(source.seconds_N)} cuts, {source.hours:.2f} h; {source.left_out} outside {limits}"
    data = settings.data
    yield f"an update: {data.batches_per_update} batches of {data.seconds_per_batch:g} s; {settings.run.updates} updates"


def _schedule(model: UniSpeech, settings: PretrainSettings, update: int) -> float:
    updates = settings.run.updates
    model.temperature = temperature(settings.temperature, update, updates)
    model.replace = replace(settings.replace, update, updates)
    return settings.optim.lr * rate_factor(settings.rate, update, updates)


def _validator(
    model: UniSpeech, settings: PretrainSettings, tokens: TokenTable, dev: Sequence[Path], device: torch.device
) -> Callable[[], float]:
    """Phone error rate on the development cuts; without CTC their contrastive loss."""
    cuts = [cut for path in dev for cut in read_cuts(path)]

    def batches() -> Iterator[Batch]:
        loaded = inference_batches(cuts, settings.data.seconds_per_batch, tokens, on_fault=lambda line: None)
        return (batch.to(device) for batch in loaded)

    if settings.objective.alpha == 0:
        objective = UniSpeechObjective(settings.objective)
        return lambda: mean_loss(model, objective, batches(), "contrastive", settings.run.seed)
    return lambda: error_rate(model.recognize, batches()).fraction
