import random

import jiwer
import pytest

from unispeech_cli.scorer.alignment import EDITS, SCLITE, Counts, align, align_weighted, count


@pytest.mark.parametrize(
    ("ref", "hyp", "counts"),
    [
        ("a b c", "a b c", Counts(correct=3)),
        ("a b c", "a x c d", Counts(correct=2, substitutions=1, insertions=1)),
        ("a b c", "b", Counts(correct=1, deletions=2)),
        ("a b", "", Counts(deletions=2)),
        ("", "a b", Counts(insertions=2)),
        ("", "", Counts()),
        ("a * b", "a b *", Counts(correct=2, deletions=1, insertions=1)),
        ("* *", "<eps> *", Counts(correct=1, substitutions=1)),
    ],
)
def test_worked_pairs(ref: str, hyp: str, counts: Counts) -> None:
    assert count(align(ref.split(), hyp.split())) == counts


def test_a_star_that_is_a_token_is_not_a_gap() -> None:
    assert align(["a", "*"], ["a"]) == [("a", "a"), ("*", None)]


def test_numbers_align_as_strings_do() -> None:
    assert align([5, 0, 7], [5, 7]) == [(5, 5), (0, None), (7, 7)]


def test_totals_equal_jiwers_on_1000_random_pairs() -> None:
    draw = random.Random(3)
    pairs = [[draw.choices("abcde", k=draw.randint(1, 12)) for _ in range(2)] for _ in range(1000)]
    ours = sum((count(align(ref, hyp)) for ref, hyp in pairs), Counts())
    theirs = jiwer.process_words(*([" ".join(side) for side in sides] for sides in zip(*pairs, strict=True)))
    assert ours.errors == theirs.substitutions + theirs.deletions + theirs.insertions
    assert ours.reference == theirs.hits + theirs.substitutions + theirs.deletions
    assert ours.errors / ours.reference == theirs.wer


def test_words_that_may_be_missing_cost_nothing() -> None:
    assert align_weighted("uh a b".split(), ["a", "b"], EDITS, [True, False, False]) == [
        (0, None),
        (1, 0),
        (2, 1),
    ]
    # said, it is right
    assert align_weighted(["uh"], ["uh"], EDITS, [True]) == [(0, 0)]


def test_sides_may_be_empty() -> None:
    assert align_weighted([], ["a"], SCLITE) == [(None, 0)]
    assert align_weighted(["a"], [], SCLITE) == [(0, None)]
    assert align_weighted([], [], SCLITE) == []
