"""A checkpoint as a directory that transformers loads; transformers itself is not needed.

What was imported from transformers goes back as it came: its own configuration and tokenizer, its own order of
tokens.

Legend: D model dimension, V tokens.
"""

import json
from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from unispeech_cli.export_paths import ExportDir
from unispeech_cli.interop.hub_config import architecture, config, model_type, preprocessor
from unispeech_cli.interop.hub_tokenizer import tokenizer_class, tokenizer_files
from unispeech_cli.interop.leaving import Leaving
from unispeech_cli.interop.names import to_transformers

_HEAD = ("head.weight", "head.bias")
_MASK = "masked_spec_embed"
# what transformers masks where a configuration does not say it
_MASKED = {"mask_time_prob": 0.05, "mask_feature_prob": 0.0}


def write_hub(place: ExportDir, leaving: Leaving) -> None:
    """Write config.json, model.safetensors, preprocessor_config.json and the tokenizer's files.

    Raises ValueError for a network that no model type of transformers has.
    """
    made = hub_config(leaving)
    place.config.write_text(_json(made), encoding="utf-8")
    if waves := _preprocessor(leaving):
        place.preprocessor.write_text(_json(waves), encoding="utf-8")
    for name, text in _tokenizer(leaving).items():
        place.file(name).write_text(text, encoding="utf-8")
    weights = hub_weights(leaving, made)
    save_file({name: value.contiguous() for name, value in weights.items()}, place.weights, {"format": "pt"})


def hub_class(leaving: Leaving) -> str:
    """The class of transformers that loads it: UniSpeechForCTC, Wav2Vec2ForPreTraining, ..."""
    known = leaving.origin and leaving.origin["architecture"]
    return str(known) if known and _returns(leaving) else architecture(leaving.settings, _kind(leaving))


def hub_config(leaving: Leaving) -> dict[str, Any]:
    """config.json."""
    if leaving.origin is not None and _returns(leaving):
        return dict(leaving.origin["config"])
    made = config(leaving.settings, leaving.tokens, _kind(leaving))
    # older releases look for a model's tokenizer by this name
    return made | ({"tokenizer_class": tokenizer_class(leaving.tokens)} if len(leaving.tokens) > 1 else {})


def hub_weights(leaving: Leaving, made: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights under transformers' names, the head's rows in the order that the configuration `made` means.

    The weight norm is spelled the old way, which every release reads.
    """
    weights, order = dict(leaving.weights), (leaving.origin or {}).get("token_order")
    if order and _returns(leaving):
        rows = torch.tensor(order)
        weights |= {name: weights[name][rows] for name in _HEAD}
    found = to_transformers(weights, made["model_type"], new_weight_norm=False)
    prefix = f"{made['model_type']}."
    if not any(made.get(name, default) > 0 for name, default in _MASKED.items()):
        found.pop(prefix + _MASK)
    if next(iter(made.get("architectures") or [""])).endswith("Model"):
        found = {name.removeprefix(prefix): value for name, value in found.items()}
    return found


def _preprocessor(leaving: Leaving) -> Mapping[str, Any] | None:
    if leaving.origin is not None and _returns(leaving):
        found: Mapping[str, Any] | None = leaving.origin["preprocessor"]
        return found
    return preprocessor(leaving.settings)


def _tokenizer(leaving: Leaving) -> Mapping[str, str]:
    if leaving.origin is not None and _returns(leaving):
        return leaving.origin["tokenizer"] or {}
    # a table of blank alone: what the outputs mean is not known
    return tokenizer_files(leaving.tokens) if len(leaving.tokens) > 1 else {}


def _returns(leaving: Leaving) -> bool:
    """Whether it goes back to where it came from."""
    return leaving.origin is not None and leaving.origin["format"] == "transformers"


def _kind(leaving: Leaving) -> str:
    return str(leaving.origin["model_type"]) if leaving.origin else model_type(leaving.settings)


def _json(tree: Mapping[str, Any]) -> str:
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"
