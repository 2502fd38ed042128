"""A CTC recogniser: the pre-trained context network with a new head, for fine-tuning and decoding.

Legend: B utterances, S samples, T frames, D model dimension, V tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unispeech_cli.chance import generators
from unispeech_cli.model.encoder import EncoderSettings
from unispeech_cli.model.exact import exactly, wide
from unispeech_cli.model.frontend import FrontendSettings
from unispeech_cli.model.head import ctc_head
from unispeech_cli.model.masking import SpanSettings, span_mask
from unispeech_cli.model.statistics import Statistics
from unispeech_cli.model.unispeech import Context, ContextSettings


@dataclass(frozen=True)
class RecognizerSettings:
    """The fine-tuning model; masks as in the official fine-tuning (time 0.75 x 10, channels 0.25 x 64)."""

    frontend: FrontendSettings = field(default_factory=FrontendSettings)
    encoder: EncoderSettings = field(
        default_factory=lambda: EncoderSettings(activation_dropout=0.1, layerdrop=0.1)
    )
    input_dropout: float = 0.1
    final_dropout: float = 0.1
    time_mask: SpanSettings = field(default_factory=lambda: SpanSettings(0.75, 10))
    channel_mask: SpanSettings = field(default_factory=lambda: SpanSettings(0.25, 64, min_spans=0))

    @property
    def context(self) -> ContextSettings:
        return ContextSettings(self.frontend, self.encoder, self.input_dropout)


@dataclass(frozen=True)
class Recognition:
    """What the recogniser makes of a batch."""

    # unnormalised; blank is column 0
    logit_BTV: Tensor
    frame_lengths_B: Tensor


class Recognizer(nn.Module):
    """Waveforms -> CTC logits over `num_tokens` outputs, blank 0 included; masks in training only."""

    def __init__(self, settings: RecognizerSettings, num_tokens: int) -> None:
        super().__init__()
        self.settings = settings
        self.context = Context(settings.context)
        self.head = ctc_head(settings.encoder.dim, num_tokens)

    def forward(
        self,
        wave_BS: Tensor,
        wave_lengths_B: Tensor,
        whole: Statistics | None = None,
        *,
        seeds: Sequence[int] = (),
    ) -> Recognition:
        """Samples (B, S) at 16 kHz and true lengths (B,) -> logits (B, T, V) and frame lengths (B,).

        With `whole` the waves are parts of a recording with these statistics; with `seeds`, one a row, masks
        are a function of them.
        """
        feature_BTC, frame_lengths_B = self.context.features(wave_BS, wave_lengths_B, whole)
        mask_BT, channel_mask_BD = self._masks(feature_BTC, frame_lengths_B, seeds)
        context_BTD = self.context.contextualize(feature_BTC, frame_lengths_B, mask_BT, channel_mask_BD)
        context_BTD = F.dropout(context_BTD, self.settings.final_dropout, self.training)
        with exactly(context_BTD):
            return Recognition(self.head(wide(context_BTD)), frame_lengths_B)

    def recognize(self, wave_BS: Tensor, wave_lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, T, V) and frame lengths (B,), as `UniSpeech.recognize` gives them."""
        recognition = self(wave_BS, wave_lengths_B)
        return recognition.logit_BTV, recognition.frame_lengths_B

    def _masks(
        self, feature_BTC: Tensor, frame_lengths_B: Tensor, seeds: Sequence[int] = ()
    ) -> tuple[Tensor, Tensor | None]:
        if not self.training:
            return torch.zeros_like(feature_BTC[:, :, 0], dtype=torch.bool), None
        rows, dim = len(frame_lengths_B), self.settings.encoder.dim
        time_BT = span_mask(
            frame_lengths_B, feature_BTC.shape[1], self.settings.time_mask, generators(seeds, "mask", rows)
        )
        dim_B = torch.full_like(frame_lengths_B, dim)
        return time_BT, span_mask(dim_B, dim, self.settings.channel_mask, generators(seeds, "channels", rows))
