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

from unispeech_cli.frames import SAMPLE_RATE

Array = np.ndarray[Any, Any]

# lengths are sorted as if up to so much longer: other batches each epoch, at little padding
JITTER = 0.05
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
    of_kind = [_Turns([pools[place].share for place in places]) for places in kinds]
    kind_turns, number = _Turns([sum(pools[place].share for place in places) for places in kinds]), 0
    while True:
        kind = kind_turns.next()
        member = of_kind[kind].next()
        chosen = kinds[kind][member]
        samples = walks[chosen].step()
        kind_turns.give(kind, samples)
        of_kind[kind].give(member, samples)
        if number >= skip:
            yield Planned(number, chosen, *walks[chosen].batch())
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
    order_N = np.argsort(jittered_N, kind="stable").astype(np.int32)
    edges = _edges(seconds_N[order_N].astype(np.float64), seconds_per_batch)
    return Epoch(order_N, edges, random.permutation(len(edges) - 1))


def _edges(sorted_N: Array, limit: float) -> list[int]:
    """Where batches begin and end: a batch ends before the cut with which longest x cuts is over the limit."""
    # no batch that begins with a cut holds more cuts than this
    most_N = (limit / sorted_N + 2).astype(np.int32)
    counts = np.arange(1.0, most_N.max(initial=0) + 1)
    edges = [0]
    while edges[-1] < len(sorted_N):
        start = edges[-1]
        longest = np.maximum.accumulate(sorted_N[start : start + most_N[start]])
        over = longest * counts[: len(longest)] > limit
        # longest x cuts never falls: where the last is not over, none is
        fitting = int(over.argmax()) if over[-1] else len(longest)
        edges.append(start + max(fitting, 1))
    return edges


class _Walk:
    """Where one pool stands: in its epoch, at a batch."""

    def __init__(self, pool: Pool, limit: float, seed: tuple[int, int], speeds: Sequence[float]) -> None:
        self._pool, self._limit, self._seed = pool, limit, seed
        self._speeds = np.array(speeds, dtype=np.float64)
        self._number = self._place = -1
        self._epoch = Epoch(np.zeros(0), [0], np.zeros(0))

    def step(self) -> int:
        """Go to the next batch. Returns its samples, padding not counted."""
        self._place += 1
        if self._place >= len(self._epoch):
            self._number, self._place = self._number + 1, 0
            self._begin((*self._seed, self._number))
        return self._samples[self._place]

    def batch(self) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """The cuts of this batch, and how fast each is played."""
        cuts = self._epoch[self._place]
        return tuple(cuts.tolist()), tuple(self._speeds[self._drawn_N[cuts]].tolist())

    def _begin(self, seed: tuple[int, ...]) -> None:
        random = np.random.default_rng([*seed, _SPEEDS])
        self._drawn_N = random.integers(len(self._speeds), size=len(self._pool.seconds_N), dtype=np.uint8)
        seconds_N = self._pool.seconds_N / self._speeds[self._drawn_N]
        self._epoch = epoch_plan(seconds_N, self._limit, seed)
        samples_N = np.rint(seconds_N[self._epoch.order_N] * SAMPLE_RATE).astype(np.int64)
        samples_M = np.add.reduceat(samples_N, self._epoch.edges[:-1])
        self._samples: list[int] = samples_M[self._epoch.turn_M].tolist()


class _Turns:
    """Whose turn it is: next comes who is furthest behind its share of what was given so far."""

    def __init__(self, shares: Sequence[float]) -> None:
        self._shares = [share / max(sum(shares), 1e-12) for share in shares]
        self._given = [0] * len(shares)
        self._total = 0

    def next(self) -> int:
        # one sample more than was given: at the start the largest share comes first
        total = self._total + 1
        behind = [
            share * total - given if share > 0 else -total
            for share, given in zip(self._shares, self._given, strict=True)
        ]
        return behind.index(max(behind))

    def give(self, who: int, samples: int) -> None:
        self._given[who] += samples
        self._total += samples
