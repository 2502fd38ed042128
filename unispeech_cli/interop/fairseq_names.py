"""Names of weights of fairseq's wav2vec 2.0, HuBERT and UniSpeech -> ours.

Legend: G codebook groups, V entries of a group, E dimension of a joined vector.
"""

import re
from collections.abc import Mapping

from torch import Tensor

# where fine-tuned models, and UniSpeech's, keep the encoder and the CTC head
_ENCODER, _HEAD = ("w2v_encoder.w2v_model.", "w2v_model.", "hubert_encoder.w2v_model."), "proj."
# with {} for the number of a layer, the convolutions' norms in both forms
_MODULES = {
    "feature_extractor.conv_layers.{}.0": "context.frontend.layers.{}",
    "feature_extractor.conv_layers.{}.2": "context.frontend.layers.{}.norm",
    "feature_extractor.conv_layers.{}.2.1": "context.frontend.layers.{}.norm",
    "layer_norm": "context.norm",
    "post_extract_proj": "context.project",
    "encoder.pos_conv.0": "context.encoder.position",
    "encoder.layer_norm": "context.encoder.norm",
    "encoder.layers.{}.self_attn.q_proj": "context.encoder.layers.{}.attention.query",
    "encoder.layers.{}.self_attn.k_proj": "context.encoder.layers.{}.attention.key",
    "encoder.layers.{}.self_attn.v_proj": "context.encoder.layers.{}.attention.value",
    "encoder.layers.{}.self_attn.out_proj": "context.encoder.layers.{}.attention.out",
    "encoder.layers.{}.self_attn_layer_norm": "context.encoder.layers.{}.attention_norm",
    "encoder.layers.{}.fc1": "context.encoder.layers.{}.expand",
    "encoder.layers.{}.fc2": "context.encoder.layers.{}.contract",
    "encoder.layers.{}.final_layer_norm": "context.encoder.layers.{}.ffn_norm",
    "quantizer.weight_proj": "quantizer.score",
    "project_q": "project_codes",
}
_POSITION = "encoder.pos_conv.0"
_PARTS = {"default": ("weight", "bias"), _POSITION: ("bias", "weight_g", "weight_v")}
_LAYER = re.compile(r"(?<=layers\.)\d+")


def from_fairseq(weights: Mapping[str, Tensor], transposed: bool) -> dict[str, Tensor]:
    """The weights under our names; `transposed`, as in UniSpeech, where q is projected to c and c is not.

    Raises ValueError naming weights that have no place in our networks.
    """
    inner = {_without_prefix(name): value for name, value in weights.items()}
    final = "project_target" if transposed else "project_context"
    names = {name: _our_name(name, final) for name in inner}
    unknown = [name for name, own in names.items() if own is None]
    if unknown:
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        raise ValueError(f"weights that no network here has: {', '.join(unknown[:3])}{more}")
    found = {own: inner[name] for name, own in names.items() if own is not None}
    if "quantizer.codebook" in found:
        found["quantizer.codebook"] = _split_groups(found)
    return found


def _without_prefix(name: str) -> str:
    for prefix in _ENCODER:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    # the head lies beside the encoder
    outer = name.partition(".")[2]
    return f"head.{outer.removeprefix(_HEAD)}" if outer.startswith(_HEAD) else name


def _our_name(name: str, final: str) -> str | None:
    single = {"mask_emb": "context.mask_embedding", "quantizer.vars": "quantizer.codebook"}
    if name in single:
        return single[name]
    module, _, parameter = name.rpartition(".")
    if parameter not in _PARTS.get(module, _PARTS["default"]):
        return None
    if module in ("head", "final_proj"):
        return f"{final if module == 'final_proj' else 'head'}.{parameter}"
    number = _LAYER.search(module)
    own = _MODULES.get(_LAYER.sub("{}", module))
    return own and f"{own.format(number[0] if number else '')}.{parameter}"


def _split_groups(ours: Mapping[str, Tensor]) -> Tensor:
    """(1, G V, E/G) -> (G, V, E/G), E by the projection behind the codebook."""
    codebook = ours["quantizer.codebook"]
    if "project_codes.weight" not in ours:
        raise ValueError("quantizer.vars without project_q.weight: the number of its groups is unknown")
    groups = ours["project_codes.weight"].shape[1] // codebook.shape[-1]
    return codebook.reshape(groups, -1, codebook.shape[-1])
