"""The Gumbel codebooks (wav2vec 2.0, section 2; UniSpeech section 3.2).

Legend: B utterances, T frames, C channels, G codebook groups, V entries of a group, E dimension of an entry.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unispeech_cli.chance import generators
from unispeech_cli.model.exact import exactly, wide


@dataclass(frozen=True)
class QuantizerSettings:
    """G codebooks of V entries; a frame's vector joins one entry of each (G=2, V=320 in the paper)."""

    groups: int = 2
    entries: int = 320
    # dimension of the joined vector, a multiple of `groups`
    dim: int = 256
    # dimension of q after its first projection; null is `dim`
    projected_dim: int | None = None
    # where c and q are compared. context: q is projected into the space of c (UniSpeech). shared: both are projected
    # into one of `projected_dim` (wav2vec 2.0); r must be 0 then
    space: Literal["context", "shared"] = "context"

    @property
    def projection(self) -> int:
        """Dimension of q after its first projection."""
        return self.dim if self.projected_dim is None else self.projected_dim


@dataclass(frozen=True)
class Codes:
    """What the quantizer makes of a batch of frames."""

    # the joined codebook vectors, differentiable through the straight-through estimator
    vector_BTE: Tensor
    # the entry chosen in each group
    code_BTG: Tensor
    # softmax of the logits without noise or temperature, float32: what diversity is measured on
    prob_BTGV: Tensor


class Quantizer(nn.Module):
    """One linear layer scores all entries; training draws with Gumbel noise, evaluation takes the best."""

    def __init__(self, channels: int, settings: QuantizerSettings) -> None:
        super().__init__()
        if settings.dim % settings.groups:
            raise ValueError(
                f"quantizer.dim {settings.dim} is not a multiple of quantizer.groups {settings.groups}"
            )
        self.settings = settings
        self.score = nn.Linear(channels, settings.groups * settings.entries)
        self.codebook = nn.Parameter(
            torch.empty(settings.groups, settings.entries, settings.dim // settings.groups)
        )
        nn.init.normal_(self.score.weight, std=1.0)
        nn.init.zeros_(self.score.bias)
        nn.init.uniform_(self.codebook)

    def forward(self, x_BTC: Tensor, temperature: float, noise_BTGV: Tensor | None = None) -> Codes:
        """Quantise frames (B, T, C); `temperature` > 0 of the Gumbel softmax matters in training only.

        So does the noise, which is drawn unless it is given: -log(e), e ~ Exp(1).
        """
        x_BTC = wide(x_BTC)
        with exactly(x_BTC):
            logit_BTGV = self.score(x_BTC).float().unflatten(2, (self.settings.groups, self.settings.entries))
            code_BTG, weight_BTGV = self._choose(logit_BTGV, temperature, noise_BTGV)
            chosen = torch.einsum("btgv,gve->btge", weight_BTGV.to(x_BTC.dtype), self.codebook)
        return Codes(chosen.flatten(2), code_BTG, logit_BTGV.softmax(-1))

    def _choose(
        self, logit_BTGV: Tensor, temperature: float, noise_BTGV: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if not self.training:
            code_BTG = logit_BTGV.argmax(-1)
            return code_BTG, F.one_hot(code_BTG, self.settings.entries).to(logit_BTGV.dtype)
        if noise_BTGV is None:
            noise_BTGV = _gumbel(torch.empty_like(logit_BTGV).exponential_())
        soft_BTGV = ((logit_BTGV + noise_BTGV) / temperature).softmax(-1)
        code_BTG = soft_BTGV.argmax(-1)
        hard_BTGV = F.one_hot(code_BTG, self.settings.entries).to(soft_BTGV.dtype)
        return code_BTG, hard_BTGV - soft_BTGV.detach() + soft_BTGV


def gumbel_noise(
    lengths_B: Tensor, size: int, settings: QuantizerSettings, seeds: Sequence[int], purpose: str
) -> Tensor:
    """Noise for the frames of each row, drawn by the row's own seed; 0 in the padding. (B, T, G, V)."""
    chances = generators(seeds, purpose, len(lengths_B), lengths_B.device)
    wait_BTGV = torch.ones(len(lengths_B), size, settings.groups, settings.entries, device=lengths_B.device)
    for row, length in enumerate(lengths_B.tolist()):
        # what is drawn for an utterance must not depend on the padding of its batch
        wait_BTGV[row, :length].exponential_(generator=chances[row])
    return _gumbel(wait_BTGV)


def _gumbel(wait: Tensor) -> Tensor:
    # a CPU draws 0 once in 2 ** 24 times, and the noise would be infinite
    return -wait.clamp_(min=torch.finfo(wait.dtype).tiny).log_()


def perplexity(prob_NGV: Tensor) -> Tensor:
    """Codebook perplexity: sum over groups of exp(entropy) of the mean distribution over N frames, G .. G x V."""
    mean_GV = prob_NGV.mean(0)
    entropy_G = -(mean_GV * torch.log(mean_GV + 1e-7)).sum(-1)
    return entropy_G.exp().sum()
