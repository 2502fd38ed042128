"""The likeliest texts of a lattice.

k2's own Nbest keeps one sampled alignment of each text, and its intersection fails; here texts are drawn from the
lattice and each is scored by all the lattice says of it.
"""

from dataclasses import dataclass
from typing import Any

import torch

from unispeech_cli.decoder.lattice import Lattice, Lattices, best_paths
from unispeech_cli.decoder.search import BestPath
from unispeech_cli.lang.graphs import import_k2


@dataclass(frozen=True)
class NbestSettings:
    """How texts are drawn from a lattice."""

    paths: int = 100
    """Paths drawn of each utterance; many of them say the same."""
    scale: float = 0.5
    """Of the lattice's scores, to draw by: the smaller, the more different texts."""


@dataclass(frozen=True)
class Text:
    """A text of a lattice: its best path, and its log-probability summed over all its paths."""

    ids: tuple[int, ...]
    path: BestPath
    total: float


def nbest(found: Lattices, settings: NbestSettings, scored_by: Lattice | None = None) -> list[list[Text]]:
    """Different texts of each lattice, the likeliest in sum first; none where the lattice is empty.

    `scored_by` are the same lattices with the scores that count; else those count by which texts are drawn.
    """
    k2 = import_k2()
    drawn = _drawn(found, settings)
    flat = [(row, ids) for row, texts in enumerate(drawn) for ids in texts]
    texts: list[list[Text]] = [[] for _ in drawn]
    if not flat:
        return texts
    device = found.fsas.device
    fsas = k2.add_epsilon_self_loops(k2.linear_fsa([list(ids) for _, ids in flat], device=device))
    which = torch.tensor([row for row, _ in flat], dtype=torch.int32, device=device)
    upside_down = k2.arc_sort(k2.invert(scored_by if scored_by is not None else found.fsas))
    scored = k2.intersect_device(upside_down, fsas, which, sorted_match_a=True)
    scored = k2.invert(k2.top_sort(k2.connect(scored)))
    totals = scored.get_tot_scores(use_double_scores=True, log_semiring=True).tolist()
    paths = best_paths(scored, found.has_words)
    for (row, ids), total, path in zip(flat, totals, paths, strict=True):
        # what was drawn from the lattice is in it
        assert path is not None
        texts[row].append(Text(ids, path, total))
    return [sorted(some, key=lambda text: -text.total) for some in texts]


def _drawn(found: Lattices, settings: NbestSettings) -> list[list[tuple[int, ...]]]:
    """Different texts of each lattice, that of the best path first."""
    k2 = import_k2()
    flattened = found.fsas.clone()
    flattened.scores = flattened.scores * settings.scale
    paths = k2.random_paths(flattened, use_double_scores=True, num_paths=settings.paths)
    texts = _texts(flattened.aux_labels, paths).remove_values_leq(0).tolist()
    # a draw from many texts may miss it
    best = [
        [path.words if found.has_words else path.ids] if path is not None else []
        for path in best_paths(found.fsas, found.has_words)
    ]
    return [
        list(dict.fromkeys([*first, *(tuple(ids) for ids in some)]))
        for first, some in zip(best, texts, strict=True)
    ]


def _texts(aux_labels: Any, paths: Any) -> Any:
    if isinstance(aux_labels, torch.Tensor):
        return import_k2().ragged.index(aux_labels, paths)
    said = aux_labels.index(paths)
    return said.remove_axis(said.num_axes - 2)
