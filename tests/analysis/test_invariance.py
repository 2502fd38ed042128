from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from unispeech_cli.analysis.invariance import Pair, agreement, in_noise, matched, other_voices
from unispeech_cli.analysis.observed import ALL
from unispeech_cli.scorer.bootstrap import BootstrapSettings

SETTINGS = BootstrapSettings(replications=50)


def test_the_share_of_equal_codes_by_group_and_of_all_at_once() -> None:
    one = np.array([(0, 0), (0, 1), (1, 1), (2, 0)])
    other = np.array([(0, 0), (0, 0), (0, 1), (2, 5)])
    found = agreement([Pair(one[:1], other[:1], "x"), Pair(one[1:], other[1:], "y")], SETTINGS)
    assert {group: some.equal for group, some in found.items()} == {0: 0.75, 1: 0.5, ALL: 0.25}
    # 0: (2/4)(3/4) + (1/4) 0 + (1/4)(1/4); 1: (2/4)(2/4) + (2/4)(1/4); both: (1/4)(2/4) + (1/4)(1/4)
    assert {group: some.chance for group, some in found.items()} == {
        0: pytest.approx(7 / 16),
        1: pytest.approx(6 / 16),
        ALL: pytest.approx(3 / 16),
    }
    assert {some.frames for some in found.values()} == {4}
    assert (found[0].interval.low, found[0].interval.high) == pytest.approx((2 / 3, 1))


def test_without_frames_there_is_nothing_to_say() -> None:
    nothing = np.zeros((0, 2), int)
    assert agreement([], SETTINGS) == agreement([Pair(nothing, nothing, "x")], SETTINGS) == {}


def test_noise_is_looked_at_where_phones_are(spoken: Callable[..., Any]) -> None:
    noisy = {10.0: np.array([(5,), (7,), (6,)])}
    (pair,) = in_noise([spoken("ab", [(5,), (5,), (5,)], position_T=[0, -1, 1], noisy=noisy)], 10.0)
    assert (pair.one_MG.tolist(), pair.other_MG.tolist()) == ([[5], [5]], [[5], [6]])


def test_phones_are_laid_over_each_other_evenly(spoken: Callable[..., Any]) -> None:
    one = spoken("ab", [(0,)] * 5, position_T=[0, 1, 1, 1, 1])
    other = spoken("ab", [(0,)] * 6, position_T=[0, 0, 0, -1, 1, 1])
    places = [side.tolist() for side in matched(one, other)]
    assert places == [[0, 0, 0, 1, 2, 3, 4], [0, 1, 2, 4, 4, 5, 5]]


def test_a_phone_that_one_cut_has_no_frame_of_is_left_out(spoken: Callable[..., Any]) -> None:
    one = spoken("ab", [(0,)] * 2, position_T=[0, 0])
    other = spoken("ab", [(0,)] * 2, position_T=[0, 1])
    assert [side.tolist() for side in matched(one, other)] == [[0, 1], [0, 0]]


def test_voices_are_other_speakers_of_the_same_phones_in_the_same_language(
    spoken: Callable[..., Any],
) -> None:
    cuts = [
        spoken("ab", [(1,), (2,)], speaker="x"),
        spoken("ab", [(1,), (3,)], speaker="y"),
        spoken("ab", [(9,), (9,)], speaker="x"),
        spoken("ab", [(8,), (8,)]),
        spoken("ab", [(7,), (7,)], speaker="z", language="it"),
        spoken("ba", [(6,), (6,)], speaker="z"),
    ]
    found = [(pair.one_MG[:, 0].tolist(), pair.other_MG[:, 0].tolist()) for pair in other_voices(cuts)]
    assert found == [([1, 2], [1, 3]), ([1, 3], [9, 9])]


def test_a_text_of_many_voices_does_not_outweigh_the_others(spoken: Callable[..., Any]) -> None:
    cuts = [spoken("a", [(0,)], speaker=str(number)) for number in range(20)]
    assert len(other_voices(cuts)) == 10
