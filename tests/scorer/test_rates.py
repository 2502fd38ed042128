import math

from unispeech_cli.scorer.alignment import Counts
from unispeech_cli.scorer.rates import Rate, by_group, total

FEW = Rate(Counts(correct=8, substitutions=1, deletions=1, insertions=2), utterances=1, seconds=2.0)
MANY = Rate(Counts(correct=90), utterances=9, seconds=30.0)


def test_the_rate_of_a_corpus_is_all_errors_over_all_references() -> None:
    both = total([FEW, MANY])
    assert both.fraction == 4 / 100
    assert (both.utterances, both.seconds) == (10, 32.0)


def test_more_errors_than_references_exceed_one() -> None:
    assert Rate(Counts(correct=1, insertions=3)).percent == 300


def test_an_empty_reference_is_no_division_by_zero() -> None:
    assert Rate().fraction == 0
    assert Rate(Counts(insertions=2)).fraction == math.inf
    assert total([Rate(Counts(insertions=2)), Rate(Counts(correct=4))]).fraction == 0.5


def test_groups_are_totals_in_order_of_name() -> None:
    groups = by_group([("sv", FEW), ("it", MANY), ("sv", FEW)], group=str)
    assert list(groups) == ["it", "sv"]
    assert (groups["it"], groups["sv"].counts.errors) == (MANY, 8)
