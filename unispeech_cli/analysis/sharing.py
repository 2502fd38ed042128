"""What languages share of a codebook: how far the same codes are used, in all and for the same phone.

Legend: N frames, L languages, V codes.
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from unispeech_cli.analysis.observed import Frames, Ints

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SharedPhone:
    """How far two languages use the same codes for a phone that both have."""

    phone: str
    languages: tuple[str, str]
    # frames of the phone in each
    frames: tuple[int, int]
    overlap: float
    # of the phone within each language: as high as its codes allow
    within: tuple[float, float]
    # of the first language's frames of the phone with the other's frames of all other phones
    others: float


def overlap(count_V: Ints, other_V: Ints) -> float:
    """The common part of two distributions, sum over codes of the lesser probability: 0 to 1; 0 where one is empty."""
    if not count_V.sum() or not other_V.sum():
        return 0.0
    return float(np.minimum(count_V / count_V.sum(), other_V / other_V.sum()).sum())


def language_overlaps(frames: Frames, code_N: Ints) -> Floats:
    """The overlap (L, L) of what languages use: one half of a language's utterances with a half of another's.

    So the diagonal, of a language with itself, is what can be reached with so many frames.
    """
    halves = _Halves(frames, code_N)
    size = len(frames.languages)
    found = np.zeros((size, size))
    for one, other in combinations_with_replacement(range(size), 2):
        found[one, other] = found[other, one] = halves.overlap(
            frames.language_N == one, frames.language_N == other
        )
    return found


def shared_phones(frames: Frames, code_N: Ints, least: int) -> list[SharedPhone]:
    """Each phone and pair of languages with at least so many frames of it in both; the commonest phone first."""
    halves, found = _Halves(frames, code_N), list[SharedPhone]()
    for phone, name in enumerate(frames.phones):
        of_phone_N = frames.phone_N == phone
        counts = np.bincount(frames.language_N[of_phone_N], minlength=len(frames.languages))
        there = [int(language) for language in np.flatnonzero(counts >= least)]
        for one, other in ((a, b) for a in there for b in there if a < b):
            one_N, other_N = frames.language_N == one, frames.language_N == other
            found.append(
                SharedPhone(
                    name,
                    (frames.languages[one], frames.languages[other]),
                    (int(counts[one]), int(counts[other])),
                    halves.overlap(one_N & of_phone_N, other_N & of_phone_N),
                    (
                        halves.overlap(one_N & of_phone_N, one_N & of_phone_N),
                        halves.overlap(other_N & of_phone_N, other_N & of_phone_N),
                    ),
                    halves.overlap(one_N & of_phone_N, other_N & ~of_phone_N),
                )
            )
    return sorted(found, key=lambda shared: -sum(shared.frames))


class _Halves:
    """Codes counted in every other utterance of a language, and in the rest."""

    def __init__(self, frames: Frames, code_N: Ints) -> None:
        self._code_N, self._size = code_N, int(code_N.max()) + 1
        self._odd_N = np.zeros(len(code_N), bool)
        for language in range(len(frames.languages)):
            own_N = frames.language_N == language
            place_N = np.unique(frames.utterance_N[own_N], return_inverse=True)[1]
            self._odd_N[own_N] = place_N % 2 == 1

    def overlap(self, one_N: NDArray[np.bool_], other_N: NDArray[np.bool_]) -> float:
        """Of some frames with some others: the mean of both ways to pair their halves."""
        one, other = (
            [self._counts(chosen_N & half_N) for half_N in (self._odd_N, ~self._odd_N)]
            for chosen_N in (one_N, other_N)
        )
        return (overlap(one[0], other[1]) + overlap(one[1], other[0])) / 2

    def _counts(self, chosen_N: NDArray[np.bool_]) -> Ints:
        return np.bincount(self._code_N[chosen_N], minlength=self._size)
