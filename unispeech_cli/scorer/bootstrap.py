"""Bootstrap intervals of error rates (Bisani and Ney 2004): what other speakers would have given.

Legend: N speakers or utterances drawn from, R replications.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from unispeech_cli.scorer.rates import Rate

# how many draws are held at once: 32 MB of them
_AT_ONCE = 4_000_000

Over = Literal["speakers", "utterances"]


@dataclass(frozen=True)
class BootstrapSettings:
    """How intervals are made.

    Speakers are drawn where every utterance has one and there are `speakers` or more, else utterances.
    """

    replications: int = 1000
    seed: int = 1
    speakers: int = 5


@dataclass(frozen=True)
class Interval:
    """A 95 % interval, as fractions; drawn from `size` speakers or utterances."""

    low: float
    high: float
    over: Over
    size: int


@dataclass(frozen=True)
class Paired:
    """The second error rate less the first, as a fraction; `p` is two-sided, for no difference."""

    difference: float
    interval: Interval
    p: float


def clusters(speakers: Sequence[str | None], settings: BootstrapSettings) -> tuple[list[list[int]], Over]:
    """The numbers of the utterances that are drawn together, and whether these are speakers or single ones."""
    several = None not in speakers and len(set(speakers)) >= settings.speakers
    groups: dict[str | int, list[int]] = defaultdict(list)
    for index, speaker in enumerate(speakers):
        groups[speaker if several and speaker is not None else index].append(index)
    return list(groups.values()), "speakers" if several else "utterances"


def interval(
    rates: Sequence[Rate], speakers: Sequence[str | None], settings: BootstrapSettings
) -> Interval | None:
    """The percentile interval of the total of `rates`, one per utterance; None without reference tokens."""
    made_of = _Clusters.of(rates, speakers, settings)
    errors_RN, references_R = made_of.replicated(settings)
    known_R = references_R > 0
    if not known_R.any():
        return None
    return made_of.interval(errors_RN[known_R, 0] / references_R[known_R])


def paired(
    first: Sequence[Rate], second: Sequence[Rate], speakers: Sequence[str | None], settings: BootstrapSettings
) -> Paired | None:
    """Compare two systems on the same utterances in the same draws; None without reference tokens."""
    made_of = _Clusters.of(first, speakers, settings, second)
    errors_RN, references_R = made_of.replicated(settings)
    known_R = references_R > 0
    if not known_R.any():
        return None
    drawn_R = (errors_RN[known_R, 1] - errors_RN[known_R, 0]) / references_R[known_R]
    whole = sum(rate.counts.reference for rate in first)
    difference = sum(b.counts.errors - a.counts.errors for a, b in zip(first, second, strict=True)) / whole
    # the draw that was made counts as one: a p of 0 cannot be had by drawing
    tail = 1 + min(int((drawn_R <= 0).sum()), int((drawn_R >= 0).sum()))
    return Paired(difference, made_of.interval(drawn_R), min(1.0, 2 * tail / (1 + len(drawn_R))))


@dataclass(frozen=True)
class _Clusters:
    """Errors (of one system or two) and reference tokens of each speaker or utterance."""

    errors_NS: NDArray[np.int64]
    references_N: NDArray[np.int64]
    over: Over

    @staticmethod
    def of(
        rates: Sequence[Rate],
        speakers: Sequence[str | None],
        settings: BootstrapSettings,
        second: Sequence[Rate] | None = None,
    ) -> "_Clusters":
        systems = [rates] if second is None else [rates, second]
        groups, over = clusters(speakers, settings)
        errors = [[sum(s[i].counts.errors for i in members) for s in systems] for members in groups]
        references = [sum(rates[i].counts.reference for i in members) for members in groups]
        return _Clusters(
            np.array(errors, np.int64).reshape(-1, len(systems)), np.array(references, np.int64), over
        )

    def replicated(self, settings: BootstrapSettings) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Errors (R, systems) and reference tokens (R,) of as many speakers or utterances, drawn with replacement."""
        generator, size = np.random.default_rng(settings.seed), len(self.references_N)
        errors, references, left = [self.errors_NS[:0]], [self.references_N[:0]], settings.replications
        while left > 0 and size:
            rows = min(left, max(1, _AT_ONCE // size))
            drawn_RN = generator.integers(size, size=(rows, size))
            errors.append(self.errors_NS[drawn_RN].sum(1))
            references.append(self.references_N[drawn_RN].sum(1))
            left -= rows
        return np.concatenate(errors), np.concatenate(references)

    def interval(self, drawn_R: NDArray[np.float64]) -> Interval:
        low, high = np.quantile(drawn_R, [0.025, 0.975])
        return Interval(float(low), float(high), self.over, len(self.references_N))
