"""Search in a k2 graph; the third door to k2.

Shapes: B utterances, T frames, V tokens with blank at 0.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from unispeech_cli.decoder.search import NOTHING, BestPath, collapsed
from unispeech_cli.lang.graphs import Graph, import_k2


@dataclass(frozen=True)
class Beams:
    """How much of the search is kept: k2's beams (log-probability) and bounds on active states per frame."""

    search_beam: float = 20.0
    output_beam: float = 8.0
    min_active_states: int = 30
    max_active_states: int = 10_000


def one_best(
    log_prob_BTV: Tensor, frame_lengths_B: Tensor, graph: Graph, beams: Beams | None = None
) -> list[BestPath]:
    """The best path through `graph` for each utterance, whose labels are the tokens said frame by frame.

    `graph` lies on the device of `log_prob_BTV`. An utterance without frames has the empty path.
    """
    found = [NOTHING] * len(frame_lengths_B)
    # k2 wants utterances of at least one frame, longest first
    order = [row for row in frame_lengths_B.argsort(descending=True).tolist() if frame_lengths_B[row] > 0]
    if order:
        lattice = _intersect(log_prob_BTV, frame_lengths_B, order, graph, beams or Beams())
        for row, path in zip(order, _best_paths(lattice), strict=True):
            found[row] = path
    return found


def _intersect(
    log_prob_BTV: Tensor, frame_lengths_B: Tensor, order: list[int], graph: Graph, beams: Beams
) -> Any:
    k2 = import_k2()
    # (utterance, first frame, frames): 32-bit, and on the CPU wherever the posteriors are
    segments = torch.tensor([[row, 0, int(frame_lengths_B[row])] for row in order], dtype=torch.int32)
    dense = k2.DenseFsaVec(log_prob_BTV.detach().float(), segments)
    return k2.intersect_dense_pruned(
        graph, dense, beams.search_beam, beams.output_beam, beams.min_active_states, beams.max_active_states
    )


def _best_paths(lattice: Any) -> list[BestPath]:
    paths = import_k2().shortest_path(lattice, use_double_scores=True)
    ends = paths.arcs.shape().row_splits(2)[paths.arcs.shape().row_splits(1).long()].tolist()
    said, scores = paths.labels.cpu(), paths.scores.detach().double().cpu()
    # the last arc of a path is the final one, which no frame says
    return [
        BestPath(*collapsed(said[start : end - 1]), scores[start:end].sum().item())
        for start, end in pairwise(ends)
    ]
