"""How large a model is and what a second of audio costs, from its settings alone: nothing is allocated."""

from itertools import accumulate
from operator import mul

from unispeech_cli.frames import CONVOLUTIONS, HOP, SAMPLE_RATE
from unispeech_cli.model.encoder import EncoderSettings
from unispeech_cli.model.frontend import FrontendSettings
from unispeech_cli.model.quantizer import QuantizerSettings
from unispeech_cli.model.unispeech import ContextSettings


def weights(context: ContextSettings, quantizer: QuantizerSettings | None, tokens: int) -> dict[str, int]:
    """Parameters by part, of a `UniSpeech` with such a quantizer, or of a `Recognizer` (None)."""
    frontend, encoder = context.frontend, context.encoder
    found = {
        "frontend": _frontend(frontend),
        "projection": _linear(frontend.channels, encoder.dim)
        + encoder.dim
        + 2 * frontend.channels * frontend.output_norm,
        "context network": _encoder(encoder),
    }
    if quantizer is not None:
        found["quantizer"] = _quantizer(quantizer, frontend.channels, encoder.dim)
    return {**found, "CTC head": _linear(encoder.dim, tokens)}


def multiplications(context: ContextSettings, quantizer: QuantizerSettings | None, tokens: int) -> float:
    """Multiply-adds of one forward pass over a second of audio.

    Convolutions at their own rates, everything else once per frame and weight; the products of attention with
    itself are left out: for the large model 4 % at utterances of 5 s.
    """
    parts = weights(context, quantizer, tokens)
    frames = sum(count for name, count in parts.items() if name != "frontend") * SAMPLE_RATE / HOP
    hops = accumulate((stride for _, stride in CONVOLUTIONS), mul)
    layers = zip(_kernels(context.frontend), hops, strict=True)
    return frames + sum(kernel * SAMPLE_RATE / hop for kernel, hop in layers)


def _linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def _kernels(settings: FrontendSettings) -> list[int]:
    """The weights of each convolution, without biases."""
    channels = settings.channels
    inputs = [1] + [channels] * (len(CONVOLUTIONS) - 1)
    return [kernel * size * channels for (kernel, _), size in zip(CONVOLUTIONS, inputs, strict=True)]


def _frontend(settings: FrontendSettings) -> int:
    layers = len(CONVOLUTIONS)
    norms = layers if settings.norm == "layer" else 1
    return sum(_kernels(settings)) + settings.channels * (2 * norms + layers * settings.bias)


def _encoder(settings: EncoderSettings) -> int:
    dim, kernel = settings.dim, settings.position_kernel
    position = dim * (dim // settings.position_groups) * kernel + kernel + dim
    blocks = 4 * _linear(dim, dim) + _linear(dim, settings.ffn_dim) + _linear(settings.ffn_dim, dim)
    return position + 2 * dim + settings.layers * (blocks + 4 * dim)


def _quantizer(settings: QuantizerSettings, channels: int, dim: int) -> int:
    entries = _linear(channels, settings.groups * settings.entries) + settings.entries * settings.dim
    wide, narrow = settings.projection, dim
    target = _linear(wide, narrow) if settings.space == "context" else _linear(narrow, wide)
    return entries + _linear(settings.dim, wide) + target
