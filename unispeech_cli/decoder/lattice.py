"""Search in a k2 graph: lattices of what may have been said, and the best paths through them.

Shapes: B utterances, T frames, V tokens with blank at 0.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from unispeech_cli.decoder.search import NOTHING, BestPath, collapsed
from unispeech_cli.lang.graphs import Graph, import_k2

# k2's RaggedTensor and FsaVec; k2 ships no types
Lattice = Any


@dataclass(frozen=True)
class Beams:
    """How much of the search is kept: k2's beams (log-probability) and bounds on active states per frame."""

    search_beam: float = 20.0
    output_beam: float = 8.0
    min_active_states: int = 30
    max_active_states: int = 10_000


@dataclass(frozen=True)
class Lattices:
    """Lattices of the utterances `rows` of a batch, in their order, over `frames` each; the others have no frames.

    `fsas` has `tokens`, what each frame says (-1 on arcs that take no frame), and from a graph with a language
    model `lm_scores`: unscaled, they are in `scores` times `lm_scale`. Auxiliary labels are words if `has_words`.
    """

    fsas: Lattice
    rows: tuple[int, ...]
    frames: tuple[int, ...]
    has_words: bool
    lm_scale: float = 1.0


def search_graph(graph: Graph, lm_scale: float, device: str) -> Graph:
    """The graph on its device, with the language model's part of the scores scaled."""
    scaled = graph.clone().to(device)
    if hasattr(scaled, "lm_scores"):
        scaled.scores = scaled.scores + (lm_scale - 1.0) * scaled.lm_scores
    return scaled


def lattices(
    log_prob_BTV: Tensor,
    frame_lengths_B: Tensor,
    graph: Graph,
    beams: Beams,
    *,
    has_words: bool,
    lm_scale: float = 1.0,
) -> Lattices | None:
    """What `graph` allows of each utterance, pruned; None where none of them has a frame.

    `graph` lies on the device of `log_prob_BTV`; `lm_scale` is what its scores were made with.
    """
    k2, lengths = import_k2(), frame_lengths_B.tolist()
    # k2 wants utterances of at least one frame, longest first
    rows = [row for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]) if lengths[row] > 0]
    if not rows:
        return None
    # (utterance, first frame, frames): 32-bit, and on the CPU wherever the posteriors are
    segments = torch.tensor([[row, 0, lengths[row]] for row in rows], dtype=torch.int32)
    dense = k2.DenseFsaVec(log_prob_BTV.detach().float(), segments)
    fsas = k2.intersect_dense_pruned(
        graph, dense, beams.search_beam, beams.output_beam, beams.min_active_states, beams.max_active_states
    )
    fsas.tokens, fsas.tokens_filler = fsas.labels.clone(), -1
    return Lattices(fsas, tuple(rows), tuple(lengths[row] for row in rows), has_words, lm_scale)


def scaled(found: Lattices, lm_scale: float) -> Lattices:
    """The same lattices with another scale of the language model."""
    fsas = found.fsas.clone()
    fsas.scores = fsas.scores + (lm_scale - found.lm_scale) * fsas.lm_scores
    return replace(found, fsas=fsas, lm_scale=lm_scale)


def one_best(found: Lattices | None, batch: int) -> list[BestPath | None]:
    """The best path of each utterance: empty without frames, None where no path reaches a final state."""
    paths: list[BestPath | None] = [NOTHING] * batch
    if found is not None:
        for row, path in zip(found.rows, best_paths(found.fsas, found.has_words), strict=True):
            paths[row] = path
    return paths


def best_paths(fsas: Lattice, has_words: bool) -> list[BestPath | None]:
    """The best path of each lattice, None where it has none."""
    best = import_k2().shortest_path(fsas, use_double_scores=True)
    ends = best.arcs.shape().row_splits(2)[best.arcs.shape().row_splits(1).long()].tolist()
    said, scores = best.tokens.cpu(), best.scores.detach().double().cpu()
    nothing: list[tuple[int, ...]] = [()] * ends[-1]
    words = _words(best.aux_labels) if has_words else nothing
    return [
        _path(said[start:end], scores[start:end].sum().item(), words[start:end]) if end > start else None
        for start, end in pairwise(ends)
    ]


def _words(aux_labels: Any) -> list[tuple[int, ...]]:
    """The words of each arc."""
    if isinstance(aux_labels, Tensor):
        return [(word,) if word > 0 else () for word in aux_labels.tolist()]
    return [tuple(word for word in arc if word > 0) for arc in aux_labels.tolist()]


def _path(said_T: Tensor, score: float, words: list[tuple[int, ...]]) -> BestPath:
    heard = tuple(word for arc in words for word in arc)
    return BestPath(*collapsed(said_T[said_T >= 0]), score, heard)
