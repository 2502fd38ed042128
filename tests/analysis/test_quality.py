import itertools
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from unispeech_cli.analysis.observed import ALL, Frames, pool
from unispeech_cli.analysis.quality import measure, spread
from unispeech_cli.scorer.bootstrap import BootstrapSettings


def of(*counts: tuple[str, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Phones and codes of so many frames each."""
    frames = [("abcdef".index(phone), code) for phone, code, count in counts for _ in range(count)]
    return np.array([phone for phone, _ in frames]), np.array([code for _, code in frames])


def test_a_worked_example() -> None:
    # of 8 frames: a has code 0 three times and code 1 once, b has code 1 twice and code 2 twice
    found = measure(*of(("a", 0, 3), ("a", 1, 1), ("b", 1, 2), ("b", 2, 2)))
    assert found.phone_purity == pytest.approx((3 + 2 + 2) / 8)
    assert found.code_purity == pytest.approx((3 + 2) / 8)
    # H(phone) is one bit; given code 1, of 3 frames, it is H(1/3), else nothing
    left = 3 / 8 * -(1 / 3 * math.log2(1 / 3) + 2 / 3 * math.log2(2 / 3))
    assert found.pnmi == pytest.approx(1 - left)
    shares = (3 / 8, 3 / 8, 2 / 8)
    assert found.perplexity == pytest.approx(math.prod(p**-p for p in shares))
    assert found.codes_used == 3


def test_codes_that_are_phones_tell_all_and_one_code_tells_nothing() -> None:
    whole = measure(*of(("a", 7, 3), ("b", 2, 5), ("c", 0, 1)))
    assert (whole.pnmi, whole.phone_purity, whole.code_purity) == pytest.approx((1, 1, 1))
    none = measure(*of(("a", 4, 3), ("b", 4, 5)))
    assert (none.pnmi, none.phone_purity, none.code_purity) == pytest.approx((0, 5 / 8, 1))
    assert (none.perplexity, none.codes_used) == (1, 1)


def test_every_frame_its_own_code_is_pure_of_phones_but_not_of_codes() -> None:
    found = measure(np.array([0, 0, 1, 1]), np.arange(4))
    assert (found.pnmi, found.phone_purity, found.code_purity) == pytest.approx((1, 1, 0.5))


def test_one_phone_alone_leaves_nothing_to_tell() -> None:
    assert measure(np.array([3, 3]), np.array([0, 1])).pnmi == 0


def definition(phones: list[int], codes: list[int]) -> tuple[float, float, float]:
    """PNMI, phone purity, code purity, summed pair by pair over all that could occur."""
    size, pairs = len(phones), Counter(zip(phones, codes, strict=True))
    of_phone, of_code = Counter(phones), Counter(codes)
    information = entropy = 0.0
    for phone, code in itertools.product(of_phone, of_code):
        if pairs[phone, code]:
            p = pairs[phone, code] / size
            information += p * math.log(p * size * size / (of_phone[phone] * of_code[code]))
    for count in of_phone.values():
        entropy -= count / size * math.log(count / size)
    by_code = sum(max(pairs[phone, code] for phone in of_phone) for code in of_code) / size
    by_phone = sum(max(pairs[phone, code] for code in of_code) for phone in of_phone) / size
    return information / entropy, by_code, by_phone


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_definition(seed: int) -> None:
    random = np.random.default_rng(seed)
    phones = random.integers(0, 6, 80)
    codes = (phones * random.integers(0, 3, 80) + random.integers(0, 2, 80)) * 5
    found = measure(phones, codes)
    expected = definition(phones.tolist(), codes.tolist())
    assert (found.pnmi, found.phone_purity, found.code_purity) == pytest.approx(expected)


def test_frames_of_no_phone_are_left_out_and_tuples_are_codes_of_all_groups(
    spoken: Callable[..., Any],
) -> None:
    one = spoken("ab", [(0, 0), (0, 1), (9, 9), (1, 0)], position_T=[0, 1, -1, 0])
    other = spoken("b", [(1, 1)], language="it")
    frames = pool([one, other])
    assert (frames.phones, frames.languages) == (("a", "b"), ("es", "it"))
    assert frames.phone_N.tolist() == [0, 1, 0, 1]
    assert frames.language_N.tolist() == [0, 0, 0, 1]
    # neither group alone tells all, both together do: the phone is the second code
    assert {group: measure(frames.phone_N, code_N).pnmi for group, code_N in frames.columns.items()} == {
        0: pytest.approx(0),
        1: pytest.approx(1),
        ALL: pytest.approx(1),
    }
    assert frames.tuples[frames.columns[ALL]].tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_nothing_aligned_is_an_error(spoken: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="no frame of any cut is a phone's"):
        pool([spoken("a", [(0,)], position_T=[-1])])


def drawn_by_loops(frames: Frames, groups: list[list[int]], replications: int, seed: int) -> np.ndarray:
    """PNMI of utterances put together anew, frame by frame."""
    random, found = np.random.default_rng(seed), []
    for _ in range(replications):
        chosen = [
            utterance for k in random.integers(len(groups), size=len(groups)) for utterance in groups[k]
        ]
        rows = np.concatenate([np.flatnonzero(frames.utterance_N == utterance) for utterance in chosen])
        found.append(measure(frames.phone_N[rows], frames.columns[0][rows]).pnmi)
    return np.array(found)


@pytest.mark.parametrize("by_speaker", [True, False])
def test_intervals_are_of_utterances_or_speakers_drawn_whole(
    spoken: Callable[..., Any], by_speaker: bool
) -> None:
    random = np.random.default_rng(3)
    utterances = [
        spoken("abcab", [(int(code),) for code in random.integers(0, 2, 5) + np.array([0, 1, 2, 0, 1])])
        for _ in range(12)
    ]
    frames = pool(utterances)
    speakers = [f"s{number % 6}" if by_speaker else None for number in range(12)]
    groups = [[n, n + 6] for n in range(6)] if by_speaker else [[n] for n in range(12)]
    found = spread(frames, frames.columns[0], speakers, BootstrapSettings(replications=200))
    pnmi = found.intervals["pnmi"]
    assert (pnmi.over, pnmi.size) == ("speakers" if by_speaker else "utterances", len(groups))
    expected = drawn_by_loops(frames, groups, 200, 1)
    low, high = np.quantile(expected, [0.025, 0.975])
    assert pnmi.high - pnmi.low == pytest.approx(high - low)
    whole = measure(frames.phone_N, frames.columns[0]).pnmi
    assert pnmi.low < whole < pnmi.high
    assert (pnmi.low + pnmi.high) / 2 - whole == pytest.approx((low + high) / 2 - expected.mean())


def test_a_language_alone_is_drawn_from_its_own_utterances(spoken: Callable[..., Any]) -> None:
    frames = pool([spoken("ab", [(0,), (1,)], language=language) for language in ("it", "es", "it")])
    ((_, spanish), (_, italian)) = frames.by_language()
    settings = BootstrapSettings(replications=10)
    sizes = [
        spread(some, some.columns[0], [None] * 3, settings).intervals["pnmi"].size
        for some in (spanish, italian)
    ]
    assert sizes == [1, 2]


def test_chance_is_what_codes_without_any_relation_give() -> None:
    random = np.random.default_rng(0)
    phones, codes = random.integers(0, 5, 400), random.integers(0, 100, 400)
    frames = Frames(("a",) * 5, ("es",), phones, phones * 0, np.arange(400) // 4, codes[:, None])
    found = spread(frames, codes, [None] * 100, BootstrapSettings(replications=20))
    # 100 codes of four frames each say much of 400 frames, and mean nothing
    assert measure(phones, codes).pnmi > 0.3
    assert found.pnmi_chance == pytest.approx(measure(phones, codes).pnmi, abs=0.05)
