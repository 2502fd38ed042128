import itertools
import math
import random
from collections.abc import Sequence

import numpy as np
import pytest

from unispeech_cli.scorer.alignment import Counts
from unispeech_cli.scorer.bootstrap import BootstrapSettings, interval, paired
from unispeech_cli.scorer.rates import Rate

MANY = BootstrapSettings(replications=20_000)


def rates(errors: Sequence[int], words: int = 10) -> list[Rate]:
    return [Rate(Counts(correct=words - number, substitutions=number), 1, 1.0) for number in errors]


def nobody(utterances: Sequence[Rate]) -> list[None]:
    return [None] * len(utterances)


def test_the_interval_is_that_of_all_possible_draws() -> None:
    utterances = [Rate(Counts(correct=4)), *rates([1], 3), *rates([5], 6), *rates([2], 9), *rates([1], 1)]
    possible = sorted(
        sum(u.counts.errors for u in drawn) / sum(u.counts.reference for u in drawn)
        for drawn in itertools.product(utterances, repeat=5)
    )
    found = interval(utterances, nobody(utterances), MANY)
    assert found is not None
    assert [found.low, found.high] == pytest.approx(np.quantile(possible, [0.025, 0.975]), abs=0.01)


def test_of_many_utterances_it_is_the_normal_one() -> None:
    draw = random.Random(1)
    errors = [draw.choice([0, 0, 1, 2, 5]) for _ in range(500)]
    found = interval(rates(errors), nobody(errors), MANY)
    assert found is not None
    mean, error = np.mean(errors) / 10, np.std(errors) / 10 / math.sqrt(500)
    assert found.low == pytest.approx(mean - 1.96 * error, abs=0.03 * error + 1e-3)
    assert found.high == pytest.approx(mean + 1.96 * error, abs=0.03 * error + 1e-3)


def test_speakers_are_drawn_where_there_are_several() -> None:
    # each speaker is alike in all that they say: what is drawn is six values, not sixty
    errors = [index % 6 for index in range(60)]
    speakers = [f"speaker {number}" for number in errors]
    by_speaker, by_utterance = (
        interval(rates(errors), speakers, MANY),
        interval(rates(errors), nobody(errors), MANY),
    )
    assert by_speaker is not None and by_utterance is not None
    assert (by_speaker.over, by_speaker.size) == ("speakers", 6)
    assert (by_utterance.over, by_utterance.size) == ("utterances", 60)
    ratio = (by_speaker.high - by_speaker.low) / (by_utterance.high - by_utterance.low)
    assert ratio == pytest.approx(math.sqrt(10), rel=0.1)


@pytest.mark.parametrize("speakers", [["a", "b", "c", "d", "d"], ["a", "b", "c", "d", None]])
def test_few_or_unknown_speakers_leave_it_to_utterances(speakers: list[str | None]) -> None:
    found = interval(rates([0, 1, 2, 3, 4]), speakers, BootstrapSettings())
    assert found is not None and found.over == "utterances"


def test_the_seed_says_what_is_drawn() -> None:
    utterances = rates([0, 3, 1, 7, 2, 2, 9])
    drawn = [interval(utterances, nobody(utterances), BootstrapSettings(seed=seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_without_reference_words_there_is_no_interval() -> None:
    empty = [Rate(Counts(insertions=2), 1)]
    assert interval(empty, [None], BootstrapSettings()) is None
    assert interval([], [], BootstrapSettings()) is None
    assert paired(empty, empty, [None], BootstrapSettings()) is None


def test_pairs_are_drawn_together() -> None:
    # utterances differ much, the systems in each of them little: one error less in every other
    first = [index % 10 for index in range(1, 200)]
    second = [max(0, errors - index % 2) for index, errors in enumerate(first)]
    found = paired(rates(first), rates(second), nobody(first), MANY)
    assert found is not None
    gained = np.array(second) - np.array(first)
    assert found.difference == pytest.approx(gained.mean() / 10)
    error = gained.std() / 10 / math.sqrt(len(first))
    assert found.interval.low == pytest.approx(found.difference - 1.96 * error, abs=0.1 * error)
    assert found.interval.high == pytest.approx(found.difference + 1.96 * error, abs=0.1 * error)
    # the least that 20,000 draws can say
    assert found.p == pytest.approx(2 / 20_001)


def test_p_is_that_of_the_normal_distribution_where_pairs_are_many() -> None:
    draw = random.Random(4)
    first = [draw.randint(0, 6) for _ in range(400)]
    second = [errors + draw.choice([-1, 0, 0, 0, 1, 1]) * (errors > 0) for errors in first]
    gained = np.array(second) - np.array(first)
    z = gained.mean() / (gained.std() / math.sqrt(400))
    found = paired(rates(first, 20), rates(second, 20), nobody(first), MANY)
    assert found is not None and 1 < z < 5
    assert found.p == pytest.approx(math.erfc(z / math.sqrt(2)), rel=0.4, abs=2e-4)


def test_a_system_does_not_differ_from_itself() -> None:
    utterances = rates([1, 0, 4])
    found = paired(utterances, utterances, nobody(utterances), BootstrapSettings())
    assert found is not None
    assert (found.difference, found.interval.low, found.interval.high, found.p) == (0, 0, 0, 1)
