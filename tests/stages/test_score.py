import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from unispeech_cli.decoder.hypotheses import Decoded, Hypothesis, write_hypotheses
from unispeech_cli.lang.units import Units
from unispeech_cli.paths import DecodeDir
from unispeech_cli.provenance import record
from unispeech_cli.records import Note, Table
from unispeech_cli.stages.score import score

GOLDEN = Path(__file__).parent.parent / "golden" / "icefall"


def hypothesis(name: str, ref: str | None, hyp: str, **rest: Any) -> Hypothesis:
    tokens = None if ref is None else tuple(ref.split())
    return Hypothesis(name, "rec", 0.0, 1.5, 0, tuple(hyp.split()), -1.0, tokens, **rest)


def decode_dir(root: Path, units: Units, **sets: list[Hypothesis]) -> Path:
    for name, hypotheses in sets.items():
        path = DecodeDir(root).hypotheses(name, "greedy_search")
        root.mkdir(exist_ok=True)
        write_hypotheses(path, hypotheses)
    decoded = Decoded(tuple(sets), "greedy_search", ("greedy_search",), units, "exp", "fingerprint")
    record(DecodeDir(root).decoded, dataclasses.asdict(decoded))
    return root


def tables(root: Path, *by: str) -> list[list[dict[str, Any]]]:
    found = [record for record in score([root], by=by) if isinstance(record, Table)]
    return [[dict(zip(table.columns, row, strict=True)) for row in table.rows] for table in found]


def test_reports_are_icefalls_byte_for_byte(tmp_path: Path) -> None:
    utterances = json.loads((GOLDEN / "input.json").read_text(encoding="utf-8"))
    heard = [hypothesis(u["id"], " ".join(u["ref"]), " ".join(u["hyp"])) for u in utterances]
    root = decode_dir(tmp_path / "decode", "phones", test=heard)
    notes = [record.text for record in score([root]) if isinstance(record, Note)]
    for name in ("errs-test-greedy_search.txt", "wer-summary-test-greedy_search.txt"):
        assert (root / name).read_bytes() == (GOLDEN / name).read_bytes()
    assert notes == [f"{root} test: %PER 24.44 [ 99 / 405, 16 ins, 35 del, 48 sub ]"]


def test_phones_give_a_per_by_language_and_speaker(tmp_path: Path) -> None:
    heard = [
        hypothesis("a", "x ʎ", "x", language="es", speaker="ana"),
        hypothesis("b", "ø j d x", "ø j d x y", language="sv", speaker="bo"),
        hypothesis("c", "k l", "k l", language="es", speaker="cia"),
    ]
    root = decode_dir(tmp_path, "phones", test=heard)
    (whole,), by_language, by_speaker = tables(root, "language", "speaker")
    assert whole["PER %"] == 25.0
    assert {"CER %", "WER %"}.isdisjoint(whole)
    assert [whole[name] for name in ("ins", "del", "sub", "ref", "utterances", "hours")] == [
        1,
        1,
        0,
        8,
        3,
        4.5 / 3600,
    ]
    assert [(row["language"], row["PER %"]) for row in by_language] == [("es", 25.0), ("sv", 25.0)]
    assert [(row["speaker"], row["PER %"]) for row in by_speaker] == [
        ("ana", 50.0),
        ("bo", 25.0),
        ("cia", 0.0),
    ]


def test_letters_give_words_and_characters_with_spaces(tmp_path: Path) -> None:
    # "le chat" heard as "les chat": one word of two, one character of seven
    root = decode_dir(tmp_path, "letters", test=[hypothesis("a", "l e | c h a t", "l e s | c h a t")])
    ((row,),) = tables(root)
    assert (row["WER %"], row["CER %"]) == (50.0, pytest.approx(100 / 7))
    assert "(le->les) chat" in DecodeDir(root).errs("test", "greedy_search").read_text(encoding="utf-8")


def test_pieces_are_scored_as_words(tmp_path: Path) -> None:
    root = decode_dir(tmp_path, "bpe", test=[hypothesis("a", "▁wa ter ▁fall", "▁w a ter ▁fell")])
    ((row,),) = tables(root)
    assert (row["WER %"], row["CER %"]) == (50.0, 10.0)


def test_score_json_holds_totals_and_groups(tmp_path: Path) -> None:
    heard = [
        hypothesis("a", "x y", "x", language="es", domain="read"),
        hypothesis("b", "", "z", speaker="bo"),
    ]
    root = decode_dir(tmp_path, "phones", test=heard)
    list(score([root]))
    found = json.loads(DecodeDir(root).score.read_text(encoding="utf-8"))["test_sets"]["test"]["PER"]
    assert found["total"] == {
        "fraction": 1.0,
        "errors": 2,
        "insertions": 1,
        "deletions": 1,
        "substitutions": 0,
        "reference": 2,
        "utterances": 2,
        "seconds": 3.0,
    }
    assert found["by"]["language"]["es"]["fraction"] == 0.5
    assert found["by"]["speaker"]["bo"]["fraction"] is None
    assert list(found["by"]["domain"]) == ["read", "unknown"]


def test_utterances_without_reference_are_left_out(tmp_path: Path) -> None:
    root = decode_dir(
        tmp_path,
        "phones",
        a=[hypothesis("a", "x", "x"), hypothesis("b", None, "y")],
        b=[hypothesis("c", None, "y")],
    )
    records = list(score([root]))
    assert f"{root} b: no reference transcripts, not scored" in [
        r.text for r in records if isinstance(r, Note)
    ]
    ((row,),) = [r.rows for r in records if isinstance(r, Table)]
    assert row[1] == "a"


def test_nothing_to_score_is_an_error(tmp_path: Path) -> None:
    root = decode_dir(tmp_path, "phones", a=[hypothesis("b", None, "y")])
    with pytest.raises(ValueError, match=r"nothing to score in .*: no cut has a transcript"):
        list(score([root]))


def test_an_unknown_group_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot score by accent; known: language, speaker, domain"):
        list(score([tmp_path], by=["accent"]))


def test_several_directories_share_a_table(tmp_path: Path) -> None:
    phones = decode_dir(tmp_path / "a", "phones", test=[hypothesis("a", "x y", "x")])
    letters = decode_dir(tmp_path / "b", "letters", test=[hypothesis("a", "x y", "x")])
    (table,) = [record for record in score([phones, letters]) if isinstance(record, Table)]
    assert table.columns[4:7] == ("PER %", "CER %", "WER %")
    assert [row[4:7] for row in table.rows] == [(50.0, None, None), (None, 50.0, 100.0)]
