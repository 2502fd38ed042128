"""The cheapest alignment where edits weigh differently.

Legend: R reference tokens, H hypothesis tokens.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Positions = list[tuple[int | None, int | None]]


def cheapest(
    substitution_RH: NDArray[np.float64], deletion_R: Sequence[float], insertion: float
) -> tuple[Positions, float]:
    """Pairs of positions (reference, hypothesis) of the cheapest alignment, and what it costs.

    `substitution_RH` is what a hypothesis token in place of a reference token costs, 0 where they are the same.
    None stands where one side has nothing. Of equals, from the end, a pair is taken before an insertion and that
    before a deletion, as NIST's sclite does.
    """
    cost = _costs(substitution_RH, deletion_R, insertion)
    r, h = substitution_RH.shape
    pairs: Positions = []
    while r or h:
        pair = cost[r - 1, h - 1] + substitution_RH[r - 1, h - 1] if r and h else np.inf
        inserted = cost[r, h - 1] + insertion if h else np.inf
        deleted = cost[r - 1, h] + deletion_R[r - 1] if r else np.inf
        if pair <= min(inserted, deleted):
            r, h = r - 1, h - 1
            pairs.append((r, h))
        elif inserted <= deleted:
            h -= 1
            pairs.append((None, h))
        else:
            r -= 1
            pairs.append((r, None))
    return pairs[::-1], float(cost[-1, -1])


def _costs(
    substitution_RH: NDArray[np.float64], deletion_R: Sequence[float], insertion: float
) -> NDArray[np.float64]:
    """(R + 1, H + 1): the least cost of turning the first r reference tokens into the first h of the hypothesis."""
    references, heard = substitution_RH.shape
    inserted_H = insertion * np.arange(heard + 1)
    cost = np.empty((references + 1, heard + 1))
    cost[0] = inserted_H
    for r in range(references):
        without = cost[r] + deletion_R[r]
        without[1:] = np.minimum(without[1:], cost[r, :-1] + substitution_RH[r])
        # the cheapest insertions after what is cheapest without one, for all h at once
        cost[r + 1] = np.minimum.accumulate(without - inserted_H) + inserted_H
    return cost
