"""Names of weights: ours, and those of transformers' UniSpeech, Wav2Vec2 and HuBERT.

The networks are the same; names differ, and so does the codebook's layout.

Legend: D model dimension, G codebook groups, V entries of a group, E dimension of a joined vector, P projected
dimension.
"""

import re
from collections.abc import Mapping

from torch import Tensor

MODEL_TYPES = ("unispeech", "wav2vec2", "hubert")

# modules of the context network, with {} for the number of a layer: ours -> theirs, below unispeech., wav2vec2. ...
_CONTEXT = {
    "context.frontend.layers.{}": "feature_extractor.conv_layers.{}.conv",
    "context.frontend.layers.{}.norm": "feature_extractor.conv_layers.{}.layer_norm",
    "context.norm": "feature_projection.layer_norm",
    "context.project": "feature_projection.projection",
    "context.encoder.position": "encoder.pos_conv_embed.conv",
    "context.encoder.norm": "encoder.layer_norm",
    "context.encoder.layers.{}.attention.query": "encoder.layers.{}.attention.q_proj",
    "context.encoder.layers.{}.attention.key": "encoder.layers.{}.attention.k_proj",
    "context.encoder.layers.{}.attention.value": "encoder.layers.{}.attention.v_proj",
    "context.encoder.layers.{}.attention.out": "encoder.layers.{}.attention.out_proj",
    "context.encoder.layers.{}.attention_norm": "encoder.layers.{}.layer_norm",
    "context.encoder.layers.{}.expand": "encoder.layers.{}.feed_forward.intermediate_dense",
    "context.encoder.layers.{}.contract": "encoder.layers.{}.feed_forward.output_dense",
    "context.encoder.layers.{}.ffn_norm": "encoder.layers.{}.final_layer_norm",
}
_OUTSIDE = {"quantizer.score": "quantizer.weight_proj", "project_codes": "project_q"}
_MASK, _CODEBOOK = "context.mask_embedding", "quantizer.codebook"
_THEIR_MASK, _THEIR_CODEBOOK = "masked_spec_embed", "quantizer.codevectors"
# of the one weight-normalised convolution: gain and direction, in the old spelling and in the new one
_POSITION = "encoder.pos_conv_embed.conv"
_OLD_NORM = ("weight_g", "weight_v")
_NEW_NORM = ("parametrizations.weight.original0", "parametrizations.weight.original1")


def from_transformers(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a transformers model under our names; those of a bare encoder, too.

    Raises ValueError naming weights that have no place in our networks.
    """
    prefix = next((f"{kind}." for kind in MODEL_TYPES if any(n.startswith(f"{kind}.") for n in weights)), "")
    ours = {name: _our_name(name, prefix) for name in weights}
    unknown = [name for name, own in ours.items() if own is None]
    if unknown:
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        raise ValueError(f"weights that no network here has: {', '.join(unknown[:3])}{more}")
    found = {own: weights[name] for name, own in ours.items() if own is not None}
    if _CODEBOOK in found:
        found[_CODEBOOK] = _split_groups(found)
    return found


def to_transformers(
    weights: Mapping[str, Tensor], model_type: str, new_weight_norm: bool
) -> dict[str, Tensor]:
    """Our weights under transformers' names: of ForPreTraining where there is a quantizer, else of ForCTC.

    `model_type` is one of `MODEL_TYPES`; `new_weight_norm` spells the convolution over positions as torch >= 2.1
    and transformers >= 5 do. The CTC head of a wav2vec 2.0 pre-training network is left out: theirs has none.
    Raises ValueError for a network that the type does not have.
    """
    _check(weights, model_type)
    pretraining = _CODEBOOK in weights
    found = {}
    for name, value in weights.items():
        if name.startswith("head.") and pretraining and model_type == "wav2vec2":
            continue
        found[_their_name(name, f"{model_type}.", pretraining, new_weight_norm)] = (
            value.reshape(1, -1, value.shape[-1]) if name == _CODEBOOK else value
        )
    return found


def _check(weights: Mapping[str, Tensor], model_type: str) -> None:
    if model_type not in MODEL_TYPES:
        raise ValueError(f"no model type {model_type}: known are {', '.join(MODEL_TYPES)}")
    wanted = {"unispeech": "project_target.weight", "wav2vec2": "project_context.weight"}.get(model_type)
    if _CODEBOOK in weights and wanted not in weights:
        raise ValueError(f"{model_type} has no pre-training network with this codebook and its projections")


def _split_groups(ours: Mapping[str, Tensor]) -> Tensor:
    """(1, G V, E/G) -> (G, V, E/G); E is told by the projection behind the codebook."""
    codebook = ours[_CODEBOOK]
    if "project_codes.weight" not in ours:
        raise ValueError(f"{_THEIR_CODEBOOK} without project_q.weight: the number of its groups is unknown")
    groups = ours["project_codes.weight"].shape[1] // codebook.shape[-1]
    return codebook.reshape(groups, -1, codebook.shape[-1])


def _our_name(name: str, prefix: str) -> str | None:
    inner = name.removeprefix(prefix)
    if inner == _THEIR_CODEBOOK:
        return _CODEBOOK
    if inner == _THEIR_MASK:
        return _MASK
    for old, new in zip(_OLD_NORM, _NEW_NORM, strict=True):
        inner = inner.replace(f"{_POSITION}.{new}", f"{_POSITION}.{old}")
    module, _, parameter = inner.rpartition(".")
    if parameter not in (("bias", *_OLD_NORM) if module == _POSITION else ("weight", "bias")):
        return None
    outside = {theirs: ours for ours, theirs in _OUTSIDE.items()} | {"lm_head": "head", "ctc_proj": "head"}
    outside["project_hid"] = "project_target" if prefix == "unispeech." else "project_context"
    own = _translate(module, {theirs: ours for ours, theirs in _CONTEXT.items()} | outside)
    return own and f"{own}.{parameter}"


def _their_name(name: str, prefix: str, pretraining: bool, new_weight_norm: bool) -> str:
    if name == _CODEBOOK:
        return _THEIR_CODEBOOK
    if name == _MASK:
        return prefix + _THEIR_MASK
    module, _, parameter = name.rpartition(".")
    if new_weight_norm and parameter in _OLD_NORM:
        parameter = _NEW_NORM[_OLD_NORM.index(parameter)]
    outside = _OUTSIDE | {"project_target": "project_hid", "project_context": "project_hid"}
    outside["head"] = "ctc_proj" if pretraining else "lm_head"
    theirs = _translate(module, outside) or prefix + (_translate(module, _CONTEXT) or "")
    assert theirs != prefix, f"a weight of ours without a name of theirs: {name}"
    return f"{theirs}.{parameter}"


def _translate(module: str, names: Mapping[str, str]) -> str | None:
    """One name by a table in which {} stands for the number of a layer."""
    number = re.search(r"(?<=layers\.)\d+", module)
    found = names.get(re.sub(r"(?<=layers\.)\d+", "{}", module))
    return found and found.format(number[0] if number else "")
