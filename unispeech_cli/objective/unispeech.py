"""The paper's objective, gathered from named terms (UniSpeech, section 3.4):

    L = sum over labelled   (alpha L_ctc + (1 - alpha) (L_c + w L_d))
      + sum over unlabelled (L_c + w L_d)

Every term is a sum; L is divided once, by the masked frames of the update.

Legend: B utterances, T frames, V tokens (of codebooks: entries), G codebook groups, N frames of the batch.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from unispeech_cli.batches.batch import Batch
from unispeech_cli.model.frontend import length_mask
from unispeech_cli.model.quantizer import perplexity
from unispeech_cli.model.recognizer import Recognition
from unispeech_cli.model.unispeech import Output
from unispeech_cli.objective.contrastive import ContrastiveSettings, contrastive_loss, diversity_loss
from unispeech_cli.objective.ctc import ctc_loss


@dataclass(frozen=True)
class ObjectiveSettings:
    """Weights of the terms; the paper's values."""

    # alpha: CTC's share on labelled speech; 1 is supervised pre-training
    alpha: float = 0.5
    # w: weight of the codebook diversity
    diversity: float = 0.1
    diversity_form: Literal["perplexity", "entropy"] = "perplexity"
    # whose mean distribution it is: all frames of the batch, or the masked ones alone (released code)
    diversity_frames: Literal["all", "masked"] = "all"
    contrastive: ContrastiveSettings = field(default_factory=ContrastiveSettings)


@dataclass(frozen=True)
class Losses:
    """Weighted sums by name, their common divisor, and what else is worth a curve."""

    # differentiable; `total` / `count` summed over the micro-batches of an update is the loss
    terms: dict[str, Tensor]
    count: Tensor
    # not differentiable, averaged over the update
    watched: dict[str, Tensor]

    @property
    def total(self) -> Tensor:
        return torch.stack(list(self.terms.values())).sum()


# a vector of one rank -> its sum over the batches that all ranks have at once
Exchange = Callable[[Tensor], Tensor]


class UniSpeechObjective:
    """Output and batch -> `Losses` of pre-training; counted in masked frames.

    With an `exchange` the diversity is that of all ranks' frames together. Without one every batch has its own.
    """

    terms = ("ctc", "contrastive", "diversity")
    watched = ("blank_share", "code_perplexity", "dead_codes", "same_code_share", "positive_gap")

    def __init__(self, settings: ObjectiveSettings, exchange: Exchange | None = None) -> None:
        self.settings, self._exchange = settings, exchange

    def __call__(self, output: Output, batch: Batch) -> Losses:
        alpha = self.settings.alpha
        # alpha where labelled: what the self-supervised terms of each row are scaled by
        weight_B = torch.where(batch.labelled_B, 1 - alpha, 1.0)
        terms: dict[str, Tensor] = {}
        watched: dict[str, Tensor] = {}
        if alpha > 0:
            terms["ctc"] = alpha * _add_ctc(output.logit_BTV, output.frame_lengths_B, batch, watched)
        if output.codes is not None and bool((weight_B > 0).any()):
            self._add_self_supervised(output, batch, weight_B, terms, watched)
        if not terms:
            raise ValueError(
                "nothing to train: objective.alpha 1 needs labelled cuts, alpha 0 needs a quantizer"
            )
        masked = output.mask_BT.sum()
        # with masking switched off there are none: CTC alone is then counted in frames
        return Losses(terms, masked if bool(masked) else output.frame_lengths_B.sum(), watched)

    def _add_self_supervised(
        self,
        output: Output,
        batch: Batch,
        weight_B: Tensor,
        terms: dict[str, Tensor],
        watched: dict[str, Tensor],
    ) -> None:
        assert output.codes is not None and output.quantized_BTD is not None
        contrast = contrastive_loss(
            output.context_BTD,
            output.quantized_BTD,
            output.codes.code_BTG,
            output.mask_BT,
            output.frame_lengths_B,
            self.settings.contrastive,
            output.positive,
            batch.seeds,
        )
        terms["contrastive"] = (weight_B * contrast.loss_B).sum()
        counted_BT = self._counted(output)
        prob_NGV = output.codes.prob_BTGV[counted_BT]
        scale = self.settings.diversity * (weight_B * output.mask_BT.sum(1)).sum()
        terms["diversity"], mean_GV = self._diversity(prob_NGV, scale)
        watched["code_perplexity"] = perplexity(mean_GV[None])
        watched["dead_codes"] = _dead_share(prob_NGV.detach())
        watched["same_code_share"] = contrast.same_code_share
        watched["positive_gap"] = contrast.positive_gap

    def _diversity(self, prob_NGV: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """`scale` x L_d of the frames that all ranks have at once, and their mean distribution (G, V).

        Over ranks values add up to (sum of scales) x L_d, and gradients to its gradient.
        """
        summed_GV = prob_NGV.sum(0)
        number = torch.full_like(scale, len(prob_NGV))
        own = torch.cat([summed_GV.detach().flatten(), number[None], scale[None]])
        every = own if self._exchange is None else self._exchange(own)
        others_GV = (every - own)[:-2].view_as(summed_GV)
        mean_GV = (summed_GV + others_GV) / every[-2]
        loss = diversity_loss(mean_GV[None], self.settings.diversity_form)
        return every[-1] * loss - (every[-1] - scale) * loss.detach(), mean_GV.detach()

    def _counted(self, output: Output) -> Tensor:
        """The frames (B, T) whose mean use of the codebooks is asked for; where none is masked, all of them."""
        if self.settings.diversity_frames == "masked" and bool(output.mask_BT.any()):
            return output.mask_BT
        # all, as few are masked in a short batch
        return length_mask(output.frame_lengths_B, output.mask_BT.shape[1])


def _dead_share(prob_NGV: Tensor) -> Tensor:
    """The share of entries that are no frame's likeliest."""
    best_GN = prob_NGV.argmax(-1).T
    return 1 - torch.zeros_like(prob_NGV[0]).scatter(1, best_GN, 1.0).mean()


class CtcObjective:
    """Recognition and batch -> `Losses` of fine-tuning; counted in utterances (the official sentence average)."""

    terms = ("ctc",)
    watched = ("blank_share",)

    def __call__(self, recognition: Recognition, batch: Batch) -> Losses:
        watched: dict[str, Tensor] = {}
        loss = _add_ctc(recognition.logit_BTV, recognition.frame_lengths_B, batch, watched)
        return Losses({"ctc": loss}, batch.labelled_B.sum(), watched)


def _add_ctc(logit_BTV: Tensor, frame_lengths_B: Tensor, batch: Batch, watched: dict[str, Tensor]) -> Tensor:
    """Sum over the labelled rows; a zero that still touches the head where there are none."""
    rows = batch.labelled_B
    if not bool(rows.any()):
        return logit_BTV.sum() * 0.0
    log_prob_BTV = logit_BTV[rows].float().log_softmax(-1)
    inside_BT = length_mask(frame_lengths_B[rows], log_prob_BTV.shape[1])
    watched["blank_share"] = (log_prob_BTV.detach().argmax(-1)[inside_BT] == 0).float().mean()
    return ctc_loss(
        log_prob_BTV, frame_lengths_B[rows], batch.token_BL[rows], batch.token_lengths_B[rows]
    ).sum()
