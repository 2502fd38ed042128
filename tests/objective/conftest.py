"""The losses by their definitions, in slow loops over doubles: what the objective is measured against.

No arithmetic of the package is used here; only what is drawn at random comes from it. An utterance is a `Row`
without padding.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from unispeech_cli.chance import generators
from unispeech_cli.objective.contrastive import draw_distractors


@dataclass(frozen=True)
class Row:
    """One utterance: T frames, vectors of D, G groups of V entries, N outputs of the head."""

    context_TD: np.ndarray
    # what may be drawn as a distractor, and the true target; the same but with two draws of q
    target_TD: np.ndarray
    positive_TD: np.ndarray
    code_TG: np.ndarray
    positive_code_TG: np.ndarray
    prob_TGV: np.ndarray
    logit_TN: np.ndarray
    masked: tuple[int, ...]
    # frames drawn for each masked frame; empty where there is nothing to draw from
    drawn: tuple[tuple[int, ...], ...]
    # None: unlabelled
    tokens: tuple[int, ...] | None


def rows(output, batch, settings) -> list[Row]:
    """The utterances of a batch, with the distractors that the next call of the objective will draw."""
    chances = generators(batch.seeds, "distractors", len(batch.cut_ids))
    return [_row(output, batch, settings, row, chance) for row, chance in enumerate(chances)]


def _row(output, batch, settings, row: int, chance: torch.Generator | None) -> Row:
    frames = int(output.frame_lengths_B[row])

    def inside(tensor) -> np.ndarray:
        return tensor[row, :frames].detach().double().numpy()

    masked = torch.tensor([t for t in range(frames) if output.mask_BT[row, t]], dtype=torch.long)
    candidates = masked if settings.candidates == "masked" else torch.arange(frames)
    drawn: tuple[tuple[int, ...], ...] = ()
    if len(masked) > 0 and len(candidates) > 1:
        drawn_MK = candidates[draw_distractors(masked, candidates, settings.distractors, chance)]
        drawn = tuple(map(tuple, drawn_MK.tolist()))
    target, code = inside(output.quantized_BTD), inside(output.codes.code_BTG).astype(int)
    positive, positive_code = target, code
    if output.positive is not None:
        positive, positive_code = inside(output.positive[0]), inside(output.positive[1]).astype(int)
    labels = tuple(batch.token_BL[row, : batch.token_lengths_B[row]].tolist())
    return Row(
        context_TD=inside(output.context_BTD),
        target_TD=target,
        positive_TD=positive,
        code_TG=code,
        positive_code_TG=positive_code,
        prob_TGV=inside(output.codes.prob_BTGV),
        logit_TN=inside(output.logit_BTV),
        masked=tuple(masked.tolist()),
        drawn=drawn,
        tokens=labels if batch.labelled_B[row] else None,
    )


def contrastive(row: Row, kappa: float) -> float:
    """Sum over masked t of -log exp(cos(c_t, q_t) / kappa) / sum over q_t and its distractors."""
    return sum(_info_nce(row, t, drawn, kappa) for t, drawn in zip(row.masked, row.drawn, strict=False))


def _info_nce(row: Row, t: int, drawn: Sequence[int], kappa: float) -> float:
    c = row.context_TD[t]
    positive = math.exp(_cosine(c, row.positive_TD[t]) / kappa)
    negatives = 0.0
    for d in drawn:
        if tuple(row.code_TG[d]) != tuple(row.positive_code_TG[t]):
            negatives += math.exp(_cosine(c, row.target_TD[d]) / kappa)
    return -math.log(positive / (positive + negatives))


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))


def diversity(prob_NGV: np.ndarray, form: str) -> float:
    """perplexity: (G V - sum_g exp H(p_g)) / (G V). entropy: (1 / (G V)) sum_g sum_v p_gv log p_gv."""
    frames, groups, entries = prob_NGV.shape
    used, plogp = 0.0, 0.0
    for g in range(groups):
        p = [sum(prob_NGV[n, g, v] for n in range(frames)) / frames for v in range(entries)]
        negentropy = sum(p_v * math.log(p_v) for p_v in p if p_v > 0)
        used, plogp = used + math.exp(-negentropy), plogp + negentropy
    size = groups * entries
    return (size - used) / size if form == "perplexity" else plogp / size


def ctc(logit_TN: np.ndarray, tokens: Sequence[int]) -> float:
    """-log of the summed probability of every path over the frames that collapses to the tokens; blank is 0."""
    frames, outputs = logit_TN.shape
    prob_TN = np.exp(logit_TN) / np.exp(logit_TN).sum(1, keepdims=True)
    path_PT = _paths(frames, outputs, tuple(tokens))
    return -math.log(prob_TN[np.arange(frames), path_PT].prod(1).sum())


@cache
def _paths(frames: int, outputs: int, tokens: tuple[int, ...]) -> np.ndarray:
    """All paths (P, T) that give the tokens once repeats are merged and blanks dropped."""
    every = itertools.product(range(outputs), repeat=frames)
    return np.array([path for path in every if _collapse(path) == tokens])


def _collapse(path: Sequence[int]) -> tuple[int, ...]:
    return tuple(t for t, before in zip(path, (None, *path), strict=False) if t not in (before, 0))


def terms(batch: Sequence[Row], settings) -> dict[str, float]:
    """The weighted sums of section 3.4 over one batch, utterance by utterance."""
    frames = [
        row.prob_TGV[list(row.masked)] if settings.diversity_frames == "masked" else row.prob_TGV
        for row in batch
    ]
    codes = np.concatenate(frames)
    # without a frame to look at, nothing is scaled by it either
    spread = diversity(codes, settings.diversity_form) if len(codes) else 0.0
    summed = {"ctc": 0.0, "contrastive": 0.0, "diversity": 0.0}
    for row in batch:
        share = 1.0 if row.tokens is None else 1 - settings.alpha
        summed["contrastive"] += share * contrastive(row, settings.contrastive.temperature)
        summed["diversity"] += share * settings.diversity * len(row.masked) * spread
        if row.tokens is not None:
            summed["ctc"] += settings.alpha * ctc(row.logit_TN, row.tokens)
    return summed


def loss(update: Sequence[Sequence[Row]], settings) -> float:
    """L of an update of several batches: all terms of all of them, divided once by all masked frames."""
    masked = sum(len(row.masked) for batch in update for row in batch)
    return sum(sum(terms(batch, settings).values()) for batch in update) / masked


def slope(function, at: np.ndarray, place: tuple[int, ...], step: float = 1e-5) -> float:
    """The derivative of `function` in one element of `at`, by central differences."""
    up, down = at.copy(), at.copy()
    up[place] += step
    down[place] -= step
    return (function(up) - function(down)) / (2 * step)


@pytest.fixture(scope="session")
def oracle() -> SimpleNamespace:
    """The definitions, by name."""
    return SimpleNamespace(
        rows=rows,
        contrastive=contrastive,
        diversity=diversity,
        ctc=ctc,
        terms=terms,
        loss=loss,
        slope=slope,
        replace=replace,
    )
