"""Transcribed cuts and a pre-trained encoder in, an experiment directory with a CTC recogniser out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from unispeech_cli import settings as settings_room
from unispeech_cli.batches.loader import HeldOut, OnFault, open_held_out, training_batches
from unispeech_cli.batches.source import LoaderSettings, Source, open_sources, summary
from unispeech_cli.lang.tokens import read as read_tokens
from unispeech_cli.model.recognizer import Recognizer, RecognizerSettings
from unispeech_cli.model.unispeech import PRESETS
from unispeech_cli.objective.unispeech import CtcObjective
from unispeech_cli.paths import ExpDir, LangDir
from unispeech_cli.records import Note, Records
from unispeech_cli.scorer.validation import error_rate
from unispeech_cli.trainer.checkpoint import Identity
from unispeech_cli.trainer.experiment import claim
from unispeech_cli.trainer.optim import OptimSettings
from unispeech_cli.trainer.schedule import RateSettings, rate_factor
from unispeech_cli.trainer.session import RunSettings, Training, train
from unispeech_cli.trainer.weights import find, load_weights, saved_model_settings, usable_device

# what the weights of an encoder decide; dropout and the like may differ in fine-tuning
ARCHITECTURE = {
    "frontend": ("channels", "norm", "bias", "normalize_wave", "output_norm"),
    "encoder": (
        "layers",
        "dim",
        "heads",
        "ffn_dim",
        "pre_norm",
        "position_kernel",
        "position_groups",
        "norm_eps",
    ),
}


@dataclass(frozen=True)
class FreezeSettings:
    """What stands still: the convolutions for good, all but the head for the first share of the run."""

    frontend: bool = True
    encoder: float = 0.1


@dataclass(frozen=True)
class FinetuneSettings:
    """Everything that fine-tuning can be told; defaults are the official 20k updates, tri-stage."""

    model: RecognizerSettings = field(default_factory=RecognizerSettings)
    freeze: FreezeSettings = field(default_factory=FreezeSettings)
    optim: OptimSettings = field(default_factory=lambda: OptimSettings(lr=2e-5, eps=1e-8, weight_decay=0.0))
    rate: RateSettings = field(default_factory=lambda: RateSettings(shape="tri-stage", warmup=0.1))
    data: LoaderSettings = field(
        # several languages are one list in the released fine-tuning
        default_factory=lambda: LoaderSettings(62.5, 250.0, max_seconds=60.0, language_alpha=None)
    )
    run: RunSettings = field(default_factory=lambda: RunSettings(updates=20_000))


@dataclass(frozen=True)
class FinetuneInputs:
    """The manifests that fine-tuning reads."""

    train: Sequence[Path]
    dev: Sequence[Path]


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
) -> Records:
    """Train a CTC recogniser; the encoder comes from `init` (an experiment or checkpoint), else from scratch.

    Raises ValueError for settings, tokens or an experiment directory that do not fit, FileNotFoundError for
    missing inputs.
    """
    settings = read_settings(preset, config, overrides, init)
    tokens, start = read_tokens(LangDir(lang_dir).tokens), None if init is None else find(init)
    sources = open_sources(inputs.train, True, settings.data, tokens)
    dev = open_held_out(inputs.dev, tokens, settings.data.seconds_per_batch)
    yield from (Note(line) for line in summary(sources, settings.data))
    identity, where = Identity(settings_room.dump(settings), tokens), usable_device(device)
    torch.manual_seed(settings.run.seed)
    model = Recognizer(settings.model, len(tokens)).to(where)
    if start is not None:
        yield from (Note(line) for line in load_weights(model, start, None))
    model.context.frontend.requires_grad_(not settings.freeze.frontend)
    claim(ExpDir(exp), identity, vars(inputs), start)
    yield from train(_training(model, settings, identity, sources, dev), ExpDir(exp))


def _training(
    model: Recognizer, settings: FinetuneSettings, identity: Identity, sources: Sequence[Source], dev: HeldOut
) -> Training:
    device, data, seed = next(model.parameters()).device, settings.data, settings.run.seed

    def per(on_fault: OnFault) -> float:
        return error_rate(model.recognize, dev.batches(device, on_fault)).fraction

    return Training(
        stage="finetune",
        run=settings.run,
        optim=settings.optim,
        model=model,
        objective=CtcObjective(),
        batches=lambda skip, on_fault: training_batches(sources, identity.tokens, data, seed, skip, on_fault),
        batches_per_update=data.batches_per_update,
        before_update=lambda update: _schedule(model, settings, update),
        measure="per",
        validate=per,
        identity=identity,
        device=device,
    )


def read_settings(
    preset: str, config: Path | None, overrides: Sequence[str], init: Path | None
) -> FinetuneSettings:
    """Defaults, then the architecture of `init` or of the preset, then YAML file and overrides."""
    if preset not in PRESETS:
        raise ValueError(f"--preset {preset}: known are {', '.join(PRESETS)}")
    parts: Mapping[str, Any] = PRESETS[preset] if init is None else saved_model_settings(find(init))
    model = {room: _only(parts.get(room, {}), names) for room, names in ARCHITECTURE.items()}
    return settings_room.load(FinetuneSettings, config, overrides, {"model": model})


def _only(tree: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: tree[name] for name in names if name in tree}


def _schedule(model: Recognizer, settings: FinetuneSettings, update: int) -> float:
    updates = settings.run.updates
    thawed = update >= settings.freeze.encoder * updates
    for name, parameter in model.context.named_parameters():
        if not (settings.freeze.frontend and name.startswith("frontend.")):
            parameter.requires_grad_(thawed)
    return settings.optim.lr * rate_factor(settings.rate, update, updates)
