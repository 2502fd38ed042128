from pathlib import Path

import pytest

from unispeech_cli.decoder.bias import Bias
from unispeech_cli.decoder.phrases import Line, read_lines, token_bias, word_bias
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.lang.transcript import Speller

TABLE = TokenTable(("<blk>", "|", "a", "b", "c"))


def gained(tree: Bias, text: str) -> float:
    state, total = tree.start, 0.0
    for letter in text:
        state, gain = tree.step(state, TABLE.ids[letter])
        total += gain
    return total + tree.finish(state)


def test_lines_have_the_bonus_behind_their_tab_or_that_of_all(tmp_path: Path) -> None:
    (tmp_path / "w.txt").write_text("New York\t2.5\n\n  ab \ncd\t\n", encoding="utf-8")
    assert read_lines(tmp_path / "w.txt", 1.0) == [Line("New York", 2.5), Line("ab", 1.0), Line("cd", 1.0)]


@pytest.mark.parametrize("bonus", ["much", "-1", "nan", "inf"])
def test_a_bonus_that_is_none_is_named_with_its_line(tmp_path: Path, bonus: str) -> None:
    (tmp_path / "w.txt").write_text(f"a\nb\t{bonus}\n")
    with pytest.raises(ValueError, match=rf"w\.txt line 2: '{bonus}' is not a bonus"):
        read_lines(tmp_path / "w.txt", 1.0)
    with pytest.raises(FileNotFoundError, match=r"no file none\.txt of words"):
        read_lines(Path("none.txt"), 1.0)


def test_letters_of_whole_words_gain_and_what_cannot_be_spelled_is_named() -> None:
    found = token_bias(
        [Line("AB", 1.0), Line("ab ca", 2.0), Line("zoo", 1.0)], Speller.of(None, TABLE, "letters", None)
    )
    assert gained(found.phrases, "ab") == pytest.approx(2.0)
    assert gained(found.phrases, "ab|ca") == pytest.approx(8.0 + 2.0)
    assert gained(found.phrases, "abc|ca") == pytest.approx(0.0)
    (line,) = found.lacking
    assert line.startswith("zoo: ")


def test_words_of_a_graph_gain_by_their_units_and_lacking_ones_are_named() -> None:
    symbols, lexicon = (
        ("<eps>", "a", "ab", "new"),
        {"a": [("a",)], "ab": [("a", "b"), ("b",)], "new": [("c",)]},
    )
    lines = [Line("ab", 1.5), Line("ab", 1.0), Line("a new", 2.0), Line("old new", 1.0)]
    found = word_bias(lines, symbols, lexicon, "en")
    assert (found.bonuses, found.lacking) == ({2: 3.0}, ("old",))
    assert found.phrases is not None
    state, first = found.phrases.step(found.phrases.start, 1)
    assert first + found.phrases.step(state, 3)[1] == pytest.approx(4.0)
    assert word_bias(lines[:1], symbols, lexicon, "en").phrases is None
