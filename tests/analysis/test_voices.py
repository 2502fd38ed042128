from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from unispeech_cli.analysis.observed import ALL
from unispeech_cli.analysis.voices import same_phone


def test_a_worked_example(spoken: Callable[..., Any]) -> None:
    cuts = [
        # b between a and c: in x's two cuts the codes are the same, in y's another
        spoken("abc", [(0,), (1,), (0,)], speaker="x"),
        spoken("abc", [(0,), (1,), (5,)], speaker="x"),
        spoken("abc", [(0,), (2,), (0,)], speaker="y"),
    ]
    found = same_phone(cuts)[0]
    # a: always; b: x with x alone; c: x's never agree, y's with one of them
    assert found.same_voice == pytest.approx((1 + 1 + 0) / 3)
    assert found.other_voice == pytest.approx((1 + 0 + 1 / 2) / 3)
    assert (found.contexts, found.frames) == (3, 9)


def test_neighbours_and_languages_part_phones_and_one_voice_is_not_enough(spoken: Callable[..., Any]) -> None:
    one = spoken("ab", [(0,), (0,)], speaker="x")
    others = [
        spoken("ac", [(0,), (0,)], speaker="y"),
        spoken("ab", [(0,), (0,)], speaker="y", language="it"),
        spoken("ab", [(0,), (0,)]),
        spoken("ab", [(0,), (0,)], speaker="x"),
    ]
    assert same_phone([one, *others]) == {}
    assert same_phone(others[2:3]) == {}


def test_equals_looking_at_all_pairs(spoken: Callable[..., Any]) -> None:
    random = np.random.default_rng(5)
    cuts = [
        spoken(
            "".join(random.choice(list("ab"), 6)),
            random.integers(0, 3, (9, 2)).tolist(),
            speaker=str(random.integers(3)),
            position_T=np.sort(random.integers(-1, 6, 9)),
        )
        for _ in range(8)
    ]
    frames: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for number, cut in enumerate(cuts):
        padded = ("", *cut.phones, "")
        for place, code in zip(cut.position_T, cut.code_TG.tolist(), strict=True):
            if place >= 0:
                frames.setdefault(tuple(padded[place : place + 3]), []).append((cut.speaker, number, code))
    shares, weights = [], []
    for some in frames.values():
        other = [one[2] == two[2] for one, two in combinations(some, 2) if one[0] != two[0]]
        same = [
            one[2] == two[2] for one, two in combinations(some, 2) if one[0] == two[0] and one[1] != two[1]
        ]
        if other and same:
            shares.append((np.mean(other), np.mean(same)))
            weights.append(len(some))
    expected = np.average(shares, axis=0, weights=weights)
    found = same_phone(cuts)[ALL]
    assert (found.other_voice, found.same_voice) == pytest.approx(tuple(expected))
    assert (found.contexts, found.frames) == (len(shares), sum(weights))
