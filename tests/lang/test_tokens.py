"""The token table on disk and in use, and the inventories of others."""

import json
from pathlib import Path

import pytest

from unispeech_cli.lang.tokens import TokenTable, build, read, read_inventory

SHARED = TokenTable(("<blk>", "a", "oː", "ʎ"))
SEPARATE = TokenTable(("<blk>", "<unk>", "es:a", "es:ʎ", "it:a"))


def test_written_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "tokens.txt"
    SHARED.write(path)
    assert path.read_text(encoding="utf-8") == "<blk> 0\na 1\noː 2\nʎ 3\n"
    assert read(path) == SHARED


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "begins with <blk>, not with nothing"),
        ("a 0\nb 1\n", "begins with <blk>"),
        ("<blk> 0\na 2\n", "line 2: expected a symbol and the id 1"),
        ("<blk> 0\na 1\na 2\n", "'a' comes twice"),
        ("<blk> 0\n 1\n", "line 2: expected a symbol"),
    ],
)
def test_a_bad_table_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "tokens.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=complaint) as error:
        read(path)
    assert str(path) in str(error.value)


def test_shared_units_are_the_same_in_every_language() -> None:
    assert SHARED.encode(["ʎ", "a"], "es") == SHARED.encode(["ʎ", "a"]) == [3, 1]
    assert SHARED.decode([3, 1]) == ["ʎ", "a"]
    assert SHARED.language_ids("es") == [0, 1, 2, 3]
    assert not SHARED.is_separate


def test_separate_units_belong_to_a_language_and_its_regions() -> None:
    assert SEPARATE.is_separate
    assert SEPARATE.encode(["a", "<unk>"], "es") == [2, 1]
    assert SEPARATE.encode(["a"], "it-CH") == [4]
    assert SEPARATE.decode([2, 4, 1]) == ["a", "a", "<unk>"]
    assert SEPARATE.language_ids("es-MX") == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="the utterance has no language"):
        SEPARATE.encode(["a"])


def test_units_that_are_missing_are_all_named() -> None:
    with pytest.raises(ValueError, match=r"not in the token table: x, y$"):
        SHARED.encode(["a", "x", "y", "x"])
    assert SEPARATE.missing(["a", "ʎ", "ʎ"], "it") == ["it:ʎ"]


def test_a_phone_with_a_colon_does_not_make_a_table_separate() -> None:
    table = TokenTable(("<blk>", "o:", "e:"))
    assert not table.is_separate
    assert table.decode([1]) == ["o:"]


def test_differences_are_told_in_a_line() -> None:
    assert SHARED.difference(TokenTable(SHARED.symbols)) is None
    swapped = TokenTable(("<blk>", "a", "ʎ", "oː"))
    assert SHARED.difference(swapped) == "the same symbols in another order: id 2 is oː and ʎ"
    other = TokenTable(("<blk>", "a", "ʎ", "b"))
    assert SHARED.difference(other) == "4 and 4 symbols; only in the first: oː; only in the second: b"
    assert SHARED.fingerprint != swapped.fingerprint


def test_built_tables_do_not_depend_on_order() -> None:
    units = {"es": ["ʎ", "a"], "it": ["a", "b"]}
    assert build(units, "shared").symbols == ("<blk>", "a", "b", "ʎ")
    assert build(units, "separate").symbols == ("<blk>", "es:a", "es:ʎ", "it:a", "it:b")
    assert build(dict(reversed(units.items())), "separate") == build(units, "separate")
    assert build({"es": ["a", "<unk>"]}, "shared", ["<unk>"]).symbols == ("<blk>", "<unk>", "a")


def test_extending_keeps_the_ids() -> None:
    assert SHARED.extended(["z", "b", "a"]).symbols == (*SHARED.symbols, "b", "z")


def inventory(folder: Path, name: str, text: str) -> tuple[tuple[str, ...], str]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    table, notes = read_inventory(path)
    return table.symbols, "; ".join(notes)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tokens.txt", "<blk> 0\nb 1\na 2\n"),
        ("phones.txt", "b\na\n"),
        ("dict.txt", "b 9000\na 17\nmadeupword0000 0\n"),
        ("icefall.txt", "<eps> 0\nb 1\na 2\n#0 3\n#1 4\n"),
        ("vocab.json", json.dumps({"<pad>": 0, "<s>": 1, "</s>": 2, "a": 4, "b": 3})),
        ("phonesMatches_reduced.json", json.dumps({"a": 1, "b": 0})),
    ],
)
def test_inventories_of_others(tmp_path: Path, name: str, text: str) -> None:
    assert inventory(tmp_path, name, text)[0] == ("<blk>", "b", "a")


def test_released_separate_vocabularies(tmp_path: Path) -> None:
    text = json.dumps({"(en)a": 0, "(es)": 3, "(es)ʎ": 1, "(es)(en)": 2}, ensure_ascii=False)
    symbols, notes = inventory(tmp_path, "vocab_sep.json", text)
    assert symbols == ("<blk>", "en:a", "es:ʎ", "es:(en)", "(es)")
    assert "read as es:a" in notes


def test_the_empty_symbol_is_left_out_and_said(tmp_path: Path) -> None:
    symbols, notes = inventory(tmp_path, "vocab.json", json.dumps({"a": 0, "": 1, "<unk>": 2, "</s>": 3}))
    assert symbols == ("<blk>", "a", "<unk>")
    assert "the empty symbol is left out" in notes and "</s> left out" in notes


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("a.json", "[1]", "expected JSON of symbol -> id"),
        ("a.json", "{", "is not JSON"),
        ("a.json", '{"a": 0, "b": 0}', "two symbols have the same id"),
        ("a.txt", "hello HH AH L OW\n", "expected a symbol a line"),
        ("a.txt", "a\na\n", "'a' comes twice"),
        ("a.txt", "", "expected a symbol a line"),
    ],
)
def test_what_is_no_inventory_is_refused(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        inventory(tmp_path, name, text)
