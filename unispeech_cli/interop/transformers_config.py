"""transformers' configuration of a model -> our settings of the same network, or why there is none here."""

from collections.abc import Mapping
from typing import Any, NoReturn

from unispeech_cli.frames import CONVOLUTIONS
from unispeech_cli.interop.names import MODEL_TYPES
from unispeech_cli.model.recognizer import RecognizerSettings
from unispeech_cli.model.unispeech import UniSpeechSettings
from unispeech_cli.settings import build

# transformers' own defaults, for what a config.json leaves out
_DEFAULTS: Mapping[str, Any] = {
    "conv_dim": [512] * len(CONVOLUTIONS),
    "conv_kernel": [kernel for kernel, _ in CONVOLUTIONS],
    "conv_stride": [stride for _, stride in CONVOLUTIONS],
    "conv_bias": False,
    "feat_extract_norm": "group",
    "feat_proj_layer_norm": True,
    "num_hidden_layers": 12,
    "hidden_size": 768,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "do_stable_layer_norm": False,
    "num_conv_pos_embeddings": 128,
    "num_conv_pos_embedding_groups": 16,
    "layer_norm_eps": 1e-5,
    "hidden_dropout": 0.1,
    "attention_dropout": 0.1,
    "activation_dropout": 0.1,
    "layerdrop": 0.1,
    "feat_proj_dropout": 0.0,
    "final_dropout": 0.1,
    "feat_quantizer_dropout": 0.0,
    "mask_time_prob": 0.05,
    "mask_time_length": 10,
    "mask_time_min_masks": 2,
    "mask_feature_prob": 0.0,
    "mask_feature_length": 10,
    "mask_feature_min_masks": 0,
    "num_codevector_groups": 2,
    "num_codevectors_per_group": 320,
    "codevector_dim": 256,
    "proj_codevector_dim": 256,
}
_REASONS = {
    "wavlm": "its attention has gated relative positions, which the network here lacks",
    "data2vec-audio": "its positions come from five convolutions, not from one",
    "unispeech-sat": "its pre-training heads are others",
    "wav2vec2-conformer": "its blocks are conformers",
    "wav2vec2-bert": "it reads filter banks, not waveforms",
}


def check_config(config: Mapping[str, Any]) -> None:
    """Raises ValueError saying why where the configuration is of a network that is not the one here."""
    kind = config.get("model_type")
    if kind not in MODEL_TYPES:
        reason = _REASONS.get(str(kind), f"known are {', '.join(MODEL_TYPES)}")
        _refuse(f"model type {kind}: {reason}")
    for architecture in (config.get("architectures") or [])[:1]:
        if not str(architecture).endswith(("Model", "ForCTC", "ForPreTraining")):
            _refuse(f"{architecture}: read are models For CTC, For PreTraining, and bare ones")
    for name in ("add_adapter", "adapter_attn_dim", "conv_pos_batch_norm"):
        if config.get(name):
            _refuse(f"{name} is set: the network here has no such layers")
    _check_layers(config)


def _check_layers(config: Mapping[str, Any]) -> None:
    for name in ("hidden_act", "feat_extract_activation"):
        if config.get(name, "gelu") != "gelu":
            _refuse(f"{name} is {config[name]}; the network here has gelu")
    found = list(zip(_of(config, "conv_kernel"), _of(config, "conv_stride"), strict=False))
    if found != list(CONVOLUTIONS) or len(set(_of(config, "conv_dim"))) != 1:
        _refuse(f"convolutions of other kernels, strides or widths than wav2vec 2.0's: {found}")


def model_settings(
    config: Mapping[str, Any], normalize: bool, pretraining: bool
) -> UniSpeechSettings | RecognizerSettings:
    """The settings of the same network: with the codebook, where `pretraining` says that it is there."""
    tree: dict[str, Any] = {
        "frontend": _frontend(config, normalize),
        "encoder": _encoder(config),
        "input_dropout": _of(config, "feat_proj_dropout"),
        "final_dropout": _of(config, "final_dropout"),
    }
    time = _spans(config, "time")
    if not pretraining:
        tree |= {"time_mask": time, "channel_mask": _spans(config, "feature")}
        return build(RecognizerSettings, tree)
    quantizer = {
        "groups": _of(config, "num_codevector_groups"),
        "entries": _of(config, "num_codevectors_per_group"),
        "dim": _of(config, "codevector_dim"),
        "projected_dim": _of(config, "proj_codevector_dim"),
        "space": "context" if config["model_type"] == "unispeech" else "shared",
    }
    tree |= {"quantizer": quantizer, "feature_dropout": _of(config, "feat_quantizer_dropout"), "mask": time}
    return build(UniSpeechSettings, tree)


def _frontend(config: Mapping[str, Any], normalize: bool) -> dict[str, Any]:
    return {
        "channels": _of(config, "conv_dim")[0],
        "norm": _of(config, "feat_extract_norm"),
        "bias": _of(config, "conv_bias"),
        "normalize_wave": normalize,
        "output_norm": _of(config, "feat_proj_layer_norm"),
    }


def _encoder(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "layers": _of(config, "num_hidden_layers"),
        "dim": _of(config, "hidden_size"),
        "heads": _of(config, "num_attention_heads"),
        "ffn_dim": _of(config, "intermediate_size"),
        "pre_norm": _of(config, "do_stable_layer_norm"),
        "position_kernel": _of(config, "num_conv_pos_embeddings"),
        "position_groups": _of(config, "num_conv_pos_embedding_groups"),
        "dropout": _of(config, "hidden_dropout"),
        "attention_dropout": _of(config, "attention_dropout"),
        "activation_dropout": _of(config, "activation_dropout"),
        "layerdrop": _of(config, "layerdrop"),
        "norm_eps": _of(config, "layer_norm_eps"),
    }


def _spans(config: Mapping[str, Any], axis: str) -> dict[str, Any]:
    return {
        "probability": _of(config, f"mask_{axis}_prob"),
        "length": _of(config, f"mask_{axis}_length"),
        "min_spans": _of(config, f"mask_{axis}_min_masks"),
    }


def _of(config: Mapping[str, Any], name: str) -> Any:
    return config.get(name, _DEFAULTS[name])


def _refuse(reason: str) -> NoReturn:
    raise ValueError(reason)
