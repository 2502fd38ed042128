"""Search in frame posteriors without a graph.

Shapes: B utterances, T frames, V tokens with blank at 0.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

BLANK = 0


@dataclass(frozen=True)
class BestPath:
    """The best path of one utterance: tokens, the frame that first emits each, and its log-probability."""

    ids: tuple[int, ...]
    frames: tuple[int, ...]
    score: float


def greedy(log_prob_BTV: Tensor, frame_lengths_B: Tensor) -> list[BestPath]:
    """The most probable token of every frame, repeats collapsed, blanks dropped."""
    best_BTV, id_BTV = log_prob_BTV.detach().max(dim=-1, keepdim=True)
    rows = zip(best_BTV.cpu(), id_BTV.cpu(), frame_lengths_B.tolist(), strict=True)
    return [_collapse(id_T1[:length, 0], best_T1[:length, 0]) for best_T1, id_T1, length in rows]


def _collapse(id_T: Tensor, best_T: Tensor) -> BestPath:
    first_T = id_T != BLANK
    first_T[1:] &= id_T[1:] != id_T[:-1]
    frames = first_T.nonzero()[:, 0]
    return BestPath(
        tuple(id_T[frames].tolist()), tuple(frames.tolist()), best_T.sum(dtype=torch.float64).item()
    )
