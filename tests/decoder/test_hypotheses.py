import json
from pathlib import Path

import pytest
from lhotse import SupervisionSet

from unispeech_cli.decoder.hypotheses import (
    Decoded,
    Hypothesis,
    read_decoded,
    read_hypotheses,
    recogs,
    text_of,
    write_hypotheses,
)
from unispeech_cli.paths import DecodeDir

GOLDEN = Path(__file__).parent.parent / "golden" / "icefall"
HEARD = Hypothesis(
    "utt1", "rec1", 0.5, 1.25, 0, ("x", "ʎ", "*"), -3.5, ("x", "ʎ"), "es", "ana", "read",
    words=("xʎ", "*"), ref_words=("xʎ",), ref_text="Xʎ!",
    times=((0.0, 0.04), (0.1, 0.02), (0.3, 0.02)), word_times=((0.0, 0.12), (0.3, 0.02)),
)  # fmt: skip
UNLABELLED = Hypothesis("utt0", "rec0", 0.0, 2.0, 1, (), -0.25)


def test_recogs_are_icefalls_byte_for_byte() -> None:
    utterances = json.loads((GOLDEN / "input.json").read_text(encoding="utf-8"))
    shuffled = [(u["id"], u["ref"], tuple(u["hyp"])) for u in reversed(utterances)]
    assert recogs(shuffled).encode() == (GOLDEN / "recogs-test-greedy_search.txt").read_bytes()


def test_recogs_without_reference_hold_the_hypothesis_alone() -> None:
    assert recogs([("a", None, ["x"])]) == "a:\thyp=['x']\n"


@pytest.mark.parametrize(
    ("units", "tokens", "text"),
    [
        ("phones", ["d", "ʒ", "eː"], "d ʒ eː"),
        ("letters", ["l", "'", "e", "a", "u", "|", "d", "e"], "l'eau de"),
        ("letters", ["|", "|", "a", "|"], "a"),
        ("bpe", ["▁the", "▁wa", "ter"], "the water"),
        ("bpe", ["ter", "▁", "a"], "ter a"),
    ],
)
def test_text_follows_the_rule_of_the_units(units: str, tokens: list[str], text: str) -> None:
    assert text_of(tokens, units) == text  # type: ignore[arg-type]


def test_hypotheses_are_read_as_written_in_order_of_id(tmp_path: Path) -> None:
    path = tmp_path / "test_supervisions_greedy.jsonl.gz"
    write_hypotheses(path, [HEARD, UNLABELLED])
    assert read_hypotheses(path) == [UNLABELLED, HEARD]


def test_the_manifest_is_lhotses(tmp_path: Path) -> None:
    path = tmp_path / "test_supervisions_greedy.jsonl.gz"
    write_hypotheses(path, [HEARD])
    (segment,) = SupervisionSet.from_file(path)
    assert (segment.text, segment.speaker, segment.end) == ("xʎ *", "ana", 1.75)


def test_another_kind_of_manifest_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"id": "a", "recording_id": "r", "start": 0.0, "duration": 1.0, "channel": 0}\n')
    with pytest.raises(ValueError, match=r"x\.jsonl does not hold hypotheses"):
        read_hypotheses(path)


def test_a_directory_that_decode_did_not_finish_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"not a decode directory \(no decode\.json\)"):
        read_decoded(tmp_path)


def test_decoded_is_read_and_damage_named(tmp_path: Path) -> None:
    found = {
        "test_sets": ["t"],
        "method": "greedy",
        "settings": ["greedy"],
        "units": "phones",
        "checkpoint": "exp",
        "tokens": "ab",
        "more": 1,
    }
    DecodeDir(tmp_path).decoded.write_text(json.dumps(found))
    assert read_decoded(tmp_path) == Decoded(("t",), "greedy", ("greedy",), "phones", "exp", "ab")
    DecodeDir(tmp_path).decoded.write_text(json.dumps({**found, "units": "syllables"}))
    with pytest.raises(ValueError, match="units 'syllables', expected one of phones"):
        read_decoded(tmp_path)
