"""Phrases that are likely to be said: a search gains with every token of one, and loses it where it breaks off.

An Aho-Corasick automaton (1975) over token ids, so that every phrase is found wherever it begins.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

ROOT = 0


@dataclass(frozen=True)
class Phrase:
    """A phrase in ids, and what it is worth (log-probability) when all of it is heard."""

    ids: tuple[int, ...]
    bonus: float


@dataclass(frozen=True)
class Bias:
    """The automaton: `step` says where an id leads and what it gains; begins at `start`, state 0 is the root.

    Where words are parted by a token of their own, phrases begin and end with that `boundary`, and so does an
    utterance, although nobody hears it there.
    """

    arcs: tuple[dict[int, int], ...]
    fails: tuple[int, ...]
    # gained by phrases that end here; and by the part of one that is held here, to be given back
    earned: tuple[float, ...]
    held: tuple[float, ...]
    boundary: int | None = None

    @cached_property
    def start(self) -> int:
        return ROOT if self.boundary is None else self.step(ROOT, self.boundary)[0]

    @cached_property
    def most(self) -> float:
        """The most that one id can gain."""
        gains = [self.step(state, label)[1] for state, arcs in enumerate(self.arcs) for label in arcs]
        return max(gains, default=0.0)

    def step(self, state: int, label: int) -> tuple[int, float]:
        """The state that a label leads to, and what is gained or given back on the way."""
        source = state
        while label not in self.arcs[state] and state != ROOT:
            state = self.fails[state]
        target = self.arcs[state].get(label, ROOT)
        return target, self.earned[target] + self.held[target] - self.held[source]

    def finish(self, state: int) -> float:
        """What is gained or given back where the utterance ends."""
        gain = 0.0
        if self.boundary is not None:
            state, gain = self.step(state, self.boundary)
        return gain - self.held[state]


def bias(phrases: Iterable[Phrase], boundary: int | None = None) -> Bias:
    """Build the automaton; of a phrase that comes twice, the greater bonus counts."""
    unique: dict[tuple[int, ...], float] = {}
    for phrase in phrases:
        unique[phrase.ids] = max(phrase.bonus, unique.get(phrase.ids, 0.0))
    arcs, earned, held = _trie(unique, boundary)
    fails = _fails(arcs)
    # breadth first, so that what a suffix earns is known by then
    for state in _breadth_first(arcs):
        earned[state] += earned[fails[state]]
    return Bias(tuple(arcs), tuple(fails), tuple(earned), tuple(held), boundary)


def _trie(
    phrases: dict[tuple[int, ...], float], boundary: int | None
) -> tuple[list[dict[int, int]], list[float], list[float]]:
    arcs: list[dict[int, int]] = [{}]
    earned, held = [0.0], [0.0]
    # shorter ones first: a longer one then knows what of it is earned already
    for ids, bonus in sorted(phrases.items(), key=lambda item: (len(item[0]), item)):
        state, share = ROOT, bonus / max(1, sum(label != boundary for label in ids))
        for label in ids:
            if label not in arcs[state]:
                arcs.append({})
                earned.append(0.0)
                held.append(held[state] + (share if label != boundary else 0.0))
                arcs[state][label] = len(arcs) - 1
            state = arcs[state][label]
        earned[state], held[state] = earned[state] + bonus, 0.0
    return arcs, earned, held


def _breadth_first(arcs: Sequence[dict[int, int]]) -> Iterable[int]:
    queue = deque([ROOT])
    while queue:
        state = queue.popleft()
        yield state
        queue.extend(arcs[state].values())


def _fails(arcs: Sequence[dict[int, int]]) -> list[int]:
    """For each state that of the longest suffix of its labels that begins a phrase."""
    fails = [ROOT] * len(arcs)
    for state in _breadth_first(arcs):
        for label, child in arcs[state].items():
            suffix = fails[state]
            while label not in arcs[suffix] and suffix != ROOT:
                suffix = fails[suffix]
            target = arcs[suffix].get(label, ROOT)
            fails[child] = target if target != child else ROOT
    return fails
