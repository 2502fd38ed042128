"""Which cuts make which batch: by padded seconds, seeded, resumable from a count of batches.

Lhotse's samplers lose their place under filters and prefetching workers; here the whole plan is a function of
(durations, seed, epoch), and a position in it is one number.

Legend: N cuts, P pools.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# spread of the random term added to log seconds before sorting: other batches each epoch, at little padding
JITTER = 0.1


@dataclass(frozen=True)
class Pool:
    """Cuts that batches are drawn from together, and their share of all audio seconds trained on."""

    seconds_N: Array
    share: float


@dataclass(frozen=True)
class Planned:
    """One batch: the pool and the numbers of its cuts there."""

    pool: int
    cuts: tuple[int, ...]


def endless_plan(pools: Sequence[Pool], seconds_per_batch: float, seed: int) -> Iterator[Planned]:
    """Batches without end; each pool is gone through whole, epoch by epoch, and shares are kept over time.

    The next batch comes from the pool that is furthest behind its share of the seconds so far.
    """
    streams = [_endless(pool, seconds_per_batch, (seed, number)) for number, pool in enumerate(pools)]
    spent_P = np.zeros(len(pools))
    share_P = np.array([pool.share for pool in pools])
    while True:
        behind_P = np.where(share_P > 0, share_P * (spent_P.sum() + 1.0) - spent_P, -np.inf)
        chosen = int(behind_P.argmax())
        cuts = next(streams[chosen])
        spent_P[chosen] += float(pools[chosen].seconds_N[cuts].sum())
        yield Planned(chosen, tuple(cuts.tolist()))


def epoch_plan(seconds_N: Array, seconds_per_batch: float, seed: Sequence[int]) -> list[Array]:
    """Every cut once, in batches of at most `seconds_per_batch` padded seconds; a longer cut stands alone."""
    random = np.random.default_rng(list(seed))
    order_N = np.argsort(np.log(seconds_N) + JITTER * random.random(len(seconds_N)), kind="stable")
    edges = _edges(seconds_N[order_N], seconds_per_batch)
    batches = [order_N[start:end] for start, end in pairwise(edges)]
    return [batches[number] for number in random.permutation(len(batches))]


def _endless(pool: Pool, seconds_per_batch: float, seed: tuple[int, int]) -> Iterator[Array]:
    epoch = 0
    while True:
        yield from epoch_plan(pool.seconds_N, seconds_per_batch, (*seed, epoch))
        epoch += 1


def _edges(sorted_N: Array, limit: float) -> list[int]:
    edges, longest = [0], 0.0
    for number, seconds in enumerate(sorted_N.tolist()):
        longest = max(longest, seconds)
        if longest * (number + 1 - edges[-1]) > limit and number > edges[-1]:
            edges.append(number)
            longest = seconds
    return [*edges, len(sorted_N)]
