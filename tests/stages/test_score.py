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
from unispeech_cli.scorer.normalization import NOT_SCORED, TextSettings
from unispeech_cli.stages.score import ScoreSettings, score

GOLDEN = Path(__file__).parent.parent / "golden" / "icefall"


def phones(name: str, ref: str | None, hyp: str, *, seconds: float = 1.5, **rest: Any) -> Hypothesis:
    tokens = None if ref is None else tuple(ref.split())
    return Hypothesis(name, "rec", 0.0, seconds, 0, tuple(hyp.split()), -1.0, tokens, **rest)


def words(name: str, ref: str | None, hyp: str, **rest: Any) -> Hypothesis:
    said = None if ref is None else tuple(ref.split())
    return phones(name, None, "", ref_words=said, words=tuple(hyp.split()), **rest)


def sweep(
    root: Path, units: Units, settings: dict[str, list[Hypothesis]], method: str = "lattice-rescoring"
) -> Path:
    """One test set, decoded in several settings."""
    root.mkdir(exist_ok=True)
    for setting, hypotheses in settings.items():
        write_hypotheses(DecodeDir(root).hypotheses("test", setting), hypotheses)
    decoded = Decoded(("test",), method, tuple(settings), units, "exp", "fingerprint")
    record(DecodeDir(root).decoded, dataclasses.asdict(decoded))
    return root


def decode_dir(root: Path, units: Units, **sets: list[Hypothesis]) -> Path:
    for name, hypotheses in sets.items():
        path = DecodeDir(root).hypotheses(name, "greedy_search")
        root.mkdir(exist_ok=True)
        write_hypotheses(path, hypotheses)
    decoded = Decoded(tuple(sets), "greedy_search", ("greedy_search",), units, "exp", "fingerprint")
    record(DecodeDir(root).decoded, dataclasses.asdict(decoded))
    return root


def tables(root: Path, *by: str, **options: Any) -> list[list[dict[str, Any]]]:
    found = [record for record in score([root], by=by, **options) if isinstance(record, Table)]
    return [[dict(zip(table.columns, row, strict=True)) for row in table.rows] for table in found]


def test_reports_are_icefalls_byte_for_byte(tmp_path: Path) -> None:
    utterances = json.loads((GOLDEN / "input.json").read_text(encoding="utf-8"))
    heard = [phones(u["id"], " ".join(u["ref"]), " ".join(u["hyp"])) for u in utterances]
    root = decode_dir(tmp_path / "decode", "phones", test=heard)
    notes = [record.text for record in score([root]) if isinstance(record, Note)]
    for name in ("errs-test-greedy_search.txt", "wer-summary-test-greedy_search.txt"):
        assert (root / name).read_bytes() == (GOLDEN / name).read_bytes()
    assert notes == [f"{root} test: %PER 24.44 [ 99 / 405, 16 ins, 35 del, 48 sub ]"]


def test_phones_give_a_per_by_language_and_speaker(tmp_path: Path) -> None:
    heard = [
        phones("a", "x ʎ", "x", language="es", speaker="ana"),
        phones("b", "ø j d x", "ø j d x y", language="sv", speaker="bo"),
        phones("c", "k l", "k l", language="es", speaker="cia"),
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
    root = decode_dir(tmp_path, "letters", test=[words("a", "le chat", "les chat")])
    ((row,),) = tables(root)
    assert (row["WER %"], row["CER %"]) == (50.0, pytest.approx(100 / 7))
    assert "(le->les) chat" in DecodeDir(root).errs("test", "greedy_search").read_text(encoding="utf-8")


def test_phones_with_words_are_scored_as_words_first(tmp_path: Path) -> None:
    heard = dataclasses.replace(
        phones("a", "l ə ʃ a", "l ə ʃ"), words=("le", "chats"), ref_words=("le", "chat")
    )
    root = decode_dir(tmp_path, "phones", test=[heard])
    ((row,),) = tables(root)
    assert (row["WER %"], row["CER %"], row["PER %"]) == (50.0, pytest.approx(100 / 7), 25.0)
    assert "le (chat->chats)" in DecodeDir(root).errs("test", "greedy_search").read_text(encoding="utf-8")


def test_score_json_holds_totals_and_groups(tmp_path: Path) -> None:
    heard = [
        phones("a", "x y", "x", language="es", domain="read"),
        phones("b", "", "z", speaker="bo"),
    ]
    root = decode_dir(tmp_path, "phones", test=heard)
    list(score([root]))
    found = json.loads(DecodeDir(root).score.read_text(encoding="utf-8"))
    assert (found["units"], found["method"], found["best"]) == ("phones", "greedy_search", "greedy_search")
    (result,) = found["results"]
    assert (result["test_set"], result["setting"]) == ("test", "greedy_search")
    per = result["measures"]["PER"]
    assert per["total"] == {
        "fraction": 1.0,
        "errors": 2,
        "insertions": 1,
        "deletions": 1,
        "substitutions": 0,
        "reference": 2,
        "utterances": 2,
        "seconds": 3.0,
        "interval": {"low": 0.5, "high": 1.0, "over": "utterances", "size": 2},
    }
    assert per["by"]["language"]["es"]["fraction"] == 0.5
    assert per["by"]["speaker"]["bo"]["fraction"] is None
    assert list(per["by"]["domain"]) == ["read", "unknown"]


def test_a_sweep_is_summarised_best_first_and_its_best_named(tmp_path: Path) -> None:
    right, wrong, worse = (words("a", "a b c d", hyp) for hyp in ("a b c d", "a b c", "x"))
    root = sweep(
        tmp_path / "d", "letters", {"lm_scale_0.2": [wrong], "lm_scale_0.4": [right], "lm_scale_0.6": [worse]}
    )
    notes = [record.text for record in score([root]) if isinstance(record, Note)]
    summary = DecodeDir(root).summary("test", "lattice-rescoring").read_text()
    assert summary == "settings\tWER\nlm_scale_0.4\t0.0\nlm_scale_0.2\t25.0\nlm_scale_0.6\t100.0\n"
    assert notes[-2] == f"{root}: best is lm_scale_0.4"
    assert json.loads(DecodeDir(root).score.read_text())["best"] == "lm_scale_0.4"
    for setting in ("lm_scale_0.2", "lm_scale_0.4", "lm_scale_0.6"):
        assert DecodeDir(root).errs("test", setting).is_file()


def test_the_best_setting_is_that_over_all_test_sets(tmp_path: Path) -> None:
    root = tmp_path / "d"
    root.mkdir()
    # one word in ten wrong, then five in ten; the other way about on a set of two words
    heard = {("long", "x"): 1, ("long", "y"): 5, ("short", "x"): 2, ("short", "y"): 0}
    for (test_set, setting), errors in heard.items():
        said = ["w"] * (10 if test_set == "long" else 2)
        hyp = " ".join(["v"] * errors + said[errors:])
        path = DecodeDir(root).hypotheses(test_set, setting)
        write_hypotheses(path, [words("a", " ".join(said), hyp)])
    decoded = Decoded(("long", "short"), "nbest-rescoring", ("y", "x"), "letters", "exp", "fingerprint")
    record(DecodeDir(root).decoded, dataclasses.asdict(decoded))
    list(score([root]))
    assert json.loads(DecodeDir(root).score.read_text())["best"] == "x"


def test_groups_by_length_are_in_order_of_length(tmp_path: Path) -> None:
    heard = [phones(str(seconds), "x", "x", seconds=seconds) for seconds in (30.0, 12.0, 2.0, 1.99)]
    _, rows = tables(decode_dir(tmp_path, "phones", test=heard), "length")
    assert [row["length"] for row in rows] == ["0-2 s", "2-4 s", "10-15 s", "20- s"]


def test_the_interval_and_what_was_drawn_for_it_are_shown(tmp_path: Path) -> None:
    heard = [phones(str(n), "x y", "x y" if n % 2 else "x z", speaker=f"speaker {n // 2}") for n in range(12)]
    ((row,),) = tables(decode_dir(tmp_path, "phones", test=heard))
    # every speaker has one error in four phones
    assert (row["PER %"], row["95 %"], row["drawn"]) == (25.0, "25.00-25.00", "6 speakers")


def test_utterances_without_reference_are_left_out(tmp_path: Path) -> None:
    root = decode_dir(
        tmp_path,
        "phones",
        a=[phones("a", "x", "x"), phones("b", None, "y")],
        b=[phones("c", None, "y")],
    )
    records = list(score([root]))
    assert f"{root} b: no reference transcripts, not scored" in [
        r.text for r in records if isinstance(r, Note)
    ]
    ((row,),) = [r.rows for r in records if isinstance(r, Table)]
    assert row[1] == "a"


def test_how_words_were_written_is_noted_and_kept(tmp_path: Path) -> None:
    glm = tmp_path / "en.glm"
    glm.write_text("[GONNA] => [GOING TO] / [ ] __ [ ]\n")
    said = words("a", "i am going to", "i'm gonna", ref_text="I am (uh) going to", language="en")
    root = decode_dir(tmp_path / "d", "letters", test=[said, words("b", "x", "y", ref_text=NOT_SCORED)])
    settings = ScoreSettings(text=TextSettings(reference="text"))
    records = list(score([root], glm=glm, sclite=True, settings=settings))
    notes = [record.text for record in records if isinstance(record, Note)]
    assert notes[1] == f"{root} test: 1 utterances are marked {NOT_SCORED} and left out"
    assert notes[-1].endswith(
        f"reference text, case keep, hyphens keep, apostrophes keep, punctuation keep, "
        f"optional none, glm {glm}"
    )
    found = json.loads(DecodeDir(root).score.read_text(encoding="utf-8"))
    assert (found["alignment"], found["text"]["reference"], found["left_out"]) == (
        "sclite",
        "text",
        {"test": 1},
    )
    assert found["glm"]["file"] == str(glm) and len(found["glm"]["sha256"]) == 64
    total = found["results"][0]["measures"]["WER"]["total"]
    assert (total["errors"], total["reference"]) == (2, 5)


@pytest.mark.panphon
def test_phones_are_scored_by_class(tmp_path: Path) -> None:
    root = decode_dir(
        tmp_path / "d", "phones", test=[phones("a", "p a s t[", "b a i t["), phones("b", "m a", "a")]
    )
    _, classes, confused = tables(root, "class")
    weighted = {row["class"]: (row["PER %"], row["sub within"], row["ref"]) for row in classes}
    assert weighted == {
        "vowel": (0, 0, 2), "plosive": (100, 1, 1), "fricative": (100, 0, 1), "nasal": (100, 0, 1),
        "other": (0, 0, 1), "all": (50, 1, 6),
    }  # fmt: skip
    assert classes[-1]["weighted PER %"] < 50
    assert {row["class"]: row["vowel"] for row in confused} == {
        "vowel": 2, "plosive": 0, "fricative": 1, "nasal": 0, "other": 0,
    }  # fmt: skip
    (result,) = json.loads(DecodeDir(root).score.read_text(encoding="utf-8"))["results"]
    assert result["phones"]["others"] == ["t["]
    assert 100 * result["phones"]["weighted_per"] == pytest.approx(classes[-1]["weighted PER %"])


@pytest.mark.panphon
def test_words_have_no_classes_of_phones(tmp_path: Path) -> None:
    root = decode_dir(tmp_path / "d", "letters", test=[words("a", "le chat", "les chat")])
    with pytest.raises(ValueError, match="by class: nothing here was decoded into phones"):
        list(score([root], by=["class"]))


def test_nothing_to_score_is_an_error(tmp_path: Path) -> None:
    root = decode_dir(tmp_path, "phones", a=[phones("b", None, "y")])
    with pytest.raises(ValueError, match=r"nothing to score in .*: no cut has a transcript"):
        list(score([root]))


def test_an_unknown_group_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match="cannot score by accent; known: language, speaker, domain, length, class"
    ):
        list(score([tmp_path], by=["accent"]))


def test_several_directories_share_a_table(tmp_path: Path) -> None:
    sounds = decode_dir(tmp_path / "a", "phones", test=[phones("a", "x y", "x")])
    letters = decode_dir(tmp_path / "b", "letters", test=[words("a", "xy", "x")])
    (table,) = [record for record in score([sounds, letters]) if isinstance(record, Table)]
    assert table.columns[4:9] == ("PER %", "CER %", "WER %", "95 %", "drawn")
    assert [row[4:7] for row in table.rows] == [(50.0, None, None), (None, 50.0, 100.0)]
