"""UniSpeech: encoder, quantizer and CTC head on the mix of contextual and quantised frames; no loss here.

Legend: B utterances, S samples, T frames, C frontend channels, D model dimension, V tokens, G codebook groups.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unispeech_cli.chance import generators, uniform
from unispeech_cli.model.economy import compile_layers
from unispeech_cli.model.encoder import Encoder, EncoderSettings
from unispeech_cli.model.exact import LayerNorm, exactly, wide
from unispeech_cli.model.frontend import Frontend, FrontendSettings, length_mask
from unispeech_cli.model.head import ctc_head
from unispeech_cli.model.masking import SpanSettings, span_mask
from unispeech_cli.model.quantizer import Codes, Quantizer, QuantizerSettings, gumbel_noise
from unispeech_cli.model.statistics import Statistics

# differences from the defaults, which are base
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "tiny": {
        "frontend": {"channels": 64},
        "encoder": {
            "layers": 4,
            "dim": 144,
            "heads": 4,
            "ffn_dim": 432,
            "pre_norm": True,
            "position_kernel": 32,
        },
        "quantizer": {"entries": 32, "dim": 128},
    },
    "base": {},
    "large": {
        "frontend": {"norm": "layer", "bias": True},
        "encoder": {"layers": 24, "dim": 1024, "heads": 16, "ffn_dim": 4096, "pre_norm": True},
        "quantizer": {"dim": 768},
    },
}


@dataclass(frozen=True)
class ContextSettings:
    """Frontend, context network and what lies between them: the part that fine-tuning takes over."""

    frontend: FrontendSettings = field(default_factory=FrontendSettings)
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    # dropout on the projected frames that enter the context network
    input_dropout: float = 0.1


@dataclass(frozen=True)
class UniSpeechSettings:
    """The pre-training model (UniSpeech, section 3)."""

    frontend: FrontendSettings = field(default_factory=FrontendSettings)
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    input_dropout: float = 0.1
    # null leaves the codebook out of the graph: supervised pre-training alone (CTC-Transfer)
    quantizer: QuantizerSettings | None = field(default_factory=QuantizerSettings)
    # dropout on the frames that enter the quantizer, and on the mix that enters the CTC head
    feature_dropout: float = 0.1
    final_dropout: float = 0.1
    mask: SpanSettings = field(default_factory=SpanSettings)
    # Gumbel draws of q in a training step. 1: CTC hears the q that is contrasted. 2: the positives are a draw of
    # their own, and the other is for the distractors and the mix (released code)
    draws: Literal[1, 2] = 1

    @property
    def context(self) -> ContextSettings:
        return ContextSettings(self.frontend, self.encoder, self.input_dropout)


@dataclass(frozen=True)
class Output:
    """What the model computes of a batch; the objective makes losses of it."""

    # c: the contextual frames, projected where the space is a shared one (D is then its dimension)
    context_BTD: Tensor
    # q: the quantised frames, projected into the same space; None without a quantizer
    quantized_BTD: Tensor | None
    codes: Codes | None
    # frames hidden from the context network
    mask_BT: Tensor
    # CTC logits of the mix of c and q
    logit_BTV: Tensor
    frame_lengths_B: Tensor
    # q and codes (B, T, G) of the positives, where they are a draw of their own
    positive: tuple[Tensor, Tensor] | None = None


class Context(nn.Module):
    """Waveform -> frontend -> layer norm -> projection -> span mask -> context network."""

    def __init__(self, settings: ContextSettings) -> None:
        super().__init__()
        self.settings = settings
        self.frontend = Frontend(settings.frontend)
        self.norm: nn.Module = nn.Identity()
        if settings.frontend.output_norm:
            self.norm = LayerNorm(settings.frontend.channels, settings.encoder.norm_eps)
        self.project = nn.Linear(settings.frontend.channels, settings.encoder.dim)
        self.mask_embedding = nn.Parameter(torch.empty(settings.encoder.dim).uniform_())
        self.encoder = Encoder(settings.encoder)

    def spare(self, *, recompute: bool, compiled: bool) -> None:
        """The same for less: see `economy`, which raises ValueError where this torch cannot compile."""
        self.frontend.recomputes = self.encoder.recomputes = recompute
        if compiled:
            compile_layers(self.encoder.layers)

    def features(
        self, wave_BS: Tensor, wave_lengths_B: Tensor, whole: Statistics | None = None
    ) -> tuple[Tensor, Tensor]:
        """z: the layer-normed frontend frames (B, T, C) and the frame lengths (B,); `whole` as in `Frontend`."""
        x_BTC, frame_lengths_B = self.frontend(wave_BS, wave_lengths_B, whole)
        return self.norm(x_BTC), frame_lengths_B

    def contextualize(
        self,
        feature_BTC: Tensor,
        frame_lengths_B: Tensor,
        mask_BT: Tensor,
        channel_mask_BD: Tensor | None = None,
    ) -> Tensor:
        """c: the contextual frames (B, T, D) with the masked frames and channels hidden."""
        x_BTD = F.dropout(self.project(feature_BTC), self.settings.input_dropout, self.training)
        x_BTD = torch.where(mask_BT[:, :, None], self.mask_embedding.to(x_BTD.dtype), x_BTD)
        if channel_mask_BD is not None:
            x_BTD = x_BTD.masked_fill(channel_mask_BD[:, None, :], 0)
        return self.encoder(x_BTD, frame_lengths_B)


class UniSpeech(nn.Module):
    """The pre-training network over `num_tokens` CTC outputs, blank 0 included.

    `temperature` (Gumbel softmax) and `replace` (r, the share of frames whose c gives way to q before the CTC
    head) are plain attributes: the trainer moves them along their schedules. `mixes_in_evaluation` says whether
    r holds there too.
    """

    def __init__(self, settings: UniSpeechSettings, num_tokens: int) -> None:
        super().__init__()
        self.settings = settings
        self.temperature, self.replace, self.mixes_in_evaluation = 2.0, 0.5, False
        self.context = Context(settings.context)
        self.quantizer: Quantizer | None = None
        dim = settings.encoder.dim
        if settings.quantizer is not None:
            self.quantizer = Quantizer(settings.frontend.channels, settings.quantizer)
            self.project_codes = nn.Linear(settings.quantizer.dim, settings.quantizer.projection)
            self._add_projection(settings.quantizer, dim)
        self.head = ctc_head(dim, num_tokens)

    def _add_projection(self, quantizer: QuantizerSettings, dim: int) -> None:
        self.project_target: nn.Module = nn.Identity()
        self.project_context: nn.Module = nn.Identity()
        if quantizer.space == "context":
            self.project_target = nn.Linear(quantizer.projection, dim)
        else:
            self.project_context = nn.Linear(dim, quantizer.projection)

    def forward(
        self,
        wave_BS: Tensor,
        wave_lengths_B: Tensor,
        mask_BT: Tensor | None = None,
        *,
        seeds: Sequence[int] = (),
        noise_BTGV: Tensor | None = None,
        swapped_BT: Tensor | None = None,
    ) -> Output:
        """Samples (B, S) at 16 kHz and true lengths -> `Output`.

        What is random is drawn unless it is given: the mask, the quantizer's Gumbel noise, and the frames whose c
        gives way to q; with `seeds`, one a row, it is a function of them (dropout stays torch's own). Evaluation
        masks too (the contrastive task needs it), but mixes nothing unless `mixes_in_evaluation`: r is 0 there.
        Raises ValueError where r is not 0 although q has not the dimensions of c.
        """
        feature_BTC, frame_lengths_B = self.context.features(wave_BS, wave_lengths_B)
        if mask_BT is None:
            chances = generators(seeds, "mask", len(wave_BS))
            mask_BT = span_mask(frame_lengths_B, feature_BTC.shape[1], self.settings.mask, chances)
        context_BTD = self.context.contextualize(feature_BTC, frame_lengths_B, mask_BT)
        codes, quantized_BTD, positive = self._quantize(feature_BTC, frame_lengths_B, seeds, noise_BTGV)
        mixed_BTD = self._mix(context_BTD, quantized_BTD, frame_lengths_B, seeds, swapped_BT)
        with exactly(mixed_BTD):
            logit_BTV = self.head(wide(F.dropout(mixed_BTD, self.settings.final_dropout, self.training)))
        if self.quantizer is not None:
            context_BTD = self.project_context(context_BTD)
        return Output(context_BTD, quantized_BTD, codes, mask_BT, logit_BTV, frame_lengths_B, positive)

    def recognize(self, wave_BS: Tensor, wave_lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """CTC logits (B, T, V) of unmasked, unmixed speech and the frame lengths: what a decoder wants."""
        feature_BTC, frame_lengths_B = self.context.features(wave_BS, wave_lengths_B)
        nothing_BT = torch.zeros_like(feature_BTC[:, :, 0], dtype=torch.bool)
        context_BTD = self.context.contextualize(feature_BTC, frame_lengths_B, nothing_BT)
        return self.head(context_BTD), frame_lengths_B

    def _quantize(
        self, feature_BTC: Tensor, frame_lengths_B: Tensor, seeds: Sequence[int], noise_BTGV: Tensor | None
    ) -> tuple[Codes | None, Tensor | None, tuple[Tensor, Tensor] | None]:
        """Codes and q of all frames, and q and codes of the positives where they are drawn anew."""
        if self.quantizer is None:
            return None, None, None
        dropped_BTC = F.dropout(feature_BTC, self.settings.feature_dropout, self.training)
        size = feature_BTC.shape[1]
        if noise_BTGV is None:
            noise_BTGV = self._noise(frame_lengths_B, size, seeds, "noise")
        codes, positive = self.quantizer(dropped_BTC, self.temperature, noise_BTGV), None
        if self.settings.draws == 2 and self.training:
            other_BTGV = self._noise(frame_lengths_B, size, seeds, "noise of the positives")
            drawn = self.quantizer(dropped_BTC, self.temperature, other_BTGV)
            positive = self._project(drawn), drawn.code_BTG
        return codes, self._project(codes), positive

    def _noise(self, frame_lengths_B: Tensor, size: int, seeds: Sequence[int], purpose: str) -> Tensor | None:
        """Gumbel noise (B, T, G, V) by the seeds of rows; None, with which the quantizer draws it, without them."""
        if not seeds or not self.training:
            return None
        assert self.settings.quantizer is not None
        return gumbel_noise(frame_lengths_B, size, self.settings.quantizer, seeds, purpose)

    def _project(self, codes: Codes) -> Tensor:
        return self.project_target(self.project_codes(codes.vector_BTE))

    def _mix(
        self,
        context_BTD: Tensor,
        quantized_BTD: Tensor | None,
        frame_lengths_B: Tensor,
        seeds: Sequence[int],
        swapped_BT: Tensor | None,
    ) -> Tensor:
        """Section 3.3: each frame, masked or not, is its q with probability r."""
        mixes = self.training or self.mixes_in_evaluation
        if quantized_BTD is None or not mixes or self.replace == 0:
            return context_BTD
        assert self.settings.quantizer is not None
        if self.settings.quantizer.space == "shared":
            raise ValueError("model.quantizer.space shared needs replace.r 0: q has not the dimensions of c")
        if swapped_BT is None:
            swapped_BT = uniform(frame_lengths_B, context_BTD.shape[1], seeds, "mix") < self.replace
        swapped_BT = swapped_BT & length_mask(frame_lengths_B, context_BTD.shape[1])
        return torch.where(swapped_BT[:, :, None], quantized_BTD.to(context_BTD.dtype), context_BTD)
