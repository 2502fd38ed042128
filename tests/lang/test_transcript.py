from pathlib import Path

import pytest

from unispeech_cli.lang.lexicon import write_lexicon
from unispeech_cli.lang.subwords import SubwordSettings, train
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.lang.transcript import Speller
from unispeech_cli.paths import LangDir

LETTERS = TokenTable(("<blk>", "'", "a", "b", "|"))


def test_letters_need_no_directory() -> None:
    found = Speller.of(None, LETTERS, "letters", "en").spell("“Ab, b'a!”")
    assert found.labels == [2, 3, 4, 3, 1, 2]
    assert found.words == (("ab", 0, 2), ("b'a", 3, 6))
    assert Speller.of(None, LETTERS, "letters", None).spell(" ...").labels == []


def test_letters_of_one_of_several_languages() -> None:
    table = TokenTable(("<blk>", "es:a", "es:|", "it:a", "it:|"))
    assert Speller.of(None, table, "letters", "it").spell("a a").labels == [3, 4, 3]


def test_phones_by_the_lexicon_of_a_directory(tmp_path: Path) -> None:
    table = TokenTable(("<blk>", "k", "θ", "a"))
    table.write(LangDir(tmp_path).tokens)
    write_lexicon(LangDir(tmp_path).lexicon, {"ca": [("k", "a"), ("θ", "a")]})
    speller = Speller.of(tmp_path, table, "phones", "es")
    assert speller.spell("Ca ca").labels == [1, 3, 1, 3]
    with pytest.raises(ValueError, match=r"no units for 'cosa' \(.*\), nor for 1 more words"):
        speller.spell("Ca cosa nueva")


def test_pieces_by_the_model_of_a_directory(tmp_path: Path) -> None:
    model = train(["la casa", "la cosa", "una casa"] * 5, SubwordSettings(size=14))
    table = TokenTable(("<blk>", *model.units))
    table.write(LangDir(tmp_path).tokens)
    model.write(LangDir(tmp_path).subwords)
    found = Speller.of(tmp_path, table, "bpe", "es").spell("la casa")
    assert table.decode(found.labels) == [*model.encode("la"), *model.encode("casa")]


@pytest.mark.parametrize("units", ["phones", "bpe"])
def test_what_only_a_directory_can_tell(units: str) -> None:
    with pytest.raises(ValueError, match="add --lang-dir"):
        Speller.of(None, LETTERS, units, "es")  # type: ignore[arg-type]


def test_a_letter_that_the_model_lacks_is_named() -> None:
    with pytest.raises(ValueError, match=r"no units for 'xa' \(not in tokens\.txt: x\)"):
        Speller.of(None, LETTERS, "letters", "es").spell("a xa")
