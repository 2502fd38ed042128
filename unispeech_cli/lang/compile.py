"""L, G -> the graph that is searched: HLG, or HL without a language model."""

from collections.abc import Iterator

import torch

from unispeech_cli.lang.graphs import Graph, ctc_topology, import_k2
from unispeech_cli.lang.lexicon_graph import Symbols


def compile_search(lexicon: Graph, grammar: Graph | None, symbols: Symbols) -> Iterator[tuple[str, Graph]]:
    """L_disambig and G -> LG, HLG, by name; without G, L_disambig -> HL: any word may follow any other.

    Labels of the last one are tokens frame by frame, its auxiliary labels lists of word ids; `scores` are G's
    alone, and `lm_scores` a copy of them.
    """
    k2 = import_k2()
    if grammar is None:
        name, lg = "L", lexicon
    else:
        name, lg = "LG", k2.compose(k2.arc_sort(lexicon), k2.arc_sort(grammar))
    # the language model's scores come as early in a word as they can, so that a narrower beam finds as much
    pushing = k2.DeterminizeWeightPushingType.kTropicalWeightPushing
    lg = k2.connect(k2.determinize(k2.connect(lg), pushing))
    lg = k2.arc_sort(k2.connect(k2.remove_epsilon(_without_disambiguation(lg, symbols))))
    yield f"{name} determinised", lg
    search = k2.connect(k2.compose(ctc_topology(len(symbols.tokens)), lg))
    search.lm_scores = search.scores.clone()
    yield f"H{name}", search


def _without_disambiguation(lg: Graph, symbols: Symbols) -> Graph:
    """Disambiguation symbols become epsilons; made anew, since k2 1.23.4 mistrusts changed labels."""
    k2 = import_k2()
    arcs = lg.arcs.values().clone()
    arcs[arcs[:, 2] >= symbols.first_disambiguation, 2] = 0
    aux_labels = lg.aux_labels
    if isinstance(aux_labels, torch.Tensor):
        return k2.Fsa(arcs, aux_labels=aux_labels)
    return k2.Fsa(arcs, aux_labels=aux_labels.remove_values_eq(0))
