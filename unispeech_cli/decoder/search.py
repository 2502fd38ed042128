"""Search in frame posteriors without a graph.

Shapes: B utterances, T frames, V tokens with blank at 0.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

BLANK = 0


@dataclass(frozen=True)
class BestPath:
    """The best path of one utterance: tokens, the first and last frame of each one's run, its log-probability.

    `words` are the word ids of a search in a graph that has words.
    """

    ids: tuple[int, ...]
    frames: tuple[int, ...]
    last: tuple[int, ...]
    score: float
    words: tuple[int, ...] = ()


NOTHING = BestPath((), (), (), 0.0)


def greedy(log_prob_BTV: Tensor, frame_lengths_B: Tensor) -> list[BestPath]:
    """The most probable token of every frame, repeats collapsed, blanks dropped."""
    best_BTV, id_BTV = log_prob_BTV.detach().max(dim=-1, keepdim=True)
    rows = zip(best_BTV.cpu(), id_BTV.cpu(), frame_lengths_B.tolist(), strict=True)
    return [_collapse(id_T1[:length, 0], best_T1[:length, 0]) for best_T1, id_T1, length in rows]


def collapsed(said_T: Tensor) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """What every frame says -> tokens, and the first and last frame of each one's run."""
    if not len(said_T):
        return (), (), ()
    says_T = said_T != BLANK
    change_T = said_T[1:] != said_T[:-1]
    edge = change_T.new_ones(1)
    first = (says_T & torch.cat([edge, change_T])).nonzero()[:, 0]
    last = (says_T & torch.cat([change_T, edge])).nonzero()[:, 0]
    return tuple(said_T[first].tolist()), tuple(first.tolist()), tuple(last.tolist())


def _collapse(id_T: Tensor, best_T: Tensor) -> BestPath:
    return BestPath(*collapsed(id_T), best_T.sum(dtype=torch.float64).item())
