from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from unispeech_cli.analysis.observed import pool
from unispeech_cli.analysis.sharing import language_overlaps, overlap, shared_phones


def test_overlap_is_the_common_part() -> None:
    # shares 1/2 1/4 1/4 0 and 0 1/2 0 1/2
    assert overlap(np.array([2, 1, 1, 0]), np.array([0, 3, 0, 3])) == pytest.approx(1 / 4)
    assert overlap(np.array([1, 3]), np.array([2, 6])) == pytest.approx(1)
    assert overlap(np.array([1, 0]), np.array([0, 5])) == 0
    assert overlap(np.array([0, 0]), np.array([0, 5])) == 0


def test_languages_are_compared_half_by_half(spoken: Callable[..., Any]) -> None:
    # Spanish has code 0 in its first utterance and 1 in its second, Italian the other way round
    frames = pool(
        [
            spoken("aa", [(0,), (0,)]),
            spoken("aa", [(1,), (1,)], language="it"),
            spoken("aa", [(1,), (1,)]),
            spoken("aa", [(0,), (0,)], language="it"),
        ]
    )
    # so a half is as its language's other half never, and always as the other language's other half
    assert language_overlaps(frames, frames.columns[0]).tolist() == [[0, 1], [1, 0]]


def test_a_phone_that_both_have_is_told_from_the_rest(spoken: Callable[..., Any]) -> None:
    # a is code 0 in both; b is 1 in Spanish and 2 in Italian; c is Spanish alone and has the code of Italian's b
    spanish = [spoken("abc", [(0,), (1,), (2,)]) for _ in range(2)]
    italian = [spoken("aab", [(0,), (0,), (2,)], language="it") for _ in range(2)]
    frames = pool(spanish + italian)
    found = {shared.phone: shared for shared in shared_phones(frames, frames.columns[0], least=2)}
    assert list(found) == ["a", "b"]
    assert found["a"].frames == (2, 4)
    assert (found["a"].overlap, found["a"].within, found["a"].others) == (1, (1, 1), 0)
    assert (found["b"].overlap, found["b"].within, found["b"].others) == (0, (1, 1), 0)
    assert found["a"].languages == ("es", "it")
    assert [shared.phone for shared in shared_phones(frames, frames.columns[0], least=3)] == []
