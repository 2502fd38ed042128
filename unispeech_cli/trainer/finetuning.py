"""What fine-tuning can be told: its settings, and the manifests that it reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unispeech_cli import settings as settings_room
from unispeech_cli.batches.source import LoaderSettings
from unispeech_cli.model.recognizer import RecognizerSettings
from unispeech_cli.model.unispeech import PRESETS
from unispeech_cli.trainer.guard import GuardSettings
from unispeech_cli.trainer.optim import OptimSettings
from unispeech_cli.trainer.schedule import RateSettings
from unispeech_cli.trainer.session import RunSettings
from unispeech_cli.trainer.weights import find, saved_model_settings

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
    guard: GuardSettings = field(default_factory=GuardSettings)


@dataclass(frozen=True)
class FinetuneInputs:
    """The manifests that fine-tuning reads."""

    train: Sequence[Path]
    dev: Sequence[Path]


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
