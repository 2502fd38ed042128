from pathlib import Path

import pytest

from unispeech_cli.lang.lm_words import known, vocabulary
from unispeech_cli.lang.pronouncer import Pronouncer
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.paths import LangDir


def letters(root: Path, spelled: str) -> Pronouncer:
    return Pronouncer.of(LangDir(root), TokenTable(("<blk>", *spelled, "|")))


def test_words_come_from_the_lexicon_or_are_pronounced_or_dropped(tmp_path: Path) -> None:
    found = vocabulary(
        ["cat", "tack", "cät", "<unk>", "[noise]", "a\u00a0cat"],
        {"cat": [("c", "a", "t")], "unsaid": [("u",)]},
        letters(tmp_path, "actk"),
    )
    assert found.lexicon == {"cat": [("c", "a", "t")], "tack": [("t", "a", "c", "k")]}
    assert found.written == {"cat": "cat", "tack": "tack"}
    assert found.added == {"tack": [("t", "a", "c", "k")]}
    assert found.dropped == {
        "cät": "not in tokens.txt: ä",
        **dict.fromkeys(["<unk>", "[noise]", "a\u00a0cat"], "not a word"),
    }


def test_model_in_capitals_is_read_in_the_small_letters_of_the_lexicon(tmp_path: Path) -> None:
    found = vocabulary(["CAT", "TACK", "<UNK>"], {"cat": [("c", "a", "t")]}, letters(tmp_path, "actk"))
    assert found.written == {"CAT": "cat", "TACK": "tack"}
    assert vocabulary(["CAT", "ACT"], {"CAT": [("C",)]}, letters(tmp_path, "ACT")).written["ACT"] == "ACT"


def test_a_capital_in_a_small_model_stays_one(tmp_path: Path) -> None:
    found = vocabulary(["Cat", "cat"], {"cat": [("c", "a", "t")]}, letters(tmp_path, "Cact"))
    assert found.written == {"Cat": "Cat", "cat": "cat"}


def test_model_of_another_language_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no word of the language model can be pronounced"):
        vocabulary(["кот", "<unk>"], {"cat": [("c", "a", "t")]}, letters(tmp_path, "act"))


def test_larger_model_keeps_to_words_that_are_there() -> None:
    assert known(["THE", "CAT", "TACK"], ["<eps>", "cat", "the", "#0"]) == {"THE": "the", "CAT": "cat"}
