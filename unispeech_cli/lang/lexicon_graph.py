"""Lexicon -> L, from tokens to words; L_disambig, which can be determinised once it is composed with G.

Letters have a token between words, `|`: L says it between two words, never before the first nor after the
last, as transcripts do. Phones and pieces have none. There is no silence: CTC's blank does its work.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from unispeech_cli.lang.graphs import Graph, from_arcs
from unispeech_cli.lang.lexicon import DISAMBIGUATION, Pronunciations
from unispeech_cli.lang.tokens import TokenTable, owned, owner

Entry = tuple[str, tuple[str, ...]]
"""A word and one pronunciation of it, disambiguation symbols included."""

_EPSILON = 0
_FINAL = -1


@dataclass(frozen=True)
class Symbols:
    """Ids of tokens and words; disambiguation symbols `#0 #1 …` stand behind the tokens."""

    tokens: TokenTable
    words: Mapping[str, int]
    boundary: str | None
    """The unit between words, where there is one."""

    @property
    def first_disambiguation(self) -> int:
        """The id of the token `#0`; those that follow are `#1`, `#2`, …"""
        return len(self.tokens)

    def ids(self, units: Iterable[str]) -> list[int]:
        """Ids of tokens and disambiguation symbols."""
        known, first = self.tokens.ids, self.first_disambiguation
        return [known[unit] if unit in known else first + int(unit.removeprefix("#")) for unit in units]


def disambiguated(lexicon: Pronunciations) -> list[Entry]:
    """Pronunciations with `#1`, `#2`, … behind those of several words and those that begin another one."""
    entries = [(word, units) for word in sorted(lexicon) for units in lexicon[word]]
    words_by_units = Counter(units for _, units in entries)
    begun = {units[:length] for _, units in entries for length in range(1, len(units))}
    said: Counter[tuple[str, ...]] = Counter()
    marked = []
    for word, units in entries:
        said[units] += 1
        alone = words_by_units[units] == 1 and units not in begun
        marked.append((word, units if alone else (*units, f"#{said[units]}")))
    return marked


def lexicon_graph(entries: Sequence[Entry], symbols: Symbols, *, backoff: bool) -> Graph:
    """L of these entries: labels are tokens, auxiliary labels words, each on the first arc of its word.

    `backoff` adds the loops of `#0` that let G back off, where a word has ended or nothing was said yet.
    """
    states = count(1)
    arcs = list(_backing_off(0, symbols)) if backoff else []
    ends = {0}
    for boundary, group in _by_boundary(entries, symbols).items():
        before = after = 0
        if boundary is not None:
            before, after = next(states), next(states)
            arcs += [(0, before, _EPSILON, _EPSILON), (after, before, symbols.tokens.ids[boundary], _EPSILON)]
            arcs += _backing_off(after, symbols) if backoff else []
            ends.add(after)
        for word, units in group:
            arcs += _said(symbols.ids(units), symbols.words[word], before, after, states)
    final = next(states)
    return from_arcs([*arcs, *((end, final, _FINAL, _FINAL) for end in ends)])


def _backing_off(state: int, symbols: Symbols) -> Iterator[tuple[int, int, int, int]]:
    yield state, state, symbols.first_disambiguation, symbols.words[DISAMBIGUATION]


def _said(
    ids: Sequence[int], word: int, before: int, after: int, states: Iterator[int]
) -> Iterator[tuple[int, int, int, int]]:
    """The arcs of one pronunciation."""
    source = before
    for place, label in enumerate(ids):
        target = after if place == len(ids) - 1 else next(states)
        yield source, target, label, _EPSILON if place else word
        source = target


def _by_boundary(entries: Sequence[Entry], symbols: Symbols) -> dict[str | None, list[Entry]]:
    """Entries by the token that parts them: one in shared inventories, one a language in separate ones."""
    groups: dict[str | None, list[Entry]] = {}
    for word, units in entries:
        groups.setdefault(_boundary(units, symbols), []).append((word, units))
    return groups


def _boundary(units: Sequence[str], symbols: Symbols) -> str | None:
    if symbols.boundary is None:
        return None
    separate = symbols.tokens.is_separate
    boundary = owned(symbols.boundary, owner(units[0])) if separate else symbols.boundary
    # a model of transcripts of single words has never seen one
    return boundary if boundary in symbols.tokens.ids else None


def write_disambiguated(entries: Iterable[Entry]) -> str:
    """lexicon_disambig.txt."""
    return "".join(f"{word} {' '.join(units)}\n" for word, units in entries)
