"""Errors by class of phone: what is taken for what, and errors weighted by how unlike phones are."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

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


def confusions(utterances: Iterable[Pairs], phones: Phones) -> Confusions:
    """Add up utterances, each aligned anew: of alignments with least errors, that of the most alike phones."""
    classes: dict[str, ClassErrors] = {}
    confused: Counter[tuple[str, str]] = Counter()
    seen: set[str] = set()
    for pairs in utterances:
        for ref, hyp in align_phones(pairs, phones):
            said, heard = (NOTHING if p is None else phones.phone(p).kind for p in (ref, hyp))
            kind = said or heard
            classes[kind] = classes.get(kind, ClassErrors()) + _errors(ref, hyp, said == heard, phones)
            confused[said, heard] += 1
            seen |= {p for p in (ref, hyp) if p is not None}
    ordered = {name: classes[name] for name in CLASSES if name in classes}
    return Confusions(ordered, confused, sorted(p for p in seen if phones.phone(p).kind == OTHER))


def align_phones(pairs: Pairs, phones: Phones) -> Pairs:
    """Align the two sides of `pairs` with least errors, and of these with the most alike phones."""
    ref, hyp = (
        ([p for p in side if p is not None] for side in zip(*pairs, strict=True)) if pairs else ([], [])
    )
    # all distances together weigh less than one error
    slight = 1 / (2 * max(len(ref), len(hyp), 1))
    cost_RH = np.array([[_cost(r, h, phones, slight) for h in hyp] for r in ref]).reshape(len(ref), len(hyp))
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


def _cost(ref: str, hyp: str, phones: Phones, slight: float) -> float:
    return 0.0 if ref == hyp else 1 + slight * phones.distance(ref, hyp)


def _errors(ref: str | None, hyp: str | None, within: bool, phones: Phones) -> ClassErrors:
    if ref is None:
        return ClassErrors(Counts(insertions=1), weight=1)
    if hyp is None:
        return ClassErrors(Counts(deletions=1), weight=1)
    if ref == hyp:
        return ClassErrors(Counts(correct=1))
    return ClassErrors(Counts(substitutions=1), int(within), phones.distance(ref, hyp))
