"""Whose turn it is: who is furthest behind its share comes next; decided for many batches at once.

Legend: M batches to come, K lanes.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, Any]

# batches of a lane that are looked at together, where lanes take turns
_WINDOW = 512


class Lane(Protocol):
    """Batches that come one after the other without end: of one pool, or of several that take turns."""

    def ahead(self) -> Array:
        """Samples of the batches that come next, int64; as many as are known, at least one."""

    def move(self, count: int) -> None:
        """Leave behind that many of the batches that `ahead` has shown."""


class Turns:
    """A lane of lanes: the next batch is of the lane furthest behind its share of the samples so far.

    With T samples given, G_k of them to lane k, its lag is share_k x (T + 1) - G_k in doubles; the greatest comes
    next, of equal ones the first. The one sample more makes the largest share come first of all.
    """

    def __init__(self, shares: Sequence[float], lanes: Sequence[Lane]) -> None:
        whole = max(sum(shares), 1e-12)
        # one without a share is never the furthest behind where another has one
        self._places = [place for place, share in enumerate(shares) if share > 0] or [0]
        self._lanes = lanes
        self._shares = [shares[place] / whole for place in self._places if place < len(shares)]
        # those of the batches looked at are in it
        self._given = [0] * len(self._shares)
        self._who_M = self._samples_M = np.zeros(0, dtype=np.int64)
        self._used = 0

    def next(self) -> int:
        """The lane that the next batch is of."""
        self.ahead()
        return int(self._who_M[self._used])

    def ahead(self) -> Array:
        if self._used == len(self._who_M):
            self._look()
        return self._samples_M[self._used :]

    def move(self, count: int) -> None:
        who_M = self._who_M[self._used : self._used + count]
        for lane, taken in enumerate(np.bincount(who_M).tolist()):
            if taken:
                self._lanes[lane].move(taken)
        self._used += count

    def _look(self) -> None:
        aheads = [self._lanes[place].ahead() for place in self._places]
        if len(aheads) > 1:
            aheads = [samples_M[:_WINDOW] for samples_M in aheads]
            choose = _of_two if len(aheads) == 2 else _of_many
            who_M = choose(self._shares, self._given, aheads)
        else:
            who_M = np.zeros(len(aheads[0]), dtype=np.int64)
        self._samples_M = np.empty(len(who_M), dtype=np.int64)
        for number, samples_M in enumerate(aheads):
            of_it_M = who_M == number
            taken_M = samples_M[: np.count_nonzero(of_it_M)]
            self._samples_M[of_it_M] = taken_M
            self._given[number] += int(taken_M.sum())
        self._who_M, self._used = np.array(self._places)[who_M], 0


def _of_many(shares: Sequence[float], given: Sequence[int], aheads: Sequence[Array]) -> Array:
    """Who comes next, batch by batch, until a lane's batches are used up."""
    lanes, given = [iter(samples_M.tolist()) for samples_M in aheads], list(given)
    who_M: list[int] = []
    total = sum(given) + 1
    while True:
        lags = [share * total - had for share, had in zip(shares, given, strict=True)]
        who = lags.index(max(lags))
        samples = next(lanes[who], None)
        if samples is None:
            return np.array(who_M)
        who_M.append(who)
        given[who] += samples
        total += samples


def _of_two(shares: Sequence[float], given: Sequence[int], aheads: Sequence[Array]) -> Array:
    """The same, all at once: of two lanes the first is next where (1 - p + q) A - (p - q) <= (1 + p - q) B.

    p and q are the shares, A and B what was given. Both sides only grow, so that turns are a merge of two sorted
    rows. Where doubles round a tie the other way, as the lags themselves say, the batches end after that one.
    """
    (first, second), skew = aheads, shares[0] - shares[1]
    had = [np.cumsum([before, *samples_M]) for before, samples_M in zip(given, aheads, strict=True)]
    left_M, right_M = had[0][:-1] * (1 - skew) - skew, had[1][:-1] * (1 + skew)
    place_M = np.arange(len(first)) + np.searchsorted(right_M, left_M)
    who_M = np.ones(len(first) + len(second), dtype=np.int64)
    who_M[place_M] = 0
    who_M = who_M[: min(place_M[-1], np.flatnonzero(who_M)[-1]) + 1]
    second_M = np.cumsum(who_M) - who_M
    a_M, b_M = had[0][np.arange(len(who_M)) - second_M], had[1][second_M]
    total_M = a_M + b_M + 1
    right_who_M = (shares[1] * total_M - b_M > shares[0] * total_M - a_M).astype(np.int64)
    wrong = np.flatnonzero(right_who_M != who_M)
    return right_who_M[: wrong[0] + 1] if len(wrong) else who_M
