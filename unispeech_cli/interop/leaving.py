"""A checkpoint of ours as exports see it: weights, settings, tokens, and whence it was imported, if it was."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from unispeech_cli.interop.hub_config import ModelSettings
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.lang.tokens import read as read_tokens
from unispeech_cli.model.recognizer import RecognizerSettings
from unispeech_cli.model.unispeech import UniSpeechSettings
from unispeech_cli.paths import CheckpointDir
from unispeech_cli.settings import build
from unispeech_cli.trainer.checkpoint import read_weights
from unispeech_cli.trainer.weights import saved_model_settings


@dataclass(frozen=True)
class Leaving:
    """What there is to take along."""

    weights: Mapping[str, Tensor]
    settings: ModelSettings
    tokens: TokenTable
    # of an imported one: what it was in its former toolkit
    origin: Mapping[str, Any] | None

    @property
    def parameters(self) -> int:
        """Of the whole network."""
        return sum(value.numel() for value in self.weights.values())


def read_leaving(place: CheckpointDir) -> Leaving:
    """Read a checkpoint, imported or not. Raises ValueError where it is damaged, FileNotFoundError."""
    weights, tree = read_weights(place), saved_model_settings(place)
    settings: ModelSettings
    if "quantizer" in tree:
        settings = build(UniSpeechSettings, tree)
    else:
        settings = build(RecognizerSettings, tree)
    origin = json.loads(place.origin.read_text(encoding="utf-8")) if place.origin.is_file() else None
    return Leaving(weights, settings, read_tokens(place.tokens), origin)
