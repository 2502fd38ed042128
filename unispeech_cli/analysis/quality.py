"""How well codes tell phones: PNMI, purities (HuBERT, arXiv 2106.07447, section IV-E), and their spread.

Legend: N frames, U pairs of phone and code that occur, E such pairs of a speaker or utterance, K of these drawn from.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unispeech_cli.analysis.observed import Frames, Ints
from unispeech_cli.scorer.bootstrap import BootstrapSettings, Interval, clusters

Floats = NDArray[np.float64]
# how often codes are moved against phones to see what chance gives
SHIFTS = 5
FRACTIONS = ("pnmi", "phone_purity", "code_purity")


@dataclass(frozen=True)
class Quality:
    """Fractions, but for the last two; of frames that are some phone's."""

    # I(phone; code) / H(phone)
    pnmi: float
    # sum over codes of the most frequent phone's share: what a code says of the phone
    phone_purity: float
    # sum over phones of the most frequent code's share: what a phone says of the code
    code_purity: float
    # exp of the entropy of the codes
    perplexity: float
    codes_used: int


@dataclass(frozen=True)
class Spread:
    """The intervals of FRACTIONS by their names, and what PNMI would be without any relation."""

    intervals: dict[str, Interval]
    pnmi_chance: float


class Contingency:
    """Which pairs of phone and code occur in at least one frame, to be counted with any weights."""

    def __init__(self, phone_N: Ints, code_N: Ints) -> None:
        phones = int(phone_N.max()) + 1
        # pairs come sorted by code
        pairs_U, self.pair_N = np.unique(code_N * phones + phone_N, return_inverse=True)
        self.size = len(pairs_U)
        self._phone_U, self._code_U = pairs_U % phones, pairs_U // phones
        self._by_phone_U = np.argsort(self._phone_U, kind="stable")

    def measure(self, count_U: Floats) -> Quality:
        """The figures of counted frames, at least one in all."""
        p_U = count_U / count_U.sum()
        p_code, best_of_code = _sums_and_tops(p_U, self._code_U)
        p_phone, best_of_phone = _sums_and_tops(p_U[self._by_phone_U], self._phone_U[self._by_phone_U])
        h_phone, h_code = _entropy(p_phone), _entropy(p_code)
        information = h_phone + h_code - _entropy(p_U)
        # of one phone alone there is nothing to tell
        pnmi = max(0.0, information / h_phone) if h_phone > 0 else 0.0
        used = int((p_code > 0).sum())
        return Quality(
            pnmi, float(best_of_code.sum()), float(best_of_phone.sum()), float(np.exp(h_code)), used
        )


def measure(phone_N: Ints, code_N: Ints) -> Quality:
    """The figures of at least one frame."""
    table = Contingency(phone_N, code_N)
    return table.measure(np.bincount(table.pair_N, minlength=table.size).astype(float))


def spread(
    frames: Frames, code_N: Ints, speakers: Sequence[str | None], settings: BootstrapSettings
) -> Spread:
    """How far the figures would be others with other speakers, or utterances; `speakers` is by utterance.

    Entropies of drawn samples are too low throughout: the percentiles are moved so that the mean of the draws lies
    on the figure itself. The PNMI of chance is that of codes moved round against phones, runs of both kept.
    """
    table, random = Contingency(frames.phone_N, code_N), np.random.default_rng(settings.seed)
    present = np.unique(frames.utterance_N)
    groups, over = clusters([speakers[utterance] for utterance in present], settings)
    group_of = np.zeros(len(speakers), np.int64)
    for number, members in enumerate(groups):
        group_of[present[members]] = number
    drawn = _draws(table, group_of[frames.utterance_N], len(groups), settings.replications, random)
    whole, intervals = measure(frames.phone_N, code_N), {}
    for name in FRACTIONS:
        value, values_R = getattr(whole, name), np.array([getattr(one, name) for one in drawn])
        low, high = np.quantile(values_R, [0.025, 0.975]) + value - values_R.mean()
        intervals[name] = Interval(float(low), float(high), over, len(groups))
    return Spread(intervals, _by_chance(frames.phone_N, code_N, random))


def _draws(
    table: Contingency, group_N: Ints, groups: int, replications: int, random: np.random.Generator
) -> list[Quality]:
    """The figures of as many groups of frames, drawn with replacement."""
    cells, count_E = np.unique(group_N * table.size + table.pair_N, return_counts=True)
    group_E, pair_E = cells // table.size, cells % table.size
    drawn = []
    for _ in range(replications):
        weight_K = np.bincount(random.integers(groups, size=groups), minlength=groups)
        weights = weight_K[group_E] * count_E
        drawn.append(table.measure(np.bincount(pair_E, weights, table.size).astype(np.float64)))
    return drawn


def _by_chance(phone_N: Ints, code_N: Ints, random: np.random.Generator) -> float:
    shifts = random.integers(1, max(2, len(code_N)), size=SHIFTS)
    return float(np.mean([measure(phone_N, np.roll(code_N, shift)).pnmi for shift in shifts]))


def _sums_and_tops(p_U: Floats, key_U: Ints) -> tuple[Floats, Floats]:
    """Sum and largest of each run of equal keys."""
    starts = np.flatnonzero(np.diff(key_U, prepend=-1))
    return np.add.reduceat(p_U, starts), np.maximum.reduceat(p_U, starts)


def _entropy(p: Floats) -> float:
    some = p[p > 0]
    return float(-(some * np.log(some)).sum())
