"""Alignment of a hypothesis with its reference; the door to kaldialign."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import kaldialign

Symbol = TypeVar("Symbol", bound=str | int)
# (reference, hypothesis); None stands where one side has nothing
Pairs = Sequence[tuple[str | None, str | None]]
GAP = -1


@dataclass(frozen=True)
class Counts:
    """What an alignment holds, in tokens."""

    correct: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def reference(self) -> int:
        """Tokens in the reference."""
        return self.correct + self.substitutions + self.deletions

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.correct + other.correct,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )


def align(
    ref: Sequence[Symbol], hyp: Sequence[Symbol], *, sclite: bool = False
) -> list[tuple[Symbol | None, Symbol | None]]:
    """Pairs (reference, hypothesis) of a least-edits alignment; None stands where one side has nothing.

    With `sclite` a substitution weighs 4, a deletion or insertion 3, as NIST's scorer has it; else all weigh 1.
    """
    # kaldialign marks gaps by a symbol that must be in neither side; any string may be a token: numbers go in
    symbols = list(dict.fromkeys([*ref, *hyp]))
    number = {symbol: index for index, symbol in enumerate(symbols)}
    pairs = kaldialign.align([number[s] for s in ref], [number[s] for s in hyp], GAP, sclite)
    return [(None if r == GAP else symbols[r], None if h == GAP else symbols[h]) for r, h in pairs]


def count(pairs: Sequence[tuple[Symbol | None, Symbol | None]]) -> Counts:
    """Count what the pairs of an alignment are."""
    correct = sum(ref == hyp for ref, hyp in pairs)
    deletions = sum(hyp is None for _, hyp in pairs)
    insertions = sum(ref is None for ref, _ in pairs)
    return Counts(correct, len(pairs) - correct - deletions - insertions, deletions, insertions)
