"""The methods that search a k2 graph: from posteriors to a path for each scale of the language model.

Shapes: B utterances, T frames, V tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from unispeech_cli.decoder.bias import Bias
from unispeech_cli.decoder.biased_graph import with_phrases
from unispeech_cli.decoder.fallback import Heard
from unispeech_cli.decoder.lattice import Beams, Lattices, best_paths, lattices, scaled
from unispeech_cli.decoder.memory import check_lattices, check_room
from unispeech_cli.decoder.nbest import NbestSettings, nbest
from unispeech_cli.decoder.pruning import pruned
from unispeech_cli.decoder.rescoring import Grammar, rescored, rescored_texts
from unispeech_cli.decoder.search import NOTHING, BestPath
from unispeech_cli.lang.graphs import Graph

# frames that are tried before utterances of ten times as many: how dense the lattice will be
TRIED = 100

Choice = Literal["best path", "likeliest text", "rescored text", "rescored path"]


@dataclass(frozen=True)
class GraphSearch:
    """One search; `graph` is scaled by `lm_scale` and lies on the device of the posteriors."""

    graph: Graph
    has_words: bool
    choice: Choice
    beams: Beams
    nbest: NbestSettings
    lm_scale: float
    scales: tuple[float, ...] | None
    """Of the language model in the results; None for one result with the scale of the search."""
    grammar: Grammar | None = None
    phrases: Bias | None = None
    rescored_arcs: int = 30
    swept_arcs: int = 300

    def __call__(self, log_prob_BTV: Tensor, frame_lengths_B: Tensor) -> list[Heard | None]:
        """Paths of each utterance; empty ones without frames, None where no way leads to a final state.

        Raises MemoryError, torch's and k2's errors where memory runs out.
        """
        if log_prob_BTV.device.type != "cpu":
            return self.together(log_prob_BTV, frame_lengths_B)
        # one after the other takes no longer there, and no more memory than the largest lattice
        pairs = zip(log_prob_BTV.split(1), frame_lengths_B.split(1), strict=True)
        return [heard for one_1TV, length_1 in pairs for heard in self.together(one_1TV, length_1)]

    def together(self, log_prob_BTV: Tensor, frame_lengths_B: Tensor) -> list[Heard | None]:
        """Paths of utterances whose lattices are in memory at once, otherwise as when called."""
        check_room(self.graph, len(frame_lengths_B), self.beams)
        self._check_lattices(log_prob_BTV, frame_lengths_B)
        results: list[Heard | None] = [(NOTHING,) * len(self.scales or (0,))] * len(frame_lengths_B)
        found = self._lattices(log_prob_BTV, frame_lengths_B)
        if found is not None:
            found = with_phrases(found, self.phrases) if self.phrases else found
            # under the same name: the whole lattice is gone before it is scored anew
            found = pruned(found, self._arcs_per_frame) if self._arcs_per_frame else found
            columns = self._chosen(found)
            for number, row in enumerate(found.rows):
                paths = [path for column in columns if (path := column[number]) is not None]
                results[row] = tuple(paths) if len(paths) == len(columns) else None
        return results

    def on(self, device: str) -> "GraphSearch":
        """The same search on another device."""
        grammar = self.grammar and replace(self.grammar, graph=self.grammar.graph.to(device))
        return replace(self, graph=self.graph.to(device), grammar=grammar)

    def narrowed(self) -> "GraphSearch":
        """The same search with half the beams, a quarter of the states and of the arcs that are kept."""
        beams = self.beams
        narrow = Beams(
            beams.search_beam / 2,
            beams.output_beam / 2,
            max(1, beams.min_active_states // 4),
            max(2, beams.max_active_states // 4),
        )
        rescored_arcs, swept_arcs = max(1, self.rescored_arcs // 4), max(1, self.swept_arcs // 4)
        return replace(self, beams=narrow, rescored_arcs=rescored_arcs, swept_arcs=swept_arcs)

    def _lattices(self, log_prob_BTV: Tensor, frame_lengths_B: Tensor) -> Lattices | None:
        return lattices(
            log_prob_BTV,
            frame_lengths_B,
            self.graph,
            self.beams,
            has_words=self.has_words,
            lm_scale=self.lm_scale,
        )

    def _check_lattices(self, log_prob_BTV: Tensor, frame_lengths_B: Tensor) -> None:
        """Raise MemoryError where long utterances may not fit, were they as unsure all along as in the middle."""
        longest = int(frame_lengths_B.max())
        if longest < 10 * TRIED:
            return
        start = (longest - TRIED) // 2
        tried_B = (frame_lengths_B - start).clamp(0, TRIED)
        found = self._lattices(log_prob_BTV[:, start : start + TRIED], tried_B)
        assert found is not None
        arcs_per_frame = found.fsas.arcs.num_elements() / sum(found.frames)
        check_lattices(arcs_per_frame * int(frame_lengths_B.sum()), log_prob_BTV.device)

    @property
    def _arcs_per_frame(self) -> int | None:
        """What is kept of a lattice that is not only gone through once; None for all of it."""
        if self.choice == "rescored path":
            return self.rescored_arcs
        return self.swept_arcs if len(self.scales or ()) > 1 else None

    def _chosen(self, found: Lattices) -> list[list[BestPath | None]]:
        """For each scale the path of each lattice."""
        scales = self.scales or (self.lm_scale,)
        if self.choice == "rescored text":
            assert self.grammar is not None
            texts = rescored_texts(found, self.grammar, self.nbest)
            return [[_best([text.at(scale) for text in some]) for some in texts] for scale in scales]
        if self.choice == "rescored path":
            assert self.grammar is not None
            found = rescored(found, self.grammar)
        if self.grammar is None and self.scales is None:
            return [self._of_lattices(found)]
        return [self._of_lattices(scaled(found, scale)) for scale in scales]

    def _of_lattices(self, found: Lattices) -> list[BestPath | None]:
        if self.choice != "likeliest text":
            return best_paths(found.fsas, found.has_words)
        texts = nbest(found, self.nbest)
        return [_best([replace(text.path, score=text.total) for text in some]) for some in texts]


def _best(paths: Sequence[BestPath]) -> BestPath | None:
    """The path with the best score, None of none."""
    return max(paths, key=lambda path: path.score, default=None)
