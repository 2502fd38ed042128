"""Lattices and n-best texts scored anew by another grammar G, once for all scales of the language model.

Where G backs off it takes an epsilon, and k2.intersect_device matches epsilons one by one. So whatever is
intersected with G is given room: as many epsilons before each word, and before the end, as G may take in a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from unispeech_cli.decoder.lattice import Lattice, Lattices
from unispeech_cli.decoder.nbest import NbestSettings, nbest
from unispeech_cli.decoder.search import BestPath
from unispeech_cli.lang.graphs import Graph, import_k2


@dataclass(frozen=True)
class Grammar:
    """G for rescoring on its device: a vector of one acceptor of word ids, epsilon at every state."""

    graph: Graph
    room: int


def rescoring_grammar(graph: Graph, device: str) -> Grammar:
    """G on its device, and how often it can back off in a row."""
    sources, targets, labels = (graph.arcs.values()[:, column].long().cpu() for column in range(3))
    back = (labels == 0) & (sources != targets)
    onward = dict(zip(sources[back].tolist(), targets[back].tolist(), strict=True))
    room, states = 0, set(onward)
    while states := {onward[state] for state in states if state in onward}:
        room += 1
    return Grammar(graph.to(device), room)


def without_lm(found: Lattices) -> Lattice:
    """The lattices with the acoustic scores alone."""
    fsas = found.fsas.clone()
    fsas.scores = fsas.scores - found.lm_scale * fsas.lm_scores
    del fsas.lm_scores
    return fsas


def rescored(found: Lattices, grammar: Grammar) -> Lattices:
    """Whole lattices with the language model's scores replaced by those of G, at scale 1."""
    k2, fsas = import_k2(), without_lm(found)
    fsas.aux_labels = _roomy(fsas.aux_labels, fsas.labels, grammar.room)
    words = k2.arc_sort(k2.invert(fsas))
    which = torch.zeros(len(found.rows), dtype=torch.int32, device=fsas.device)
    both = k2.intersect_device(grammar.graph, words, which, sorted_match_a=True)
    return replace(found, fsas=k2.invert(k2.top_sort(k2.connect(both))), lm_scale=1.0)


@dataclass(frozen=True)
class Scored:
    """A text of a lattice: its best path by sound and search graph, and what G says of it."""

    path: BestPath
    lm_score: float

    def at(self, lm_scale: float) -> BestPath:
        """The path with its score at a scale of the language model."""
        return replace(self.path, score=self.path.score + lm_scale * self.lm_score)


def rescored_texts(found: Lattices, grammar: Grammar, settings: NbestSettings) -> list[list[Scored]]:
    """N-best texts of each lattice, drawn with the search graph's language model and scored by G."""
    texts = nbest(found, settings, without_lm(found))
    scores = iter(grammar_scores([text.ids for some in texts for text in some], grammar))
    return [[Scored(text.path, next(scores)) for text in some] for some in texts]


def grammar_scores(texts: Sequence[tuple[int, ...]], grammar: Grammar) -> list[float]:
    """The log-probability that G gives each text (word ids); -inf where it allows none."""
    if not texts:
        return []
    k2, room = import_k2(), [0] * grammar.room
    spaced = [[label for word in ids for label in (*room, word)] + room for ids in texts]
    fsas = k2.linear_fsa(spaced, device=grammar.graph.device)
    # of a single arc, an empty text alone, the scores would be a column of the arcs, which k2 itself refuses then
    fsas.scores = torch.zeros(fsas.num_arcs, device=grammar.graph.device)
    which = torch.zeros(len(texts), dtype=torch.int32, device=grammar.graph.device)
    both = k2.intersect_device(grammar.graph, fsas, which, sorted_match_a=True)
    return list(k2.top_sort(k2.connect(both)).get_tot_scores(True, log_semiring=False).tolist())


def _roomy(aux_labels: Any, labels: torch.Tensor, room: int) -> Any:
    """Words of each arc with epsilons before each of them; on final arcs epsilons alone."""
    k2 = import_k2()
    words = _ragged(aux_labels).remove_values_leq(0)
    splits, values = words.shape.row_splits(1).long(), words.values
    arc_of_word = words.shape.row_ids(1).long()
    final = labels < 0
    sizes = (splits[1:] - splits[:-1]) * (1 + room) + final * room
    starts = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
    place = torch.arange(len(values), device=values.device) - splits[arc_of_word]
    spaced = torch.zeros(int(starts[-1]), dtype=torch.int32, device=values.device)
    spaced[starts[arc_of_word] + place * (1 + room) + room] = values
    return k2.RaggedTensor(k2.ragged.create_ragged_shape2(starts.int(), None, len(spaced)), spaced)


def _ragged(aux_labels: Any) -> Any:
    """Auxiliary labels, however many an arc has."""
    if not isinstance(aux_labels, torch.Tensor):
        return aux_labels
    k2 = import_k2()
    splits = torch.arange(len(aux_labels) + 1, dtype=torch.int32, device=aux_labels.device)
    return k2.RaggedTensor(k2.ragged.create_ragged_shape2(splits, None, len(aux_labels)), aux_labels)
