"""Likely phrases in k2 graphs: over the tokens of H, on single words of HLG, over the words of lattices."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import torch

from unispeech_cli.decoder.bias import Bias
from unispeech_cli.decoder.lattice import Lattices
from unispeech_cli.lang.graphs import Graph, ctc_topology, import_k2

# what fits into a few hundred MB
MOST_ARCS = 10_000_000


def biased_topology(num_tokens: int, bias: Bias) -> Graph:
    """The CTC topology whose scores are what the tokens gain. Raises ValueError where it would be too large."""
    arcs = num_tokens**2 * len(bias.arcs)
    if arcs > MOST_ARCS:
        raise ValueError(
            f"--bias: {len(bias.arcs)} units of phrases and {num_tokens} tokens make a graph of up to {arcs} arcs; "
            "use --method prefix-beam"
        )
    k2 = import_k2()
    phrases = _automaton(bias, range(1, num_tokens))
    phrases.aux_labels = phrases.labels.clone()
    return k2.connect(k2.compose(k2.arc_sort(ctc_topology(num_tokens)), k2.arc_sort(phrases)))


def with_bonuses(graph: Graph, bonuses: Mapping[int, float]) -> Graph:
    """A graph of words in which some word ids score more."""
    words = graph.aux_labels
    gain = torch.zeros(int(words.values.max()) + 1 if len(words.values) else 1)
    for word, bonus in bonuses.items():
        if word < len(gain):
            gain[word] = bonus
    biased, arcs = graph.clone(), words.shape.row_ids(1).long()
    known = words.values.clamp(min=0).long()
    gains = torch.zeros(len(graph.labels)).index_add(0, arcs, gain[known])
    biased.scores = biased.scores + gains.to(biased.scores.device)
    return biased


def with_phrases(found: Lattices, bias: Bias) -> Lattices:
    """Lattices of words in which phrases of several words score more."""
    k2 = import_k2()
    words = k2.arc_sort(k2.invert(found.fsas))
    heard = sorted({word for word in words.labels.tolist() if word > 0})
    phrases = k2.add_epsilon_self_loops(_automaton(bias, heard))
    vector = k2.arc_sort(k2.create_fsa_vec([phrases.to(words.device)]))
    which = torch.zeros(len(found.rows), dtype=torch.int32, device=words.device)
    both = k2.intersect_device(vector, words, which, sorted_match_a=True)
    return replace(found, fsas=k2.invert(k2.top_sort(k2.connect(both))))


def _automaton(bias: Bias, labels: Iterable[int]) -> Graph:
    """An acceptor of all sequences of these labels, scored with what they gain."""
    labels, states = list(labels), range(len(bias.arcs))
    # k2 begins in state 0, which here is the root
    shown = {bias.start: 0, **({0: bias.start} if bias.start else {})}
    arcs, scores = [], []
    for state in sorted(states, key=lambda state: shown.get(state, state)):
        for label in labels:
            target, gain = bias.step(state, label)
            arcs.append((shown.get(state, state), shown.get(target, target), label))
            scores.append(gain)
        arcs.append((shown.get(state, state), len(states), -1))
        scores.append(bias.finish(state))
    packed = torch.tensor(arcs, dtype=torch.int32)
    bits = torch.tensor(scores, dtype=torch.float32).view(torch.int32)
    return import_k2().Fsa(torch.cat([packed, bits[:, None]], dim=1))
