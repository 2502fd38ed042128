"""Interpolated modified Kneser-Ney smoothing, as Chen & Goodman (1998) define it and lmplz computes it.

p(w|h) = (a(hw) - D(a(hw))) / sum_v a(hv) + gamma(h) p(w|h'), where h' is h without its first word. Single words fall
back to the uniform distribution over all words and </s> and <unk>. N: n-grams of one order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lm.counts import SPECIAL, START, Ngrams, adjusted

# of n-grams counted 1, 2, 3 or more times, where the text is too small or too regular to tell (lmplz has the same)
FALLBACK = (0.5, 1.0, 1.5)
COUNTED = len(FALLBACK)


@dataclass(frozen=True)
class Level:
    """One order of the model: its n-grams, their probabilities, and gamma of each as a context (1 if it is none)."""

    ngrams: Ngrams
    kept_N: np.ndarray
    probability_N: np.ndarray
    backoff_N: np.ndarray


def discounts(count_N: np.ndarray) -> tuple[float, ...]:
    """What is taken off counts of 1, 2 and 3 or more; FALLBACK where counts of counts give no sensible figure."""
    seen = np.bincount(np.minimum(count_N, COUNTED + 2), minlength=COUNTED + 3)[1:].astype(float)
    if not seen[: COUNTED + 1].all():
        return FALLBACK
    share = seen[0] / (seen[0] + 2 * seen[1])
    found = tuple(k - (k + 1) * share * seen[k] / seen[k - 1] for k in range(1, COUNTED + 1))
    sensible = all(0 <= discount <= k for k, discount in enumerate(found, start=1))
    return found if sensible else FALLBACK


def smooth(tables: list[Ngrams], prune: Sequence[int] = ()) -> list[Level]:
    """Turn counts into the model. `prune[k]`: n-grams of order k + 1 seen so often or less are left out.

    What is left out gives its share to the orders below. Thresholds do not fall, or else contexts would be missing.
    """
    thresholds = [0, *prune[1:], *[prune[-1] if prune else 0] * len(tables)]
    levels: list[Level] = []
    lower_N = np.full(1, 1 / (len(tables[0].word_N) - 1))
    for table, count_N, threshold in zip(tables, adjusted(tables), thresholds, strict=False):
        kept_N = table.raw_N > threshold if levels else np.ones(len(count_N), dtype=bool)
        probability_N, gamma = _interpolated(table, count_N, kept_N, lower_N)
        if levels:
            levels[-1].backoff_N[:] = gamma
        levels.append(Level(table, kept_N, probability_N, np.ones(len(count_N))))
        lower_N = probability_N
    levels[0].probability_N[SPECIAL.index(START)] = 0
    return levels


def _interpolated(
    table: Ngrams, count_N: np.ndarray, kept_N: np.ndarray, lower_N: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of one order, and gamma of every n-gram of the order below (1 where none follows it)."""
    # np.take: place 0 of counts is never taken off anything
    discount = np.array([0.0, *discounts(count_N)])[np.minimum(count_N, COUNTED)]
    taken = np.where(kept_N, discount, count_N)
    contexts = len(lower_N)
    total = np.bincount(table.context_N, weights=count_N, minlength=contexts)
    freed = np.bincount(table.context_N, weights=taken, minlength=contexts)
    gamma = np.divide(freed, total, out=np.ones(contexts), where=total > 0)
    own = (count_N - taken) / np.maximum(total, 1)[table.context_N]
    return own + gamma[table.context_N] * lower_N[table.suffix_N], gamma
