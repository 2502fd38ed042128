"""Which cuts make which batch: by padded seconds, seeded, resumable from a count of batches.

Lhotse's samplers lose their place under filters and prefetching workers; here the whole plan is a function of
(durations, seed, epoch), and a position in it is one number. Only whole numbers and roundings that IEEE fixes
decide, so that another machine plans the same.

Legend: N cuts, M batches of an epoch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unispeech_cli.batches.turns import Turns
from unispeech_cli.frames import SAMPLE_RATE

Array = np.ndarray[Any, Any]

# lengths are sorted as if up to so much longer: other batches each epoch, at little padding
JITTER = 0.05
# cuts whose batches are looked for together: what fits into a processor's cache
_BLOCK = 1 << 15
# the number, in its seed, of what draws how fast cuts are played
_SPEEDS = 1


@dataclass(frozen=True)
class Pool:
    """Cuts that batches are drawn from together, and their share of all audio seconds trained on."""

    seconds_N: Array
    share: float
    labelled: bool = False


@dataclass(frozen=True)
class Planned:
    """One batch: its number in the plan, its pool, the numbers of its cuts there, how fast each is played."""

    number: int
    pool: int
    cuts: tuple[int, ...]
    speeds: tuple[float, ...]


def endless_plan(
    pools: Sequence[Pool],
    seconds_per_batch: float,
    seed: int,
    *,
    speeds: Sequence[float] = (1.0,),
    skip: int = 0,
) -> Iterator[Planned]:
    """Batches without end from number `skip` on; each pool is gone through whole, epoch by epoch.

    The next batch is of the kind, labelled or not, that is further behind its share of the seconds so far, and
    there of the pool furthest behind: labelled speech is never off its share by more than the longest batch.
    `speeds` are drawn from, evenly, for every cut in every epoch; a cut's seconds are those at its speed.
    """
    walks = [_Walk(pool, seconds_per_batch, (seed, place), speeds) for place, pool in enumerate(pools)]
    kinds = [
        [place for place, pool in enumerate(pools) if pool.labelled is labelled] for labelled in (False, True)
    ]
    of_kind = [
        Turns([pools[place].share for place in places], [walks[place] for place in places])
        for places in kinds
    ]
    turns = Turns([sum(pools[place].share for place in places) for places in kinds], of_kind)
    number = 0
    while number < skip:
        count = min(len(turns.ahead()), skip - number)
        turns.move(count)
        number += count
    while True:
        kind = turns.next()
        chosen = kinds[kind][of_kind[kind].next()]
        planned = Planned(number, chosen, *walks[chosen].batch())
        turns.move(1)
        yield planned
        number += 1


@dataclass(frozen=True)
class Epoch:
    """Every cut of a pool once, in batches; `len` of them."""

    order_N: Array
    edges: Sequence[int]
    # in which order the batches between the edges come
    turn_M: Array

    def __len__(self) -> int:
        return len(self.turn_M)

    def __getitem__(self, place: int) -> Array:
        number = self.turn_M[place]
        return self.order_N[self.edges[number] : self.edges[number + 1]]


def epoch_plan(seconds_N: Array, seconds_per_batch: float, seed: Sequence[int]) -> Epoch:
    """Every cut once, in batches of at most `seconds_per_batch` padded seconds; a longer cut stands alone.

    Seconds are above 0. Batches are filled with neighbours in length (up to `JITTER`) from the shortest on,
    each with as many as fit, and come in random order.
    """
    random = np.random.default_rng(list(seed))
    jittered_N = seconds_N * (1 + JITTER * random.random(len(seconds_N)))
    order_N = _sorted(jittered_N).astype(np.int32)
    edges = _edges(seconds_N[order_N].astype(np.float64), seconds_per_batch)
    return Epoch(order_N, edges, random.permutation(len(edges) - 1))


def _sorted(values_N: Array) -> Array:
    """Which comes where, of equal ones the first; several times as fast as a stable sort where none are equal."""
    order_N = np.argsort(values_N)
    sorted_N = values_N[order_N]
    if (sorted_N[1:] == sorted_N[:-1]).any():
        return np.argsort(values_N, kind="stable")
    return order_N


def _edges(sorted_N: Array, limit: float) -> list[int]:
    """Where batches begin and end: a batch ends before the cut with which longest x cuts is over the limit."""
    edges = [0]
    while edges[-1] < len(sorted_N):
        block = edge = edges[-1]
        fitting = _fitting(sorted_N[block:], limit)
        stop = min(block + _BLOCK, len(sorted_N))
        while edge < stop:
            edge += fitting[edge - block]
            edges.append(edge)
    return edges


def _fitting(sorted_N: Array, limit: float) -> list[int]:
    """How many cuts a batch holds that begins with the first, the second and so on, of a block of cuts.

    By bisection, all at once: longest x cuts never falls with more cuts. `longest[k]` is that of 2 ** k in a row.
    """
    most = int(min(limit / sorted_N[:_BLOCK].min(), len(sorted_N))) + 2
    longest = [sorted_N[: _BLOCK + most]]
    while 2 ** len(longest) <= min(most, len(longest[0])):
        half = 2 ** (len(longest) - 1)
        longest.append(np.maximum(longest[-1][:-half], longest[-1][half:]))
    start_N = np.arange(min(_BLOCK, len(sorted_N)))
    count_N, top_N = np.zeros_like(start_N), np.zeros(len(start_N))
    for power in reversed(range(len(longest))):
        row, more = longest[power], 2**power
        place_N = start_N + count_N
        tried_N = np.maximum(top_N, row[np.minimum(place_N, len(row) - 1)])
        fits_N = (place_N < len(row)) & (tried_N * (count_N + more) <= limit)
        count_N, top_N = count_N + more * fits_N, np.where(fits_N, tried_N, top_N)
    return np.maximum(count_N, 1).tolist()


class _Walk:
    """Where one pool stands: in its epoch, before a batch."""

    def __init__(self, pool: Pool, limit: float, seed: tuple[int, int], speeds: Sequence[float]) -> None:
        self._pool, self._limit, self._seed = pool, limit, seed
        self._speeds = np.array(speeds, dtype=np.float64)
        self._number, self._place = -1, 0
        self._epoch = Epoch(np.zeros(0), [0], np.zeros(0))

    def ahead(self) -> Array:
        """Samples of the batches that are left of the epoch, padding not counted."""
        if self._place >= len(self._epoch):
            self._number, self._place = self._number + 1, 0
            self._begin((*self._seed, self._number))
        return self._samples_M[self._place :]

    def move(self, count: int) -> None:
        self._place += count

    def batch(self) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """The cuts of the next batch, and how fast each is played."""
        cuts = self._epoch[self._place]
        return tuple(cuts.tolist()), tuple(self._speeds[self._drawn_N[cuts]].tolist())

    def _begin(self, seed: tuple[int, ...]) -> None:
        random = np.random.default_rng([*seed, _SPEEDS])
        self._drawn_N = random.integers(len(self._speeds), size=len(self._pool.seconds_N), dtype=np.uint8)
        seconds_N = self._pool.seconds_N / self._speeds[self._drawn_N]
        self._epoch = epoch_plan(seconds_N, self._limit, seed)
        samples_N = np.rint(seconds_N[self._epoch.order_N] * SAMPLE_RATE).astype(np.int64)
        self._samples_M = np.add.reduceat(samples_N, self._epoch.edges[:-1])[self._epoch.turn_M]
