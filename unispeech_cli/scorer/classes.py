"""Errors by class of phone: what is taken for what, and errors weighted by how unlike phones are.

Legend: R reference phones, H phones heard, P phones of a test set.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unispeech_cli.scorer.alignment import Counts, Pairs
from unispeech_cli.scorer.edits import cheapest
from unispeech_cli.scorer.phones import CLASSES, OTHER, Phones

# stands for nothing, in a deletion or insertion
NOTHING = ""


@dataclass(frozen=True)
class ClassErrors:
    """The errors of one class: of reference phones in it, and insertions of its phones.

    `within` are substitutions by the same class; `weight` the sum of errors, a substitution weighing the share of
    features that differ.
    """

    counts: Counts = field(default_factory=Counts)
    within: int = 0
    weight: float = 0.0

    @property
    def weighted(self) -> float | None:
        """Weighted errors per reference phone; None without reference phones."""
        return self.weight / self.counts.reference if self.counts.reference else None

    def __add__(self, other: "ClassErrors") -> "ClassErrors":
        return ClassErrors(self.counts + other.counts, self.within + other.within, self.weight + other.weight)


@dataclass(frozen=True)
class Confusions:
    """By class, errors; by (class in the reference, class heard), phones; and phones that are `other`."""

    classes: dict[str, ClassErrors]
    confused: Counter[tuple[str, str]]
    others: list[str]

    @property
    def total(self) -> ClassErrors:
        return sum(self.classes.values(), ClassErrors())


@dataclass(frozen=True)
class Distances:
    """How unlike the phones of a test set are: `distance_PP`, and the place of each phone in it."""

    place: Mapping[str, int]
    distance_PP: NDArray[np.float64]

    @staticmethod
    def of(symbols: Iterable[str], phones: Phones) -> "Distances":
        ordered = sorted(set(symbols))
        rows = [[phones.distance(first, second) for second in ordered] for first in ordered]
        table = np.array(rows, float).reshape(len(ordered), len(ordered))
        return Distances({symbol: place for place, symbol in enumerate(ordered)}, table)

    def between(self, refs: Sequence[str], hyps: Sequence[str]) -> NDArray[np.float64]:
        """(references, hypotheses)"""
        rows, columns = ([self.place[symbol] for symbol in side] for side in (refs, hyps))
        return self.distance_PP[np.ix_(rows, columns)]


def confusions(utterances: Sequence[Pairs], phones: Phones) -> Confusions:
    """Add up utterances, each aligned anew: of alignments with least errors, that of the most alike phones."""
    symbols = {p for pairs in utterances for pair in pairs for p in pair if p is not None}
    distances = Distances.of(symbols, phones)
    pairs = Counter(pair for utterance in utterances for pair in align_phones(utterance, distances))
    classes: dict[str, ClassErrors] = {}
    confused: Counter[tuple[str, str]] = Counter()
    for (ref, hyp), number in pairs.items():
        said, heard = (NOTHING if p is None else phones.phone(p).kind for p in (ref, hyp))
        kind = said or heard
        classes[kind] = classes.get(kind, ClassErrors()) + _errors(ref, hyp, number, phones)
        confused[said, heard] += number
    ordered = {name: classes[name] for name in CLASSES if name in classes}
    return Confusions(ordered, confused, sorted(p for p in symbols if phones.phone(p).kind == OTHER))


def align_phones(pairs: Pairs, distances: Distances) -> Pairs:
    """Align the two sides of `pairs` with least errors, and of these with the most alike phones."""
    ref, hyp = (
        ([p for p in side if p is not None] for side in zip(*pairs, strict=True)) if pairs else ([], [])
    )
    differs_RH = np.array([[r != h for h in hyp] for r in ref], bool).reshape(len(ref), len(hyp))
    # all distances together weigh less than one error
    slight = 1 / (2 * max(len(ref), len(hyp), 1))
    cost_RH = differs_RH * (1 + slight * distances.between(ref, hyp))
    positions, _ = cheapest(cost_RH, [1.0] * len(ref), 1.0)
    return [(None if r is None else ref[r], None if h is None else hyp[h]) for r, h in positions]


def plain_confusions(found: Confusions) -> dict[str, Any]:
    """Their form in score.json; None stands for nothing."""
    return {
        "weighted_per": found.total.weighted,
        "others": found.others,
        "classes": {
            name: {
                "reference": errors.counts.reference,
                "insertions": errors.counts.insertions,
                "deletions": errors.counts.deletions,
                "substitutions": errors.counts.substitutions,
                "within": errors.within,
                "weighted": errors.weighted,
            }
            for name, errors in found.classes.items()
        },
        "confusions": [
            {"ref": said or None, "hyp": heard or None, "count": number}
            for (said, heard), number in found.confused.most_common()
        ],
    }


def confused_row(found: Confusions, said: str, columns: Sequence[str]) -> list[int]:
    """How often a class was heard as each of `columns`."""
    return [found.confused[said, heard] for heard in columns]


def _errors(ref: str | None, hyp: str | None, number: int, phones: Phones) -> ClassErrors:
    """Of `number` pairs."""
    if ref is None:
        return ClassErrors(Counts(insertions=number), weight=number)
    if hyp is None:
        return ClassErrors(Counts(deletions=number), weight=number)
    if ref == hyp:
        return ClassErrors(Counts(correct=number))
    within = number * (phones.phone(ref).kind == phones.phone(hyp).kind)
    return ClassErrors(Counts(substitutions=number), within, number * phones.distance(ref, hyp))
