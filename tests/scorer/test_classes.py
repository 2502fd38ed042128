import random

import pytest

from unispeech_cli.scorer.alignment import Counts, Pairs, align, count
from unispeech_cli.scorer.classes import ClassErrors, Distances, align_phones, confusions, plain_confusions
from unispeech_cli.scorer.phones import phones

pytestmark = pytest.mark.panphon


def closest(pairs: Pairs) -> Pairs:
    return align_phones(pairs, Distances.of([p for pair in pairs for p in pair if p is not None], phones()))


def aligned(ref: str, hyp: str) -> Pairs:
    return align(ref.split(), hyp.split())


def test_of_alignments_with_as_many_errors_the_likeliest_is_taken() -> None:
    # two errors either way: s stands for z, or for b
    assert closest(aligned("b z a", "s a")) == [("b", None), ("z", "s"), ("a", "a")]
    assert closest(aligned("z b a", "s a")) == [("z", "s"), ("b", None), ("a", "a")]


def test_errors_are_as_many_as_of_any_best_alignment() -> None:
    draw = random.Random(2)
    for _ in range(100):
        pairs = align(*(draw.choices("p b a i s t[ m".split(), k=draw.randint(0, 15)) for _ in range(2)))
        assert count(closest(pairs)).errors == count(pairs).errors


def test_classes_and_confusions_are_added_up() -> None:
    found = confusions(
        [*map(aligned, ["p a t", "s a", "m i", "a t[", ""], ["b a t", "ɡ a", "i", "a t", "o"])],
        phones(),
    )
    assert found.classes == {
        "vowel": ClassErrors(Counts(correct=4, insertions=1), 0, 1.0),
        "plosive": ClassErrors(Counts(correct=1, substitutions=1), 1, pytest.approx(1 / 24)),
        "fricative": ClassErrors(Counts(substitutions=1), 0, pytest.approx(phones().distance("s", "ɡ"))),
        "nasal": ClassErrors(Counts(deletions=1), 0, 1.0),
        "other": ClassErrors(Counts(substitutions=1), 0, 1.0),
    }
    assert found.others == ["t["]
    assert found.confused["fricative", "plosive"] == found.confused["other", "plosive"] == 1
    assert (found.confused["nasal", ""], found.confused["", "vowel"]) == (1, 1)
    plain = plain_confusions(found)
    weight = 1 / 24 + phones().distance("s", "ɡ") + 3
    assert plain["weighted_per"] == pytest.approx(weight / 9)
    assert {"ref": "nasal", "hyp": None, "count": 1} in plain["confusions"]
    assert plain["classes"]["plosive"]["within"] == 1


def test_weighted_errors_are_never_more_than_errors_and_equal_them_without_substitutions() -> None:
    missing = confusions([aligned("p a t a", "a t")], phones()).total
    assert missing.weighted == missing.counts.errors / missing.counts.reference == 0.5
    swapped = confusions([aligned("p a t a", "b i d o")], phones()).total
    assert swapped.weighted is not None and swapped.weighted < 0.3


def test_nothing_said_has_no_rate() -> None:
    assert confusions([[]], phones()).total.weighted is None
    assert confusions([aligned("", "a")], phones()).total == ClassErrors(Counts(insertions=1), 0, 1.0)
