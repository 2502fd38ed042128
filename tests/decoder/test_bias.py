import itertools

import pytest

from unispeech_cli.decoder.bias import Bias, Phrase, bias


def gained(tree: Bias, ids: tuple[int, ...]) -> float:
    state, total = tree.start, 0.0
    for label in ids:
        state, gain = tree.step(state, label)
        total += gain
    return total + tree.finish(state)


def occurrences(phrase: tuple[int, ...], ids: tuple[int, ...]) -> int:
    return sum(ids[i : i + len(phrase)] == phrase for i in range(len(ids)))


def test_every_occurrence_of_every_phrase_earns_its_bonus() -> None:
    phrases = {(1, 2): 2.0, (2, 3): 3.0, (1, 2, 1, 3): 5.0, (3,): 0.5, (2, 2): 1.0}
    tree = bias(Phrase(ids, bonus) for ids, bonus in phrases.items())
    for ids in itertools.product((1, 2, 3), repeat=6):
        expected = sum(bonus * occurrences(phrase, ids) for phrase, bonus in phrases.items())
        assert gained(tree, ids) == pytest.approx(expected)


def test_a_part_gains_a_share_which_is_given_back_where_it_breaks_off() -> None:
    tree = bias([Phrase((1, 2, 3), 3.0)])
    state, first = tree.step(tree.start, 1)
    state, second = tree.step(state, 2)
    assert (first, second, tree.step(state, 3)[1], tree.step(state, 2)[1]) == (1.0, 1.0, 1.0, -2.0)
    assert tree.finish(state) == -2.0
    assert tree.most == 1.0


@pytest.mark.parametrize(
    ("ids", "bonus"),
    [
        ((1, 2), 4.0),
        ((1, 2, 0, 3), 4.0),
        ((3, 0, 1, 2, 0, 1, 2), 8.0),
        ((3, 1, 2), 0.0),
        ((1, 2, 3), 0.0),
        ((), 0.0),
    ],
)
def test_with_boundaries_only_whole_words_count(ids: tuple[int, ...], bonus: float) -> None:
    assert gained(bias([Phrase((0, 1, 2, 0), 4.0)], boundary=0), ids) == bonus


def test_of_a_phrase_given_twice_the_greater_bonus_counts() -> None:
    assert gained(bias([Phrase((1,), 2.0), Phrase((1,), 1.0)]), (1, 1)) == 4.0
