from pathlib import Path

import pytest

from unispeech_cli.lang.lexicon import write_words
from unispeech_cli.lang.validation import faults, homophones
from unispeech_cli.paths import LangDir


@pytest.fixture
def lang(tmp_path: Path) -> LangDir:
    """A faultless one."""
    lang = LangDir(tmp_path)
    lang.tokens.write_text("<blk> 0\na 1\nb 2\n| 3\n")
    lang.lexicon.write_text("ab a b\nba b a\n")
    write_words(lang.words, ["ab", "ba"])
    return lang


def test_sound_directory_has_no_fault(lang: LangDir) -> None:
    assert faults(lang, spelled=True) == []
    lang.words.unlink()
    assert faults(lang, spelled=True) == []


@pytest.mark.parametrize(
    ("lexicon", "expected"),
    [
        ("ab a b\nba", ["line 2: word ba has no pronunciation"]),
        ("ab a x b y x\nba b a", ["line 1: word ab has units that tokens.txt lacks: x y"]),
        ("ab a b\nba b a\nab a b", ["line 3: the same as lexicon.txt line 1"]),
        ("ab a <blk> b\nba b a", ["line 1: word ab is spoken with <blk>, which is between words or nothing"]),
        ("ab a | b\nba b a", ["line 1: word ab is spoken with |, which is between words or nothing"]),
        ("ab a b\nba a b", ["line 2: word ba is not spelled by its letters a b"]),
        ("ab a x\nba", ["line 1: word ab has units that", "line 2: word ba has no pronunciation"]),
        ("ab a b", ["lexicon.txt lacks ba, which words.txt has"]),
        ("ab a b\nba b a\na a", ["words.txt lacks a, which lexicon.txt has"]),
        ("", ["has no word", "lexicon.txt lacks ab, which", "lexicon.txt lacks ba, which"]),
    ],
)
def test_every_fault_of_the_lexicon_is_a_line(lang: LangDir, lexicon: str, expected: list[str]) -> None:
    lang.lexicon.write_text(lexicon + "\n")
    found = faults(lang, spelled=True)
    assert len(found) == len(expected)
    for line, part in zip(found, expected, strict=True):
        assert part in line
        assert str(lang.root) in line


def test_names_that_graphs_need_are_no_tokens_and_no_words(lang: LangDir) -> None:
    lang.tokens.write_text("<blk> 0\na 1\nb 2\n#1 3\n")
    lang.lexicon.write_text("ab a b\nba b a\n<s> a\n#0 b\n")
    assert [line.partition(": ")[2].split()[0] for line in faults(lang, spelled=False)] == ["#1", "<s>", "#0"]


def test_words_txt_without_the_symbols_of_graphs(lang: LangDir) -> None:
    lang.words.write_text("<eps> 0\nab 1\nba 2\n#0 3\n")
    assert [line.removeprefix(f"{lang.words} ") for line in faults(lang, spelled=True)] == [
        "lacks </s>",
        "lacks <s>",
    ]


def test_phones_may_be_spelled_otherwise_and_contain_a_bar(lang: LangDir) -> None:
    lang.lexicon.write_text("ab b | a\nba b a\n")
    assert faults(lang, spelled=False) == []


def test_homophones_are_counted_by_words() -> None:
    lexicon = {"be": [("b", "i"), ("b", "ə")], "bee": [("b", "i")], "b": [("b", "i")], "a": [("ə",), ("ə",)]}
    assert homophones(lexicon) == 3
    assert homophones({"a": [("ə",)], "at": [("ə", "t")]}) == 0


def test_absent_files_are_named(lang: LangDir) -> None:
    lang.lexicon.unlink()
    with pytest.raises(FileNotFoundError, match=r"no file .*lexicon\.txt"):
        faults(lang, spelled=True)
