"""lexicon.txt and words.txt."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from unispeech_cli.lang.lexicon import (
    Pronounced,
    merged,
    read_lexicon,
    read_words,
    write_lexicon,
    write_words,
)
from unispeech_cli.lang.phonemizer import Spoken
from unispeech_cli.lang.tokens import TokenTable


def test_lexicon_is_sorted_by_word_and_keeps_the_order_of_variants(tmp_path: Path) -> None:
    path = tmp_path / "lexicon.txt"
    lexicon = {"the": [("ð", "ə"), ("ð", "iː")], "cat": [("k", "æ", "t")]}
    write_lexicon(path, lexicon)
    assert path.read_text(encoding="utf-8") == "cat k æ t\nthe ð ə\nthe ð iː\n"
    assert read_lexicon(path) == lexicon


def test_words_have_icefalls_symbols(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    write_words(path, ["the", "cat", "the"])
    assert path.read_text(encoding="utf-8") == "<eps> 0\ncat 1\nthe 2\n#0 3\n<s> 4\n</s> 5\n"
    assert read_words(path)["the"] == 2


LES_AMIS = [["l", "e", "z"], ["a", "m", "i"]]
PHONES = TokenTable(("<blk>", "a", "e", "i", "k", "l", "m", "o", "s", "z"))


def spelled_out(asked: Sequence[str]) -> list[list[tuple[str, ...]]]:
    return [[tuple(word)] for word in asked]


def test_pronunciations_are_counted_in_running_speech() -> None:
    heard = Pronounced("fr")
    heard.hear("les amis", Spoken(LES_AMIS))
    heard.hear("les mots", Spoken([["l", "e"], ["m", "o"]]))
    heard.hear("les mis", Spoken([["l", "e"], ["m", "i"]]))
    assert heard.lexicon(spelled_out, PHONES, 2)["les"] == [("l", "e"), ("l", "e", "z")]
    assert heard.lexicon(spelled_out, PHONES, 1)["les"] == [("l", "e")]


@pytest.mark.parametrize(
    ("sentence", "spoken"),
    [
        ("al so me", Spoken([["a", "l", "s", "o"], ["m", "e"]])),
        ("also 5 me", Spoken([["a", "l"], ["s", "o"], ["m", "e"]])),
        ("ok me", Spoken([["o"], ["k"]], switched=True)),
    ],
)
def test_words_that_cannot_be_told_apart_are_asked_one_by_one(sentence: str, spoken: Spoken) -> None:
    heard = Pronounced("en")
    heard.hear(sentence, spoken)
    assert heard.lexicon(spelled_out, PHONES, 4) == {
        word: [tuple(word)] for word in sentence.split() if not word.isdigit()
    }


def test_an_utterance_heard_later_spares_the_question() -> None:
    heard = Pronounced("fr")
    heard.note("les amis")
    heard.hear("les amis", Spoken(LES_AMIS))
    assert heard.lexicon(spelled_out, PHONES, 4)["les"] == [("l", "e", "z")]


def test_separate_inventories_have_lexicons_of_their_own_symbols() -> None:
    heard = Pronounced("es")
    heard.hear("a la", Spoken([["a"], ["l", "a"]]))
    table = TokenTable(("<blk>", "es:a", "es:l", "it:a"))
    assert heard.lexicon(spelled_out, table, 4) == {"a": [("es:a",)], "la": [("es:l", "es:a")]}


def test_lexicons_of_languages_are_merged() -> None:
    both = merged([{"no": [("n", "oʊ")]}, {"no": [("n", "o"), ("n", "oʊ")], "si": [("s", "i")]}])
    assert both == {"no": [("n", "oʊ"), ("n", "o")], "si": [("s", "i")]}


@pytest.mark.parametrize("text", ["<eps> 0\na 2\n", "<eps> 0\na\n", "a 0\na 1\n"])
def test_bad_words_are_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "words.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"words.txt line 2: expected a new word and the id 1"):
        read_words(path)


def test_a_word_without_units_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lexicon.txt"
    path.write_text("a AH\nb\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"lexicon.txt line 2: word 'b' has no pronunciation"):
        read_lexicon(path)
    with pytest.raises(FileNotFoundError, match=r"no file .*none"):
        read_lexicon(tmp_path / "none")
