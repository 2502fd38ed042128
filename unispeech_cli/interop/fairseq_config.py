"""fairseq's `cfg` or `args` and the shapes of the weights -> our settings of the same network."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from unispeech_cli.frames import CONVOLUTIONS
from unispeech_cli.model.recognizer import RecognizerSettings
from unispeech_cli.model.unispeech import UniSpeechSettings
from unispeech_cli.settings import build

KINDS = ("wav2vec2", "wav2vec_ctc", "unispeech", "hubert", "hubert_ctc")
_CONVOLUTION = re.compile(r"\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\)")


def options(root: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of a checkpoint's plain root: the options of the model itself, and those of the encoder below it.

    `cfg` has sections, `args` of older files is flat; a fine-tuned model keeps its encoder's in `w2v_args`. The
    task's `normalize` comes with them, as does the network's name, as `_name`.
    Raises ValueError where there are none.
    """
    saved = root.get("cfg") or root.get("args")
    if not isinstance(saved, dict):
        raise ValueError("no cfg or args in it: not a checkpoint of fairseq")
    own = _flat(saved)
    inner = own.get("w2v_args")
    return own, _flat(inner) if isinstance(inner, dict) and inner else own


def check_options(own: Mapping[str, Any], encoder: Mapping[str, Any]) -> None:
    """Raises ValueError saying why where the options are of a network that is not the one here."""
    kind = own.get("_name")
    if kind not in KINDS:
        raise ValueError(f"architecture {kind}: known are {', '.join(KINDS)}")
    if encoder.get("activation_fn", "gelu") != "gelu":
        raise ValueError(f"activation_fn is {encoder['activation_fn']}; the network here has gelu")
    layers = encoder.get("conv_feature_layers")
    if layers and _convolutions(str(layers)) != list(CONVOLUTIONS):
        raise ValueError(f"convolutions other than wav2vec 2.0's: {layers}")


def is_transposed(own: Mapping[str, Any], encoder: Mapping[str, Any]) -> bool:
    """Whether q is projected to c, as UniSpeech does, rather than both to a third space."""
    return bool(encoder.get("transpose", own.get("_name") == "unispeech"))


def model_settings(
    own: Mapping[str, Any], encoder: Mapping[str, Any], weights: Mapping[str, Tensor]
) -> UniSpeechSettings | RecognizerSettings:
    """Settings of the network of `weights` (our names): shapes say most, options the rest.

    Raises ValueError where the number of attention heads is not said.
    """
    tree: dict[str, Any] = {
        "frontend": _frontend(own, encoder, weights),
        "encoder": _encoder(own, encoder, weights),
        "input_dropout": _chosen("dropout_input", own, encoder),
        "final_dropout": _chosen("final_dropout", own, encoder),
    }
    if "quantizer.codebook" not in weights:
        tree |= {"time_mask": _spans(own, "mask", 2), "channel_mask": _spans(own, "mask_channel", 0)}
        return build(RecognizerSettings, tree)
    groups, entries, part = weights["quantizer.codebook"].shape
    quantizer = {
        "groups": groups,
        "entries": entries,
        "dim": groups * part,
        "projected_dim": len(weights["project_codes.weight"]),
        "space": "context" if "project_target.weight" in weights else "shared",
    }
    tree |= {"quantizer": quantizer, "mask": _spans(own, "mask", 2)}
    return build(UniSpeechSettings, tree | {"feature_dropout": _chosen("dropout_features", own, encoder)})


def _flat(saved: Mapping[str, Any]) -> dict[str, Any]:
    model, task = saved.get("model"), saved.get("task")
    found = dict(model) if isinstance(model, dict) else dict(saved)
    found.setdefault("_name", found.get("arch"))
    if isinstance(task, dict):
        found["normalize"] = task.get("normalize")
    # a section that is there, and older names of the architectures
    names = {"wav2vec2_large": "wav2vec2", "wav2vec_small": "wav2vec2", "wav2vec_big": "wav2vec2"}
    found["_name"] = names.get(str(found["_name"]), found["_name"])
    return found


def _frontend(
    own: Mapping[str, Any], encoder: Mapping[str, Any], weights: Mapping[str, Tensor]
) -> dict[str, Any]:
    first = "context.frontend.layers.0"
    return {
        "channels": len(weights[f"{first}.weight"]),
        "norm": "layer" if "context.frontend.layers.1.norm.weight" in weights else "group",
        "bias": f"{first}.bias" in weights,
        "normalize_wave": bool(_first(own.get("normalize"), encoder.get("normalize"), 0.0)),
        "output_norm": "context.norm.weight" in weights,
    }


def _encoder(
    own: Mapping[str, Any], encoder: Mapping[str, Any], weights: Mapping[str, Tensor]
) -> dict[str, Any]:
    if "encoder_attention_heads" not in encoder:
        raise ValueError("its options do not say encoder_attention_heads")
    dim, share, kernel = weights["context.encoder.position.weight_v"].shape
    prefix = "context.encoder.layers."
    return {
        "layers": len({name.split(".")[3] for name in weights if name.startswith(prefix)}),
        "dim": dim,
        "heads": encoder["encoder_attention_heads"],
        "ffn_dim": len(weights[f"{prefix}0.expand.weight"]),
        "pre_norm": bool(encoder.get("layer_norm_first", False)),
        "position_kernel": kernel,
        "position_groups": dim // share,
        "dropout": _chosen("dropout", own, encoder),
        "attention_dropout": _chosen("attention_dropout", own, encoder),
        "activation_dropout": _chosen("activation_dropout", own, encoder),
        "layerdrop": _first(own.get("layerdrop"), encoder.get("encoder_layerdrop"), 0.0),
    }


def _chosen(name: str, own: Mapping[str, Any], encoder: Mapping[str, Any]) -> float:
    """A rate of the model itself, else of its encoder, else 0 as in fairseq."""
    return _first(own.get(name), encoder.get(name), 0.0)


def _first(*values: float | None) -> float:
    return next(float(value) for value in values if isinstance(value, int | float))


def _spans(own: Mapping[str, Any], name: str, min_spans: int) -> dict[str, Any]:
    return {
        "probability": _first(own.get(f"{name}_prob"), 0.0),
        "length": int(_first(own.get(f"{name}_length"), 10)),
        "min_spans": min_spans,
    }


def _convolutions(text: str) -> list[tuple[int, int]]:
    """Kernels and strides of `[(512, 10, 5)] + [(512, 3, 2)] * 4 + ...`, read, not evaluated."""
    found: list[tuple[int, int]] = []
    for term in text.split("+"):
        inside, _, times = term.partition("]")
        layers = [(int(kernel), int(stride)) for _, kernel, stride in _CONVOLUTION.findall(inside)]
        count = re.search(r"\d+", times)
        found += layers * (int(count[0]) if count else 1)
    return found
