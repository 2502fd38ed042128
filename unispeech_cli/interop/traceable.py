"""The recogniser as a graph of plain operators: what ONNX is traced from.

The frontend is written as convolutions here: its windows, which train faster, have no good form in ONNX.

Legend: B utterances, S samples, T frames, C channels, V tokens with blank at 0.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unispeech_cli.frames import convolved
from unispeech_cli.model.frontend import length_mask, normalize_wave
from unispeech_cli.model.recognizer import Recognizer
from unispeech_cli.model.unispeech import Context


class PaddedWaves(nn.Module):
    """Samples (B, S) at 16 kHz and true lengths (B,) of at least 400 -> logits (B, T, V), frame lengths (B,).

    Equal to `Recognizer.recognize` in evaluation.
    """

    def __init__(self, recognizer: Recognizer) -> None:
        super().__init__()
        self.context, self.head = recognizer.context, recognizer.head

    def forward(self, wave_BS: Tensor, wave_lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        feature_BTC, frame_lengths_B = _features(self.context, wave_BS, wave_lengths_B)
        context_BTD = self.context.encoder(self.context.project(feature_BTC), frame_lengths_B)
        return self.head(context_BTD), frame_lengths_B


class WholeWaves(nn.Module):
    """Samples (B, S) at 16 kHz, all of one length -> logits (B, T, V)."""

    def __init__(self, recognizer: Recognizer) -> None:
        super().__init__()
        self.padded = PaddedWaves(recognizer)

    def forward(self, wave_BS: Tensor) -> Tensor:
        lengths_B = torch.ones_like(wave_BS[:, 0], dtype=torch.long) * wave_BS.shape[1]
        logit_BTV, _ = self.padded(wave_BS, lengths_B)
        return logit_BTV


def _features(context: Context, wave_BS: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
    if context.frontend.settings.normalize_wave:
        wave_BS = normalize_wave(wave_BS, lengths_B)
    x_BTC = wave_BS[:, :, None]
    for layer in context.frontend.layers:
        x_BTC = F.conv1d(x_BTC.transpose(1, 2), layer.weight, layer.bias, stride=layer.stride).transpose(1, 2)
        lengths_B = convolved(lengths_B, layer.kernel, layer.stride)
        if layer.norm is not None:
            x_BTC = layer.norm(x_BTC, lengths_B, None)
        x_BTC = F.gelu(x_BTC)
    return context.norm(x_BTC * length_mask(lengths_B, x_BTC.shape[1])[:, :, None]), lengths_B
