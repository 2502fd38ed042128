"""InfoNCE over distractors of the same utterance, and codebook diversity (wav2vec 2.0 section 3.2; UniSpeech 3.2).

The cosine of every masked frame with every candidate comes from one matrix product per utterance; the scores
of the K distractors are then gathered from it.

Legend: B utterances, T frames, D dimension, G codebook groups, V entries, M masked frames, N candidates, K distractors.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

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
    """The contrastive loss of each utterance, and the share of distractors that had the positive's code."""

    # sum over masked frames
    loss_B: Tensor
    # 1.0 is collapse; 0 when nothing was drawn
    same_code_share: float


def contrastive_loss(
    context_BTD: Tensor,
    quantized_BTD: Tensor,
    code_BTG: Tensor,
    mask_BT: Tensor,
    frame_lengths_B: Tensor,
    settings: ContrastiveSettings,
    positive: tuple[Tensor, Tensor] | None = None,
) -> Contrast:
    """-log exp(cos(c, q) / kappa) / sum over q and its distractors, summed over each utterance's masked frames.

    A distractor with the very code of the positive is left out of the sum; an utterance with fewer than two
    candidates adds nothing. Padding is never a candidate. `positive` are q (B, T, D) and codes (B, T, G) of the
    true targets, where they are another draw than the distractors' (UniSpeech section 3.2; wav2vec 2.0, equation 3).
    """
    positive_BTD, positive_code_BTG = (quantized_BTD, code_BTG) if positive is None else positive
    losses, same, drawn = [], 0, 0
    for row, length in enumerate(frame_lengths_B.tolist()):
        masked_M = mask_BT[row, :length].nonzero()[:, 0]
        candidate_N = (
            masked_M if settings.candidates == "masked" else torch.arange(length, device=mask_BT.device)
        )
        if len(candidate_N) < 2 or len(masked_M) == 0:
            losses.append(context_BTD[row, 0].sum() * 0.0)
            continue
        distractor_MK = draw_distractors(masked_M, candidate_N, settings.distractors)
        context_MD = F.normalize(context_BTD[row, masked_M].float(), dim=-1)
        score_MN = context_MD @ F.normalize(quantized_BTD[row, candidate_N].float(), dim=-1).T
        own_M = F.cosine_similarity(context_MD, positive_BTD[row, masked_M].float(), dim=-1)
        code_MKG = code_BTG[row, candidate_N][distractor_MK]
        equal_MK = (code_MKG == positive_code_BTG[row, masked_M][:, None]).all(-1)
        losses.append(_info_nce(own_M, score_MN.gather(1, distractor_MK), equal_MK, settings.temperature))
        same, drawn = same + int(equal_MK.sum()), drawn + equal_MK.numel()
    return Contrast(torch.stack(losses), same / drawn if drawn else 0.0)


def draw_distractors(masked_M: Tensor, candidate_N: Tensor, count: int) -> Tensor:
    """Indices into the sorted `candidate_N` of `count` draws per masked frame, never the frame itself. (M, K)."""
    draw_MK = torch.randint(len(candidate_N) - 1, (len(masked_M), count), device=masked_M.device)
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
