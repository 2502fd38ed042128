"""Alignment of a hypothesis with its reference; the door to kaldialign."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import kaldialign
import numpy as np

from unispeech_cli.scorer.edits import Positions, cheapest

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


@dataclass(frozen=True)
class Weights:
    """What edits cost where an alignment is looked for; `optional` is a deletion of a word that may be missing."""

    substitution: float
    insertion: float
    deletion: float
    optional: float


EDITS = Weights(1, 1, 1, 0)
SCLITE = Weights(4, 3, 3, 2)


def align(ref: Sequence[Symbol], hyp: Sequence[Symbol]) -> list[tuple[Symbol | None, Symbol | None]]:
    """Pairs (reference, hypothesis) of a least-edits alignment; None stands where one side has nothing."""
    # kaldialign marks gaps by a symbol that must be in neither side; any string may be a token: numbers go in
    symbols = list(dict.fromkeys([*ref, *hyp]))
    number = {symbol: index for index, symbol in enumerate(symbols)}
    pairs = kaldialign.align([number[s] for s in ref], [number[s] for s in hyp], GAP)
    return [(None if r == GAP else symbols[r], None if h == GAP else symbols[h]) for r, h in pairs]


def align_weighted(
    ref: Sequence[Symbol], hyp: Sequence[Symbol], weights: Weights, optional: Sequence[bool] = ()
) -> Positions:
    """Pairs of positions of the alignment that costs least; `optional` says which reference tokens may be missing.

    With SCLITE's weights the alignment has the errors of NIST's `sclite` (`sclite -D`), ties included.
    """
    number = {symbol: index for index, symbol in enumerate(dict.fromkeys([*ref, *hyp]))}
    ref_R1 = np.array([number[symbol] for symbol in ref], np.int64)[:, None]
    hyp_H = np.array([number[symbol] for symbol in hyp], np.int64)
    substitution_RH = weights.substitution * (ref_R1 != hyp_H)
    marked = optional or [False] * len(ref)
    deletion_R = [weights.optional if may_miss else weights.deletion for may_miss in marked]
    return cheapest(substitution_RH, deletion_R, weights.insertion)[0]


def count(pairs: Sequence[tuple[Symbol | None, Symbol | None]]) -> Counts:
    """Count what the pairs of an alignment are."""
    correct = sum(ref == hyp for ref, hyp in pairs)
    deletions = sum(hyp is None for _, hyp in pairs)
    insertions = sum(ref is None for ref, _ in pairs)
    return Counts(correct, len(pairs) - correct - deletions - insertions, deletions, insertions)
