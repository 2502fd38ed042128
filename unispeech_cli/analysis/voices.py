"""Whether a phone between the same phones has the same codes in other mouths, where no text was said twice.

Legend: N frames, C contexts: a phone with its neighbours in a language.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unispeech_cli.analysis.observed import Group, Ints, Utterance, pool

Context = tuple[str, ...]


@dataclass(frozen=True)
class SamePhone:
    """Shares of pairs of frames of a context that have equal codes, means over frames.

    Of contexts that several speakers said and one of them in several cuts: both shares are of the same ones.
    """

    other_voice: float
    same_voice: float
    contexts: int
    frames: int


def same_phone(utterances: Sequence[Utterance]) -> dict[Group, SamePhone]:
    """By group, and under ALL for all groups at once; {} where no context has both kinds of pairs."""
    known = [utterance for utterance in utterances if utterance.speaker is not None]
    if not known:
        return {}
    frames, context_N = pool(known), _contexts(known)
    speakers = sorted({str(utterance.speaker) for utterance in known})
    speaker_of = np.array([speakers.index(str(utterance.speaker)) for utterance in known])
    speaker_N = speaker_of[frames.utterance_N]
    found = {
        group: _same_phone(context_N, speaker_N, frames.utterance_N, code_N)
        for group, code_N in frames.columns.items()
    }
    return {group: some for group, some in found.items() if some is not None}


def _contexts(utterances: Sequence[Utterance]) -> Ints:
    """The number of each frame's context, in the order of `pool`."""
    numbers: dict[Context, int] = {}
    parts = []
    for utterance in utterances:
        padded = ("", *utterance.phones, "")
        of_phone = [
            numbers.setdefault((utterance.language, *padded[place : place + 3]), len(numbers))
            for place in range(len(utterance.phones))
        ]
        parts.append(np.array(of_phone, np.int64)[utterance.position_T[utterance.labelled_T]])
    return np.concatenate(parts)


def _same_phone(context_N: Ints, speaker_N: Ints, utterance_N: Ints, code_N: Ints) -> SamePhone | None:
    """Of n frames with a code there are n ** 2 pairs; those within one speaker, or one cut, are taken off."""
    equal = [_squares(context_N, *keys, code_N) for keys in ((), (speaker_N,), (utterance_N,))]
    pairs = [_squares(context_N, *keys) for keys in ((), (speaker_N,), (utterance_N,))]
    other_C, same_C = pairs[0] - pairs[1], pairs[1] - pairs[2]
    both_C = (other_C > 0) & (same_C > 0)
    if not both_C.any():
        return None
    weight_C = np.bincount(context_N, minlength=len(both_C))[both_C]
    others = ((equal[0] - equal[1])[both_C] / other_C[both_C] * weight_C).sum() / weight_C.sum()
    same = ((equal[1] - equal[2])[both_C] / same_C[both_C] * weight_C).sum() / weight_C.sum()
    return SamePhone(float(others), float(same), int(both_C.sum()), int(weight_C.sum()))


def _squares(context_N: Ints, *keys: Ints) -> NDArray[np.int64]:
    """By context (C,): the sum of the squared counts of each combination of keys."""
    cells, counts = np.unique(np.stack([context_N, *keys], 1), axis=0, return_counts=True)
    squares = np.zeros(int(context_N.max()) + 1, np.int64)
    np.add.at(squares, cells[:, 0], counts.astype(np.int64) ** 2)
    return squares
