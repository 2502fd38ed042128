import dataclasses
from pathlib import Path
from typing import Any

import pytest

from unispeech_cli.decoder.hypotheses import Decoded, Hypothesis, write_hypotheses
from unispeech_cli.paths import DecodeDir
from unispeech_cli.provenance import record
from unispeech_cli.records import Note, Table
from unispeech_cli.scorer.bootstrap import BootstrapSettings
from unispeech_cli.stages.compare import CompareSettings, compare
from unispeech_cli.stages.score import score

REFERENCES = {f"utt{number:02d}": "a b c d e f g h" for number in range(20)}


def decoded(
    root: Path, heard: dict[str, dict[str, str]], refs: dict[str, str] = REFERENCES, test_set: str = "test"
) -> Path:
    """A decode directory of letters; by setting, what was heard by utterance."""
    root.mkdir()
    for setting, texts in heard.items():
        hypotheses = [
            Hypothesis(
                name,
                "rec",
                0.0,
                2.0,
                0,
                (),
                0.0,
                words=tuple(text.split()),
                ref_words=tuple(refs[name].split()),
            )
            for name, text in texts.items()
        ]
        write_hypotheses(DecodeDir(root).hypotheses(test_set, setting), hypotheses)
    made = Decoded((test_set,), "hlg", tuple(heard), "letters", "exp", "fingerprint")
    record(DecodeDir(root).decoded, dataclasses.asdict(made))
    return root


def compared(
    first: object, second: object, **settings: Any
) -> tuple[list[str], list[dict[str, Any]], list[Any]]:
    records = list(compare(str(first), str(second), settings=CompareSettings(**settings)))
    differences, changed = (
        [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        for table in records
        if isinstance(table, Table)
    )
    return [note.text for note in records if isinstance(note, Note)], differences, changed


def test_two_systems_differ_in_words_and_characters(tmp_path: Path) -> None:
    first = dict.fromkeys(REFERENCES, "a x c d e f g h")
    second = first | dict.fromkeys(list(REFERENCES)[:12], "a b c d e f g h") | {"utt19": "a x c y y f g h"}
    a, b = decoded(tmp_path / "a", {"hlg": first}), decoded(tmp_path / "b", {"hlg": second})
    _, (words, characters), changed = compared(a, b, changed=3)
    assert (words["measure"], characters["measure"]) == ("WER", "CER")
    assert (words["A %"], words["B %"]) == (12.5, 100 * 10 / 160)
    assert words["B - A"] == pytest.approx(-100 * 10 / 160)
    assert words["relative %"] == pytest.approx(-50)
    assert [words[name] for name in ("better", "as good", "worse")] == [12, 7, 1]
    assert words["drawn"] == "20 utterances"
    assert 0 < words["p"] < 0.05 and 0 < words["p (z)"] < 0.05
    assert words["z"] < 0
    assert [(row["utterance"], row["A errors"], row["B errors"]) for row in changed] == [
        ("utt19", 1, 3),
        ("utt00", 1, 0),
        ("utt01", 1, 0),
    ]
    assert (changed[0]["reference"], changed[0]["B"]) == ("a b c d e f g h", "a x c y y f g h")


def test_a_result_is_as_good_as_itself(tmp_path: Path) -> None:
    a = decoded(tmp_path / "a", {"hlg": dict.fromkeys(REFERENCES, "a b x")})
    _, (words, _), changed = compared(a, a)
    assert (words["B - A"], words["p"], words["p (z)"], changed) == (0, 1, 1, [])


def test_settings_of_one_directory_are_compared_by_name(tmp_path: Path) -> None:
    right, wrong = (dict.fromkeys(REFERENCES, text) for text in ("a b c d e f g h", "a b"))
    root = decoded(tmp_path / "a", {"lm_scale_0.2": wrong, "lm_scale_0.4": right})
    notes, (words, _), _ = compared(f"{root}:lm_scale_0.4", f"{root}:lm_scale_0.2")
    assert (words["A %"], words["B %"]) == (0, 75)
    assert notes[0] == f"A is {root} lm_scale_0.4; B is {root} lm_scale_0.2; a difference below 0 is for B"
    with pytest.raises(ValueError, match=r"has no setting lm_scale_9; it has lm_scale_0\.2, lm_scale_0\.4"):
        list(compare(f"{root}:lm_scale_9", str(root)))
    with pytest.raises(FileNotFoundError, match=r"a is not scored \(no score\.json\); run `unispeech score"):
        list(compare(str(root), str(root)))
    list(score([root]))
    assert compared(root, root)[1][0]["A %"] == 0


def test_what_is_not_in_both_is_named_and_left_out(tmp_path: Path) -> None:
    heard = dict.fromkeys(REFERENCES, "a b c d e f g h")
    a = decoded(tmp_path / "a", {"hlg": {name: heard[name] for name in list(heard)[1:]}})
    refs = REFERENCES | {"utt18": "a b"}
    b = decoded(tmp_path / "b", {"hlg": {name: heard[name] for name in list(heard)[:-1]}}, refs)
    notes, (words, _), _ = compared(a, b)
    assert notes[2:] == [
        "warning: test: left out, only in A: 1 utterances: utt19",
        "warning: test: left out, only in B: 1 utterances: utt00",
        "warning: test: left out, with other references in B: 1 utterances: utt18",
    ]
    assert words["as good"] == 17


def test_nothing_in_common_is_an_error(tmp_path: Path) -> None:
    a = decoded(tmp_path / "a", {"hlg": {"utt00": "a"}})
    b = decoded(tmp_path / "b", {"hlg": {"utt01": "a"}})
    with pytest.raises(ValueError, match="nothing in common that could be compared"):
        list(compare(str(a), str(b)))
    c = decoded(tmp_path / "c", {"hlg": {"utt00": "a"}}, test_set="other")
    with pytest.raises(ValueError, match="A has test sets test, B has other: none in common"):
        list(compare(str(a), str(c)))


def test_the_interval_narrows_when_systems_err_alike(tmp_path: Path) -> None:
    # utterances differ much, the systems in each of them by one word
    texts = {name: " ".join("abcdefgh"[: 1 + index % 7]) for index, name in enumerate(REFERENCES)}
    longer = {name: f"{text} {'abcdefgh'[len(text.split())]}" for name, text in texts.items()}
    a, b = decoded(tmp_path / "a", {"hlg": texts}), decoded(tmp_path / "b", {"hlg": longer})
    _, (words, _), _ = compared(a, b, bootstrap=BootstrapSettings(replications=200))
    assert words["95 %"] == "-12.50 to -12.50"
    assert words["p"] == pytest.approx(2 / 201)
