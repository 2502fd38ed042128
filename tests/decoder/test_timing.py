import itertools
from collections.abc import Sequence

import pytest
import torch

from unispeech_cli.decoder.timing import (
    Timed,
    confidences,
    ctm,
    timed_tokens,
    words_by_lexicon,
    words_of,
)
from unispeech_cli.lang.units import Units


def each_a_frame(symbols: Sequence[str]) -> list[Timed]:
    """Tokens of one frame each, every other frame."""
    frames = range(0, 2 * len(symbols), 2)
    return timed_tokens(symbols, frames, frames)


def said(words: Sequence[Timed]) -> list[tuple[str, float, float]]:
    return [(word.text, round(word.start, 6), round(word.end, 6)) for word in words]


def test_a_run_of_frames_in_seconds() -> None:
    (token,) = timed_tokens(["a"], [50], [52], [0.5], offset=10.0)
    assert (token.start, token.duration, token.end) == (11.0, 0.06, pytest.approx(11.06))


def test_a_token_is_as_sure_as_its_frames() -> None:
    probability_TV = torch.tensor([[0.2, 0.8], [0.6, 0.4], [0.9, 0.1]])
    assert confidences(probability_TV.log(), [1, 0], [0, 2], [1, 2]) == pytest.approx([0.6, 0.9])


@pytest.mark.parametrize(
    ("units", "symbols", "words"),
    [
        ("letters", "a b | c", [("ab", 0, 0.06), ("c", 0.12, 0.14)]),
        ("letters", "| a | | b |", [("a", 0.04, 0.06), ("b", 0.16, 0.18)]),
        ("letters", "|", []),
        ("bpe", "▁ab c ▁ d", [("abc", 0, 0.06), ("d", 0.12, 0.14)]),
        ("bpe", "b ▁c", [("b", 0, 0.02), ("c", 0.04, 0.06)]),
        ("phones", "a b", []),
    ],
)
def test_letters_and_pieces_make_words(
    units: Units, symbols: str, words: list[tuple[str, float, float]]
) -> None:
    assert said(words_of(each_a_frame(symbols.split()), units)) == words


def test_a_word_is_as_sure_as_its_tokens_on_average() -> None:
    tokens = [Timed("▁a", 0, 1, 0.5), Timed("b", 1, 1, 1.0), Timed("▁c", 2, 1, 0.25)]
    assert [word.score for word in words_of(tokens, "bpe")] == [0.75, 0.25]


LEXICON = {"a": [("x",)], "ab": [("x", "y"), ("x",)], "b": [("y",), ("y", "x")], "none": []}


def test_words_over_the_phones_that_spell_them() -> None:
    # "ab" takes x alone here, so that "b" has its y
    found = words_by_lexicon(each_a_frame("x y x".split()), ["ab", "b", "a"], LEXICON)
    assert found is not None
    assert said(found) == [("ab", 0, 0.02), ("b", 0.04, 0.06), ("a", 0.08, 0.10)]
    assert words_by_lexicon([], [], LEXICON) == []


def test_every_spelling_of_words_is_found_again() -> None:
    for words in itertools.product(("a", "ab", "b"), repeat=3):
        for variants in itertools.product(*(LEXICON[word] for word in words)):
            spelled = [phone for variant in variants for phone in variant]
            found = words_by_lexicon(each_a_frame(spelled), words, LEXICON)
            assert found is not None
            lengths = [round((word.duration / 0.02 + 1) / 2) for word in found]
            assert [word.text for word in found] == list(words)
            assert sum(lengths) == len(spelled)


@pytest.mark.parametrize(
    ("phones", "words"), [("x", "b"), ("x y", "a"), ("x", "none"), ("x", "new"), ("x", "")]
)
def test_phones_that_do_not_spell_the_words(phones: str, words: str) -> None:
    assert words_by_lexicon(each_a_frame(phones.split()), words.split(), LEXICON) is None


def test_ctm_lines_are_in_order_of_time() -> None:
    items = [Timed("b", 1.5, 0.25, 0.5), Timed("a", 0.0, 0.1)]
    assert ctm("my talk", items, offset=60.0) == (
        "my_talk 1 60.00 0.10 a 1.00\nmy_talk 1 61.50 0.25 b 0.50\n"
    )
