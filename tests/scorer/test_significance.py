import json
import math
import random
from pathlib import Path

import pytest

from unispeech_cli.scorer.alignment import SCLITE, Pairs, align, align_weighted
from unispeech_cli.scorer.significance import MatchedPairs, matched_pairs, segments

GOLDEN = Path(__file__).parent.parent / "golden" / "sclite"
FOUND = json.loads((GOLDEN / "segments.json").read_text(encoding="utf-8"))


def transcripts(name: str) -> list[list[str]]:
    lines = (GOLDEN / f"segments.{name}.trn").read_text(encoding="utf-8").splitlines()
    return [line.rpartition("(")[0].split() for line in lines]


def sclite(ref: list[str], hyp: list[str]) -> Pairs:
    positions = align_weighted(ref, hyp, SCLITE)
    return [(None if r is None else ref[r], None if h is None else hyp[h]) for r, h in positions]


@pytest.mark.parametrize("systems", sorted(FOUND))
def test_segments_errors_and_p_are_those_of_sc_stats(systems: str) -> None:
    refs, (first, second) = transcripts("ref"), (transcripts(name) for name in systems.split())
    found = [
        segment
        for ref, a, b in zip(refs, first, second, strict=True)
        for segment in segments(sclite(ref, a), sclite(ref, b))
    ]
    assert len(found) == FOUND[systems]["segments"]
    assert [sum(side) for side in zip(*found, strict=True)] == FOUND[systems]["errors"]
    tested = matched_pairs(found)
    # sc_stats looks z up in a table of two decimals, cut off
    assert tested.z is not None and tested.z > 0
    cut = math.floor(100 * tested.z) / 100
    assert f"{math.erfc(cut / math.sqrt(2)):.3f}" == FOUND[systems]["p"]
    assert tested.p == pytest.approx(float(FOUND[systems]["p"]), abs=0.006)


@pytest.mark.parametrize(
    ("ref", "first", "second", "found"),
    [
        ("a b c d", "a b c d", "a b c d", []),
        ("a b c d", "x b c d", "a b c y", [(1, 0), (0, 1)]),
        ("a b c d", "x b d", "a b c y", [(2, 1)]),
        ("a b c", "x y a b c", "a b c z", [(2, 0), (0, 1)]),
        ("a b c d", "x b u c d", "a b c d", [(2, 0)]),
        ("", "a", "", [(1, 0)]),
    ],
)
def test_two_right_words_in_a_row_part_segments(
    ref: str, first: str, second: str, found: list[tuple[int, int]]
) -> None:
    aligned = (align(ref.split(), hyp.split()) for hyp in (first, second))
    assert segments(*aligned) == found


def test_z_is_the_mean_over_its_standard_error() -> None:
    # differences 1, 1, 0, 2, 0, 1 of mean 5/6 and variance 17/30
    tested = matched_pairs([(0, 1), (1, 2), (3, 3), (0, 2), (1, 1), (2, 3)])
    z = (5 / 6) / math.sqrt(17 / 30 / 6)
    assert tested.z == pytest.approx(z)
    assert tested.p == pytest.approx(2 * (1 - 0.5 * (1 + math.erf(z / math.sqrt(2)))))


def test_of_systems_that_do_not_differ_p_is_evenly_spread() -> None:
    draw = random.Random(5)
    drawn = [
        matched_pairs([(draw.randint(0, 99), draw.randint(0, 99)) for _ in range(50)]).p for _ in range(400)
    ]
    for level in (0.05, 0.25, 0.5, 0.75):
        assert sum(p < level for p in drawn) / len(drawn) == pytest.approx(level, abs=0.06)


def test_no_difference_at_all_and_the_same_everywhere() -> None:
    assert matched_pairs([]) == MatchedPairs(0, 0.0, 1.0)
    assert matched_pairs([(2, 2), (1, 1)]) == MatchedPairs(2, 0.0, 1.0)
    assert matched_pairs([(1, 0)] * 5) == MatchedPairs(5, None, 2 * 0.5**5)
