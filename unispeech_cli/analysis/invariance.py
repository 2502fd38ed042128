"""Whether codes stay what they are when voice or noise are others: the share of equal codes.

Legend: M pairs of frames, G codebook groups.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from unispeech_cli.analysis.observed import ALL, Group, Ints, Utterance
from unispeech_cli.scorer.alignment import Counts
from unispeech_cli.scorer.bootstrap import BootstrapSettings, Interval, interval
from unispeech_cli.scorer.rates import Rate

# of one text: voices more than these add pairs by the square, and little else
MOST_PAIRS = 10


@dataclass(frozen=True)
class Pair:
    """Codes of frames that say the same, (M, G) each; pairs of one `source` are drawn together."""

    one_MG: Ints
    other_MG: Ints
    source: str


@dataclass(frozen=True)
class Agreement:
    """The share of frames with equal codes, and what it would be were the codes independent."""

    equal: float
    interval: Interval
    chance: float
    frames: int


def agreement(pairs: Sequence[Pair], settings: BootstrapSettings) -> dict[Group, Agreement]:
    """By group, and under ALL for all groups at once; {} where there are no frames."""
    pairs = [pair for pair in pairs if len(pair.one_MG)]
    if not pairs:
        return {}
    one_MG, other_MG = (np.concatenate([getattr(p, side) for p in pairs]) for side in ("one_MG", "other_MG"))
    both = np.concatenate([one_MG, other_MG])
    tuples = np.unique(both, axis=0, return_inverse=True)[1].reshape(-1)
    columns: dict[Group, Ints] = {group: both[:, group] for group in range(both.shape[1])}
    ends = np.cumsum([len(pair.one_MG) for pair in pairs])[:-1]
    return {
        group: _agreement(code[: len(one_MG)], code[len(one_MG) :], ends, pairs, settings)
        for group, code in {**columns, ALL: tuples}.items()
    }


def _agreement(
    one_M: Ints, other_M: Ints, ends: Ints, pairs: Sequence[Pair], settings: BootstrapSettings
) -> Agreement:
    equal = [(int(part.sum()), len(part)) for part in np.split(one_M == other_M, ends)]
    # a share has the form of an error rate: what is counted, of all
    rates = [Rate(Counts(correct=size - same, substitutions=same), 1) for same, size in equal]
    found = interval(rates, [pair.source for pair in pairs], settings)
    assert found is not None
    size = int(max(one_M.max(), other_M.max())) + 1
    chances = [np.bincount(side_M, minlength=size) / len(side_M) for side_M in (one_M, other_M)]
    return Agreement(
        float((one_M == other_M).mean()), found, float((chances[0] * chances[1]).sum()), len(one_M)
    )


def in_noise(utterances: Sequence[Utterance], snr: float) -> list[Pair]:
    """Every cut with itself in noise, in the frames that are some phone's."""
    return [
        Pair(utterance.code_TG[kept_T], utterance.noisy[snr][kept_T], utterance.cut_id)
        for utterance in utterances
        for kept_T in [utterance.labelled_T]
    ]


def other_voices(utterances: Sequence[Utterance]) -> list[Pair]:
    """Cuts with the same phones by different speakers, phone by phone; at most MOST_PAIRS of a text."""
    return [
        Pair(one.code_TG[places[0]], other.code_TG[places[1]], f"{one.language} {' '.join(one.phones)}")
        for one, other in _same_text(utterances)
        for places in [matched(one, other)]
    ]


def _same_text(utterances: Sequence[Utterance]) -> Iterator[tuple[Utterance, Utterance]]:
    texts: dict[tuple[str, ...], list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        texts[(utterance.language, *utterance.phones)].append(utterance)
    for some in texts.values():
        pairs = ((a, b) for a, b in combinations(some, 2) if _is_known(a) and _is_known(b))
        others = (pair for pair in pairs if pair[0].speaker != pair[1].speaker)
        yield from (pair for pair, _ in zip(others, range(MOST_PAIRS), strict=False))


def _is_known(utterance: Utterance) -> bool:
    return utterance.speaker is not None


def matched(one: Utterance, other: Utterance) -> tuple[Ints, Ints]:
    """Frames of two cuts with the same phones, phone by phone: a longer phone is laid evenly over a shorter one."""
    frames: tuple[list[Ints], list[Ints]] = ([], [])
    for position in range(len(one.phones)):
        own = [np.flatnonzero(utterance.position_T == position) for utterance in (one, other)]
        size = max(map(len, own)) if all(map(len, own)) else 0
        for side, frames_of_phone in zip(frames, own, strict=True):
            side.append(frames_of_phone[np.arange(size) * len(frames_of_phone) // max(size, 1)])
    joined = [np.concatenate(side) for side in frames]
    return joined[0], joined[1]
