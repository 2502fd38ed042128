"""A stranger's model under our names: what every reader of foreign checkpoints gives, and how it is written.

Legend: D model dimension, V tokens.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from unispeech_cli import settings as settings_room
from unispeech_cli.interop.vocabulary import Vocabulary
from unispeech_cli.lang.tokens import BLANK, TokenTable
from unispeech_cli.model.recognizer import Recognizer, RecognizerSettings
from unispeech_cli.model.unispeech import UniSpeech, UniSpeechSettings
from unispeech_cli.paths import CheckpointDir
from unispeech_cli.trainer.checkpoint import Identity, save_imported

_HEAD = ("head.weight", "head.bias")
_MASK = "context.mask_embedding"


@dataclass(frozen=True)
class Origin:
    """What an imported checkpoint remembers, so that an export gives back what came in."""

    # transformers or fairseq
    format: str
    model_type: str
    architecture: str | None
    config: Mapping[str, Any] | None = None
    preprocessor: Mapping[str, Any] | None = None
    # the tokenizer's files by name
    tokenizer: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Imported:
    """Weights under our names, the settings of their network, and the outputs' symbols where they are known."""

    # the head's rows are in the order of `vocabulary`
    weights: Mapping[str, Tensor]
    model: UniSpeechSettings | RecognizerSettings
    vocabulary: Vocabulary | None
    origin: Origin
    # what is worth saying about it
    notes: tuple[str, ...] = ()

    @property
    def tokens(self) -> TokenTable:
        """Blank alone where the outputs, if there are any, have no symbols."""
        return self.vocabulary.table() if self.vocabulary else TokenTable((BLANK,))


@dataclass(frozen=True)
class ModelSettings:
    """The part of settings that imported weights have."""

    model: UniSpeechSettings | RecognizerSettings


def outputs(weights: Mapping[str, Tensor]) -> int:
    """Of a CTC head, 0 where there is none."""
    return len(weights[_HEAD[0]]) if _HEAD[0] in weights else 0


def without_head(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The encoder and what pre-training has beside it."""
    return {name: value for name, value in weights.items() if name not in _HEAD}


def write(place: CheckpointDir, imported: Imported, made: Mapping[str, Any]) -> None:
    """Write the checkpoint: weights in float32, blank first; `made` is what it was made from.

    Raises ValueError where the weights are not those of the network that the settings say, OSError where it
    cannot be written.
    """
    weights = {name: value.float() for name, value in imported.weights.items()}
    # transformers leaves it out where the configuration masks nothing
    weights.setdefault(_MASK, torch.zeros(imported.model.encoder.dim))
    _check(weights, imported.model)
    if imported.vocabulary:
        weights |= _reordered(weights, imported.vocabulary.order)
    order = imported.vocabulary.order if imported.vocabulary else None
    origin = {**vars(imported.origin), "token_order": order, **made}
    text = json.dumps(origin, indent=2, ensure_ascii=False) + "\n"
    identity = Identity(settings_room.dump(ModelSettings(imported.model)), imported.tokens)
    save_imported(place, weights, identity, text)


def _reordered(weights: Mapping[str, Tensor], order: list[int]) -> dict[str, Tensor]:
    """Their row i of the head is our row order[i]."""
    found = {}
    for name in _HEAD:
        found[name] = torch.empty_like(weights[name])
        found[name][order] = weights[name]
    return found


def _check(weights: Mapping[str, Tensor], settings: UniSpeechSettings | RecognizerSettings) -> None:
    number = outputs(weights)
    own = _network(settings, max(number, 1)).state_dict()
    own = own if number else without_head(own)
    for name in {**own, **weights}:
        if name not in own or name not in weights:
            where = "missing" if name in own else "not of the network that the configuration says"
            raise ValueError(f"weight {name} is {where}")
        if own[name].shape != weights[name].shape:
            found, wanted = tuple(weights[name].shape), tuple(own[name].shape)
            raise ValueError(f"weight {name} is {found}; by the configuration it would be {wanted}")


def _network(settings: UniSpeechSettings | RecognizerSettings, number: int) -> nn.Module:
    if isinstance(settings, UniSpeechSettings):
        return UniSpeech(settings, number)
    return Recognizer(settings, number)
