"""What pre-training can be told: its settings, and the manifests that it reads."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unispeech_cli import settings as settings_room
from unispeech_cli.batches.source import LoaderSettings
from unispeech_cli.model.unispeech import PRESETS, UniSpeechSettings
from unispeech_cli.objective.unispeech import ObjectiveSettings
from unispeech_cli.trainer.guard import GuardSettings
from unispeech_cli.trainer.optim import OptimSettings
from unispeech_cli.trainer.schedule import RateSettings, ReplaceSettings, TemperatureSettings
from unispeech_cli.trainer.session import RunSettings


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
    guard: GuardSettings = field(default_factory=GuardSettings)


@dataclass(frozen=True)
class PretrainInputs:
    """The manifests that pre-training reads."""

    labeled: Sequence[Path]
    unlabeled: Sequence[Path]
    dev: Sequence[Path]


def read_settings(preset: str, config: Path | None, overrides: Sequence[str]) -> PretrainSettings:
    """Defaults, preset, YAML file and overrides, in this order. Raises ValueError for names and values."""
    if preset not in PRESETS:
        raise ValueError(f"--preset {preset}: known are {', '.join(PRESETS)}")
    return settings_room.load(PretrainSettings, config, overrides, {"model": PRESETS[preset]})


def given(inputs: PretrainInputs, settings: PretrainSettings) -> dict[bool, Sequence[Path]]:
    """The labelled and the unlabelled manifests. Raises ValueError where the objective has no term for them."""
    given: dict[bool, Sequence[Path]] = {True: inputs.labeled, False: inputs.unlabeled}
    if settings.model.quantizer is None:
        if settings.objective.alpha == 0 or not inputs.labeled:
            raise ValueError(
                "without model.quantizer only CTC trains: give --labeled cuts and objective.alpha 1"
            )
        given[False] = ()
    if not any(given.values()):
        raise ValueError("nothing to pre-train on: give --labeled or --unlabeled cuts")
    return {labelled: paths for labelled, paths in given.items() if paths}
