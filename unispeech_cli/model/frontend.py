"""Waveform -> frames: input normalisation over the true length, then the seven convolutions of wav2vec 2.0.

Everything is (batch, time, channel), so that a convolution is one matrix product over windows of contiguous
memory and layer norm needs no transpose.

Legend: B utterances, S samples, T frames (or inputs of a layer), C channels, K kernel.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unispeech_cli.frames import CONVOLUTIONS, RECEPTIVE_FIELD, convolved
from unispeech_cli.model.activation import gelu
from unispeech_cli.model.economy import through
from unispeech_cli.model.exact import exactly, wide
from unispeech_cli.model.statistics import Statistics

# mean and variance (C,) of a layer's outputs over time
Moments = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class FrontendSettings:
    """The feature encoder (wav2vec 2.0, section 2; UniSpeech section 3.1)."""

    channels: int = 512
    # group: the first layer is normalised per channel over time (Base). layer: every layer over channels (Large)
    norm: Literal["group", "layer"] = "group"
    bias: bool = False
    # zero mean and unit variance over each utterance's true length
    normalize_wave: bool = True
    # gradients that reach the convolutions are multiplied by this
    gradient_scale: float = 1.0
    # layer norm over the channels of what comes out; some HuBERT models go without
    output_norm: bool = True


def length_mask(lengths_B: Tensor, size: int) -> Tensor:
    """True where a position lies inside the utterance. Returns (B, size), bool."""
    return torch.arange(size, device=lengths_B.device)[None, :] < lengths_B[:, None]


def normalize_wave(wave_BS: Tensor, lengths_B: Tensor) -> Tensor:
    """Zero mean and unit variance over the true length of each utterance; padding becomes 0."""
    inside_BS = length_mask(lengths_B, wave_BS.shape[1])
    count_B1 = lengths_B[:, None].to(wave_BS.dtype)
    mean_B1 = wave_BS.masked_fill(~inside_BS, 0).sum(1, keepdim=True) / count_B1
    centred_BS = (wave_BS - mean_B1).masked_fill(~inside_BS, 0)
    variance_B1 = centred_BS.square().sum(1, keepdim=True) / count_B1
    return centred_BS * torch.rsqrt(variance_B1 + 1e-7)


class Frontend(nn.Module):
    """Seven convolutions with GELU: 400 samples wide, 320 apart; an utterance's frames do not see its batch."""

    def __init__(self, settings: FrontendSettings) -> None:
        super().__init__()
        self.settings = settings
        # with it layers keep no activations
        self.recomputes = False
        inputs = [1] + [settings.channels] * (len(CONVOLUTIONS) - 1)
        self.layers = nn.ModuleList(
            Convolution(channels, settings, kernel, stride, first=index == 0)
            for index, (channels, (kernel, stride)) in enumerate(zip(inputs, CONVOLUTIONS, strict=True))
        )

    def forward(
        self, wave_BS: Tensor, lengths_B: Tensor, whole: Statistics | None = None
    ) -> tuple[Tensor, Tensor]:
        """Samples (B, S) and their true lengths -> frames (B, T, C), zero past the end, and frame lengths.

        With `whole` the waves are parts of a recording with these statistics, and their frames are the
        recording's own. Raises ValueError for an utterance below 400 samples.
        """
        if int(lengths_B.min()) < RECEPTIVE_FIELD:
            raise ValueError(
                f"an utterance of {int(lengths_B.min())} samples: one frame needs {RECEPTIVE_FIELD}"
            )
        if self.settings.normalize_wave:
            wave_BS = whole.normalize(wave_BS) if whole else normalize_wave(wave_BS, lengths_B)
        moments = self._moments(whole) if whole and self.settings.norm == "group" else None
        x_BTC = wave_BS[:, :, None]
        for layer in self.layers:
            x_BTC, lengths_B = through(layer, x_BTC, lengths_B, moments, again=self.recomputes)
            # only the first layer has a norm over time
            moments = None
        if self.settings.gradient_scale != 1.0 and x_BTC.requires_grad:
            x_BTC = _ScaleGradient.apply(x_BTC, self.settings.gradient_scale)
        return x_BTC * length_mask(lengths_B, x_BTC.shape[1])[:, :, None], lengths_B

    def _moments(self, whole: Statistics) -> Moments:
        first = self.layers[0]
        mean_C, variance_C = whole.channels(first.weight[:, 0], self.settings.normalize_wave)
        return (mean_C if first.bias is None else mean_C + first.bias), variance_C


class Convolution(nn.Module):
    """One unpadded convolution, its norm and GELU: (B, T, C) and lengths -> the same of the next layer.

    `weight` has the layout of torch's Conv1d: (channels out, channels in, kernel).
    """

    def __init__(
        self, channels_in: int, settings: FrontendSettings, kernel: int, stride: int, first: bool
    ) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.weight = nn.Parameter(torch.empty(settings.channels, channels_in, kernel))
        nn.init.kaiming_normal_(self.weight)
        self.bias = nn.Parameter(torch.zeros(settings.channels)) if settings.bias else None
        self.norm: nn.Module | None = None
        if settings.norm == "layer":
            self.norm = LayerNorm(settings.channels)
        elif first:
            self.norm = ChannelNorm(settings.channels)

    def forward(
        self, x_BTC: Tensor, lengths_B: Tensor, moments: Moments | None = None
    ) -> tuple[Tensor, Tensor]:
        window_BTW = _Windows.apply(x_BTC, self.kernel, self.stride)
        y_BTC = F.linear(window_BTW, self.weight.transpose(1, 2).flatten(1), self.bias)
        lengths_B = convolved(lengths_B, self.kernel, self.stride)
        if self.norm is not None:
            # wide inside, and then as before: these are the largest tensors of all
            with exactly(y_BTC):
                y_BTC = self.norm(wide(y_BTC), lengths_B, moments).to(y_BTC.dtype)
        return gelu(y_BTC), lengths_B


class LayerNorm(nn.Module):
    """Layer norm over channels; lengths and moments over time are not needed."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x_BTC: Tensor, lengths_B: Tensor, moments: Moments | None = None) -> Tensor:
        return F.layer_norm(x_BTC, self.weight.shape, self.weight, self.bias)


class ChannelNorm(nn.Module):
    """Group norm with a group per channel: each channel over the true length of its own utterance.

    `moments` are those of a recording that the utterance is a part of, and take the place of its own.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x_BTC: Tensor, lengths_B: Tensor, moments: Moments | None = None) -> Tensor:
        if moments is not None:
            mean_C, variance_C = moments
            return torch.addcmul(self.bias, x_BTC - mean_C, torch.rsqrt(variance_C + 1e-5) * self.weight)
        # means as matrix products: no copy with the padding blanked out
        inside_B1T = length_mask(lengths_B, x_BTC.shape[1])[:, None, :].to(x_BTC.dtype)
        weight_B1T = inside_B1T / lengths_B[:, None, None]
        centred_BTC = x_BTC - weight_B1T @ x_BTC
        scale_B1C = torch.rsqrt(weight_B1T @ centred_BTC.square() + 1e-5) * self.weight
        return torch.addcmul(self.bias, centred_BTC, scale_B1C)


def _windows(x_BTC: Tensor, kernel: int, stride: int) -> Tensor:
    """Each output's inputs in one row: (B, T', kernel x C)."""
    return x_BTC.unfold(1, kernel, stride).transpose(2, 3).flatten(2)


class _Windows(torch.autograd.Function):
    # the gradient of unfold adds element by element; adding one tap at a time is 1.4 times faster in all
    @staticmethod
    def forward(ctx: Any, x_BTC: Tensor, kernel: int, stride: int) -> Tensor:
        ctx.shape, ctx.kernel, ctx.stride = x_BTC.shape, kernel, stride
        return _windows(x_BTC, kernel, stride)

    @staticmethod
    def backward(ctx: Any, gradient_BTW: Tensor) -> tuple[Tensor | None, None, None]:
        if not ctx.needs_input_grad[0]:
            return None, None, None
        whole_BTC = gradient_BTW.new_zeros(ctx.shape)
        end = (gradient_BTW.shape[1] - 1) * ctx.stride + 1
        for tap, part_BTC in enumerate(gradient_BTW.unflatten(2, (ctx.kernel, -1)).unbind(2)):
            whole_BTC[:, tap : tap + end : ctx.stride] += part_BTC
        return whole_BTC, None, None


class _ScaleGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float) -> Tensor:
        ctx.scale = scale
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.scale, None
