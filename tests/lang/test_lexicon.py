"""lexicon.txt and words.txt."""

from pathlib import Path

import pytest

from unispeech_cli.lang.lexicon import Pronounced, read_lexicon, read_words, write_lexicon, write_words


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


def test_pronunciations_are_counted_in_running_speech() -> None:
    heard = Pronounced()
    heard.add(["les", "amis"], [["l", "e", "z"], ["a", "m", "i"]])
    heard.add(["les", "mots"], [["l", "e"], ["m", "o"]])
    heard.add(["les", "gens"], [["l", "e"], ["ʒ", "ɑ̃"]])
    heard.add_unaligned(["31", "amis"])
    assert heard.lexicon(2)["les"] == [("l", "e"), ("l", "e", "z")]
    assert heard.lexicon(1)["les"] == [("l", "e")]
    assert heard.unheard == ["31"]


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
