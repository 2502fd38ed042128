"""InfoNCE over distractors of the same utterance, and codebook diversity (wav2vec 2.0 section 3.2; UniSpeech 3.2).

The cosine of every masked frame with every candidate comes from one matrix product per utterance; the scores
of the K distractors are then gathered from it.

Legend: B utterances, T frames, D dimension, G codebook groups, V entries, M masked frames, N candidates, K distractors.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from unispeech_cli.chance import generators
from unispeech_cli.model.quantizer import perplexity


@dataclass(frozen=True)
class ContrastiveSettings:
    """K distractors drawn with replacement; kappa is the temperature of the cosine similarities."""

    distractors: int = 100
    temperature: float = 0.1
    # masked: the other masked frames of the utterance (wav2vec 2.0). all: any other frame of it
    candidates: Literal["masked", "all"] = "masked"


@dataclass(frozen=True)
class Contrast:
    """The contrastive loss of each utterance, and what it is worth: scalars without a gradient."""

    # sum over masked frames
    loss_B: Tensor
    # share of distractors that had the positive's code: 1 is collapse, 0 when nothing was drawn
    same_code_share: Tensor
    # mean cosine of c with its q, less that with the distractors of another code
    positive_gap: Tensor


def contrastive_loss(
    context_BTD: Tensor,
    quantized_BTD: Tensor,
    code_BTG: Tensor,
    mask_BT: Tensor,
    frame_lengths_B: Tensor,
    settings: ContrastiveSettings,
    positive: tuple[Tensor, Tensor] | None = None,
    seeds: Sequence[int] = (),
) -> Contrast:
    """-log exp(cos(c, q) / kappa) / sum over q and its distractors, summed over each utterance's masked frames.

    A distractor with the very code of the positive is left out of the sum; an utterance with fewer than two
    candidates adds nothing. Padding is never a candidate. `positive` are q (B, T, D) and codes (B, T, G) of the
    true targets, where they are another draw than the distractors' (UniSpeech section 3.2; wav2vec 2.0, equation 3).
    With `seeds`, one a row, distractors are a function of them.
    """
    positive_BTD, positive_code_BTG = (quantized_BTD, code_BTG) if positive is None else positive
    chances = generators(seeds, "distractors", len(mask_BT), mask_BT.device)
    losses, seen = [], _Seen(context_BTD)
    for row, length in enumerate(frame_lengths_B.tolist()):
        masked_M = mask_BT[row, :length].nonzero()[:, 0]
        candidate_N = (
            masked_M if settings.candidates == "masked" else torch.arange(length, device=mask_BT.device)
        )
        if len(candidate_N) < 2 or len(masked_M) == 0:
            losses.append(context_BTD[row, 0].float().sum() * 0.0)
            continue
        distractor_MK = draw_distractors(masked_M, candidate_N, settings.distractors, chances[row])
        context_MD = F.normalize(context_BTD[row, masked_M].float(), dim=-1)
        score_MN = context_MD @ F.normalize(quantized_BTD[row, candidate_N].float(), dim=-1).T
        own_M = F.cosine_similarity(context_MD, positive_BTD[row, masked_M].float(), dim=-1)
        other_MK, code_MKG = score_MN.gather(1, distractor_MK), code_BTG[row, candidate_N][distractor_MK]
        equal_MK = (code_MKG == positive_code_BTG[row, masked_M][:, None]).all(-1)
        losses.append(_info_nce(own_M, other_MK, equal_MK, settings.temperature))
        seen.add(own_M.detach(), other_MK.detach(), equal_MK)
    return Contrast(torch.stack(losses), *seen.figures())


class _Seen:
    """Sums over the rows of a batch, left on its device."""

    def __init__(self, like: Tensor) -> None:
        self._own, self._other, self._same, self._different, self._masked = like.new_zeros(
            5, dtype=torch.float
        )

    def add(self, own_M: Tensor, other_MK: Tensor, equal_MK: Tensor) -> None:
        self._own = self._own + own_M.sum()
        self._masked = self._masked + len(own_M)
        self._other = self._other + other_MK.masked_fill(equal_MK, 0).sum()
        self._same = self._same + equal_MK.sum()
        self._different = self._different + (~equal_MK).sum()

    def figures(self) -> tuple[Tensor, Tensor]:
        """Share of distractors with the positive's code, and the gap between the cosines."""
        share = self._same / (self._same + self._different).clamp(min=1)
        own, other = self._own / self._masked.clamp(min=1), self._other / self._different.clamp(min=1)
        return share, own - other


def draw_distractors(
    masked_M: Tensor, candidate_N: Tensor, count: int, chance: torch.Generator | None = None
) -> Tensor:
    """Indices into the sorted `candidate_N` of `count` draws per masked frame, never the frame itself. (M, K)."""
    size, device = (len(masked_M), count), masked_M.device
    draw_MK = torch.randint(len(candidate_N) - 1, size, generator=chance, device=device)
    own_M1 = torch.searchsorted(candidate_N, masked_M)[:, None]
    return draw_MK + (draw_MK >= own_M1)


def _info_nce(own_M: Tensor, other_MK: Tensor, equal_MK: Tensor, temperature: float) -> Tensor:
    """From the cosines with the positive and with the distractors, of which the equal ones do not count."""
    score_MK1 = torch.cat([own_M[:, None], other_MK.masked_fill(equal_MK, float("-inf"))], 1) / temperature
    return (score_MK1.logsumexp(1) - score_MK1[:, 0]).sum()


def diversity_loss(prob_NGV: Tensor, form: Literal["perplexity", "entropy"]) -> Tensor:
    """How unevenly N frames use the codebooks, over their mean distribution p.

    perplexity: (G V - sum_g exp H(p_g)) / (G V), the released code's. entropy: (1 / G V) sum p log p, the paper's,
    bounded by ln V / V, so that it does next to nothing.
    """
    groups, entries = prob_NGV.shape[1:]
    if form == "perplexity":
        return 1 - perplexity(prob_NGV) / (groups * entries)
    mean_GV = prob_NGV.mean(0)
    return (mean_GV * torch.log(mean_GV + 1e-7)).sum() / (groups * entries)


def chance_level(settings: ContrastiveSettings) -> float:
    """The loss per masked frame of a model that knows nothing: log(1 + K)."""
    return math.log(1 + settings.distractors)
