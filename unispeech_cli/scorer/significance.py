"""Whether two systems differ: matched pairs of sentence segments (Gillick and Cox 1989), as in NIST's sc_stats."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unispeech_cli.scorer.alignment import Pairs

# as many words in a row that both systems have right part two segments
GOOD_WORDS = 2

Segment = tuple[int, int]


@dataclass(frozen=True)
class MatchedPairs:
    """The test over `segments` with errors; `z` is None where all of them differ alike, `p` is two-tailed.

    z is above 0 where the second system has more errors.
    """

    segments: int
    z: float | None
    p: float


def segments(first: Pairs, second: Pairs) -> list[Segment]:
    """Errors of both systems in each stretch of an utterance that holds any, both aligned with one reference.

    A stretch ends where two reference words in a row are right in both systems, nothing being inserted between.
    """
    found: list[Segment] = []
    good = GOOD_WORDS
    for index, errors in enumerate(zip(_slots(first), _slots(second), strict=True)):
        if any(errors):
            if good < GOOD_WORDS:
                errors = (found[-1][0] + errors[0], found[-1][1] + errors[1])
                found.pop()
            found.append(errors)
            good = 0
        elif index % 2:
            good += 1
    return found


def matched_pairs(pairs: Sequence[Segment]) -> MatchedPairs:
    """Test whether the mean difference of errors over segments is 0."""
    difference_N = np.array([second - first for first, second in pairs], float)
    size = len(difference_N)
    if not difference_N.any():
        return MatchedPairs(size, 0.0, 1.0)
    deviation = float(difference_N.std(ddof=1)) if size > 1 else 0.0
    if deviation == 0:
        # every segment differs alike: a normal distribution has nothing to say, signs have
        return MatchedPairs(size, None, 0.5 ** (size - 1))
    z = float(difference_N.mean()) / (deviation / math.sqrt(size))
    return MatchedPairs(size, z, math.erfc(abs(z) / math.sqrt(2)))


def _slots(pairs: Pairs) -> list[int]:
    """Insertions before the first reference word, errors in it, insertions before the second, and so on."""
    slots = [0]
    for ref, hyp in pairs:
        if ref is None:
            slots[-1] += 1
        else:
            slots += [int(ref != hyp), 0]
    return slots
