"""A lang directory and a language model in, graphs and their sizes out."""

from pathlib import Path

import pytest

from unispeech_cli.paths import LangDir
from unispeech_cli.records import Note, Record, Table
from unispeech_cli.stages.graph import graph

pytestmark = pytest.mark.k2

UNIGRAMS = """
\\data\\
ngram 1=6

\\1-grams:
-99 <s>
-0.5 </s>
-0.6 no
-0.6 on
-0.9 nono
-0.9 none

\\end\\
"""


@pytest.fixture
def lang_dir(tmp_path: Path) -> Path:
    lang = LangDir(tmp_path / "lang")
    lang.root.mkdir()
    lang.tokens.write_text("<blk> 0\nn 1\no 2\n| 3\n")
    lang.lexicon.write_text("no n o\non o n\n")
    return lang.root


def notes(records: list[Record]) -> list[str]:
    return [record.text for record in records if isinstance(record, Note)]


def test_graphs_are_made_and_shown_once(lang_dir: Path, tmp_path: Path) -> None:
    lm = tmp_path / "small.arpa"
    lm.write_text(UNIGRAMS)
    first, second = (list(graph(lang_dir, lm=lm)) for _ in range(2))
    made = next((lang_dir / "graphs").iterdir())
    assert notes(first)[0] == f"{made}: compiling"
    assert notes(first)[1:] == [
        "3 words, 0 of them sound like another one",
        f"not in the lexicon, pronunciation made: 1 words (nono), all in {made}/words_added.txt",
        f"taken out of the language model: 1 words (none), all in {made}/words_dropped.tsv",
    ]
    assert notes(second) == [f"{made}: same inputs, nothing to do", *notes(first)[1:]]
    tables = [record for record in (first[-1], second[-1]) if isinstance(record, Table)]
    assert [row[0] for row in tables[0].rows] == ["L", "L_disambig", "G", "LG determinised", "HLG"]
    assert tables[0] == tables[1]


def test_without_a_language_model_any_word_may_follow(lang_dir: Path) -> None:
    *_, table = graph(lang_dir)
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == ["L", "L_disambig", "L determinised", "HL"]


def test_every_fault_is_a_line_and_the_last_one_counts_them(lang_dir: Path) -> None:
    (lang_dir / "lexicon.txt").write_text("no n o\nye y e\non\n")
    seen: list[Record] = []
    with pytest.raises(ValueError, match="lang cannot be used for graphs: 2 faults"):
        for record in graph(lang_dir):
            seen.append(record)
    assert [line.partition("lexicon.txt ")[2] for line in notes(seen)] == [
        "line 2: word ye has units that tokens.txt lacks: y e",
        "line 3: word on has no pronunciation",
    ]
    assert not (lang_dir / "graphs").exists()
