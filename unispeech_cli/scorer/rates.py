"""Error rates over a corpus: all errors over all reference tokens, whole or by group."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from unispeech_cli.scorer.alignment import Counts

Item = TypeVar("Item")


@dataclass(frozen=True)
class Rate:
    """An error rate with what it is made of; `seconds` of audio."""

    counts: Counts = field(default_factory=Counts)
    utterances: int = 0
    seconds: float = 0.0

    @property
    def fraction(self) -> float:
        """Errors per reference token; of an empty reference 0 without errors, else infinite."""
        if self.counts.reference:
            return self.counts.errors / self.counts.reference
        return math.inf if self.counts.errors else 0.0

    @property
    def percent(self) -> float:
        return 100 * self.fraction

    def __add__(self, other: "Rate") -> "Rate":
        utterances = self.utterances + other.utterances
        return Rate(self.counts + other.counts, utterances, self.seconds + other.seconds)


def total(rates: Iterable[Rate]) -> Rate:
    """The rate over everything that `rates` cover."""
    return sum(rates, Rate())


def by_group(items: Iterable[tuple[Item, Rate]], group: Callable[[Item], str]) -> dict[str, Rate]:
    """The rate of each group of items, groups in order of name."""
    rates: dict[str, Rate] = {}
    for item, rate in items:
        rates[group(item)] = rates.get(group(item), Rate()) + rate
    return dict(sorted(rates.items()))
