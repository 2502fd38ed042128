"""Our settings -> transformers' config.json and preprocessor_config.json."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from unispeech_cli.frames import CONVOLUTIONS, SAMPLE_RATE
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.model.masking import SpanSettings
from unispeech_cli.model.quantizer import QuantizerSettings
from unispeech_cli.model.recognizer import RecognizerSettings
from unispeech_cli.model.unispeech import ContextSettings, UniSpeechSettings

ModelSettings = RecognizerSettings | UniSpeechSettings
# how transformers begins the names of their classes
_CLASSES = {"unispeech": "UniSpeech", "wav2vec2": "Wav2Vec2", "hubert": "Hubert"}


def quantizer_of(settings: ModelSettings) -> QuantizerSettings | None:
    """The codebooks, None in a model without them."""
    return settings.quantizer if isinstance(settings, UniSpeechSettings) else None


def model_type(settings: ModelSettings) -> str:
    """The type of transformers' that has this very network; where several do, UniSpeech."""
    quantizer = quantizer_of(settings)
    if quantizer is not None and quantizer.space == "shared":
        return "wav2vec2"
    return "unispeech" if settings.frontend.output_norm else "hubert"


def architecture(settings: ModelSettings, kind: str) -> str:
    """The class of that type: for pre-training where there are codebooks, else for CTC."""
    return f"{_CLASSES[kind]}For{'CTC' if quantizer_of(settings) is None else 'PreTraining'}"


def config(settings: ModelSettings, table: TokenTable, kind: str) -> dict[str, Any]:
    """config.json of a model over the tokens of `table`, blank 0; `kind` is a model type of transformers'."""
    return {
        "architectures": [architecture(settings, kind)],
        "model_type": kind,
        **_network(settings.context),
        **_quantizer(settings, len(table)),
        **_masks(settings),
        "final_dropout": settings.final_dropout,
        "vocab_size": len(table),
        "pad_token_id": 0,
        "bos_token_id": None,
        "eos_token_id": None,
        "ctc_loss_reduction": "mean",
        "ctc_zero_infinity": True,
    }


def preprocessor(settings: ModelSettings) -> dict[str, Any]:
    """preprocessor_config.json: how waves are normalised and padded.

    The attention mask is asked for whatever the norm of the frontend: ours were all trained with it.
    """
    return {
        "do_normalize": settings.frontend.normalize_wave,
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "feature_size": 1,
        "padding_side": "right",
        "padding_value": 0.0,
        "processor_class": "Wav2Vec2Processor",
        "return_attention_mask": True,
        "sampling_rate": SAMPLE_RATE,
    }


def _network(context: ContextSettings) -> dict[str, Any]:
    frontend, encoder = context.frontend, context.encoder
    return {
        "conv_dim": [frontend.channels] * len(CONVOLUTIONS),
        "conv_kernel": [kernel for kernel, _ in CONVOLUTIONS],
        "conv_stride": [stride for _, stride in CONVOLUTIONS],
        "num_feat_extract_layers": len(CONVOLUTIONS),
        "conv_bias": frontend.bias,
        "feat_extract_norm": frontend.norm,
        "feat_extract_activation": "gelu",
        "feat_proj_layer_norm": frontend.output_norm,
        "feat_proj_dropout": context.input_dropout,
        "hidden_size": encoder.dim,
        "num_hidden_layers": encoder.layers,
        "num_attention_heads": encoder.heads,
        "intermediate_size": encoder.ffn_dim,
        "hidden_act": "gelu",
        "do_stable_layer_norm": encoder.pre_norm,
        "layer_norm_eps": encoder.norm_eps,
        "num_conv_pos_embeddings": encoder.position_kernel,
        "num_conv_pos_embedding_groups": encoder.position_groups,
        "hidden_dropout": encoder.dropout,
        "attention_dropout": encoder.attention_dropout,
        "activation_dropout": encoder.activation_dropout,
        "layerdrop": encoder.layerdrop,
    }


def _quantizer(settings: ModelSettings, num_tokens: int) -> dict[str, Any]:
    quantizer = quantizer_of(settings)
    if quantizer is None or not isinstance(settings, UniSpeechSettings):
        return {}
    return {
        "num_codevector_groups": quantizer.groups,
        "num_codevectors_per_group": quantizer.entries,
        "codevector_dim": quantizer.dim,
        "proj_codevector_dim": quantizer.projection,
        "feat_quantizer_dropout": settings.feature_dropout,
        "num_ctc_classes": num_tokens,
    }


def _masks(settings: ModelSettings) -> Mapping[str, Any]:
    if isinstance(settings, UniSpeechSettings):
        return {"apply_spec_augment": True, **_spans("time", settings.mask)}
    channels = settings.channel_mask
    # of a narrow model ours are shorter in the same way; transformers would refuse to train
    channels = replace(channels, length=min(channels.length, settings.encoder.dim // 2))
    return {"apply_spec_augment": True, **_spans("time", settings.time_mask), **_spans("feature", channels)}


def _spans(axis: str, spans: SpanSettings) -> dict[str, Any]:
    return {
        f"mask_{axis}_prob": spans.probability,
        f"mask_{axis}_length": spans.length,
        f"mask_{axis}_min_masks": spans.min_spans,
    }
