import json
from collections.abc import Callable
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path

import pytest

from unispeech_cli.decoder.hypotheses import Decoded, Hypothesis, write_hypotheses
from unispeech_cli.paths import DecodeDir
from unispeech_cli.provenance import record
from unispeech_cli.records import Note
from unispeech_cli.scorer.normalization import TextSettings
from unispeech_cli.scorer.report import ReportSettings
from unispeech_cli.stages.report import report
from unispeech_cli.stages.score import ScoreSettings, score

SAID = ["the first of all", "a well-known word", "uh yes"]


@pytest.fixture
def manifest(tones: Callable[..., Path], tmp_path: Path) -> Path:
    return tones(tmp_path / "t_cuts_test.jsonl.gz", ["a e i o", "o a e", "i a"])


def decoded(root: Path, **settings: list[str]) -> Path:
    """A decode directory of words, a result per setting."""
    root.mkdir()
    for setting, texts in settings.items():
        heard = [
            Hypothesis(
                *(f"t_cuts_test-{n}", f"t_cuts_test-{n}", 0.0, 0.1 + n, 0, (), 0.0),
                words=tuple(text.split()),
                ref_words=tuple(SAID[n].split()),
                speaker=f"speaker {n}",
                word_times=tuple((0.1 * place, 0.1) for place in range(len(text.split()))),
            )
            for n, text in enumerate(texts)
        ]
        write_hypotheses(DecodeDir(root).hypotheses("t-test", setting), heard)
    made = Decoded(("t-test",), "hlg", tuple(settings), "letters", "exp", "fingerprint")
    record(DecodeDir(root).decoded, asdict(made))
    return root


def run(out: Path, *roots: Path, cuts: list[Path], **settings: float) -> list[str]:
    records = report(roots, out, cuts=cuts, settings=ReportSettings(**settings))  # type: ignore[arg-type]
    return [found.text for found in records if isinstance(found, Note)]


class Text(HTMLParser):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text, self.times = "", list[str | None]()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.times += [value for key, value in attrs if key == "data-at"]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_systems_stand_side_by_side_in_their_best_settings(manifest: Path, tmp_path: Path) -> None:
    right, wrong = ["the first of all", "a well-known word", "yes"], ["first", "a word", "yes no"]
    a = decoded(tmp_path / "a", lm_scale_1=wrong, lm_scale_2=right)
    b = decoded(tmp_path / "b", greedy=wrong)
    list(score([a, b]))
    notes = run(tmp_path / "r.html", a, b, cuts=[manifest])
    page = Text(tmp_path / "r.html").text
    assert "2 systems on 1 test set: 3 utterances" in page
    assert "lm_scale_2 best" in page and "lm_scale_1 best" not in page and "greedy best" not in page
    assert "a 0 %: no errors in 4" in page and "b 75 %: 3 del in 4" in page
    assert notes[-1].endswith("MB, audio of 3 of 3 utterances")


def test_the_same_again_does_nothing_and_other_settings_say_so(manifest: Path, tmp_path: Path) -> None:
    root, out = decoded(tmp_path / "a", greedy=["the", "a", "yes"]), tmp_path / "r.html"
    list(score([root]))
    run(out, root, cuts=[manifest])
    before = out.read_bytes()
    assert run(out, root, cuts=[manifest]) == [f"{out} is a report on these inputs; nothing to do"]
    assert out.read_bytes() == before
    assert f"{out} is made anew: options worst: 20 -> 1" in run(out, root, cuts=[manifest], worst=1)


def test_alignments_are_those_that_were_scored(manifest: Path, tmp_path: Path) -> None:
    root, out = (
        decoded(tmp_path / "a", greedy=["THE first of all", "a well known word", "yes"]),
        tmp_path / "r.html",
    )
    text = TextSettings(case="lower", hyphens="part", optional=("uh",))
    list(score([root], settings=ScoreSettings(text=text)))
    run(out, root, cuts=[manifest])
    assert "No utterance has an error." in Text(out).text
    list(score([root], settings=ScoreSettings()))
    run(out, root, cuts=[manifest])
    page = Text(out).text
    assert [
        found in page for found in ("25 %: 1 sub in 4", "67 %: 1 sub, 1 ins in 3", "50 %: 1 del in 2")
    ] == [True] * 3


def test_words_written_anew_have_no_times(manifest: Path, tmp_path: Path) -> None:
    root, out = decoded(tmp_path / "a", greedy=["first", "well-known words", "no"]), tmp_path / "r.html"
    list(score([root]))
    run(out, root, cuts=[manifest])
    assert sorted(Text(out).times) == ["0.000", "0.000", "0.000", "0.100"]
    found = json.loads(DecodeDir(root).score.read_text(encoding="utf-8"))
    found["text"]["hyphens"] = "part"
    DecodeDir(root).score.write_text(json.dumps(found), encoding="utf-8")
    run(out, root, cuts=[manifest])
    assert Text(out).times == ["0.000", "0.000"]


def test_audio_that_cannot_be_read_costs_a_line(manifest: Path, tmp_path: Path) -> None:
    root = decoded(tmp_path / "a", greedy=["the", "a", "yes"])
    list(score([root]))
    (tmp_path / "t_cuts_test-1.wav").write_bytes(b"no audio")
    notes = run(tmp_path / "r.html", root, cuts=[manifest])
    (warning,) = [note for note in notes if note.startswith("warning: ")]
    assert "t_cuts_test-1" in warning
    assert notes[-1].endswith("audio of 2 of 3 utterances")


def test_what_is_not_a_report_is_left_alone(manifest: Path, tmp_path: Path) -> None:
    root, out = decoded(tmp_path / "a", greedy=["the", "a", "yes"]), tmp_path / "r.html"
    list(score([root]))
    out.write_text("<html>mine</html>")
    with pytest.raises(ValueError, match="exists and is not a report; choose another --out"):
        run(out, root, cuts=[manifest])
    assert out.read_text() == "<html>mine</html>"


def test_what_was_not_scored_is_said(tmp_path: Path) -> None:
    root = decoded(tmp_path / "a", greedy=["the", "a", "yes"])
    with pytest.raises(FileNotFoundError, match=r"is not scored \(no score.json\); run `unispeech score"):
        run(tmp_path / "r.html", root, cuts=[])
    DecodeDir(root).score.write_text("{}")
    with pytest.raises(ValueError, match=r"is not as `unispeech score` writes it"):
        run(tmp_path / "r.html", root, cuts=[])


def test_a_global_map_that_has_changed_is_said(tmp_path: Path) -> None:
    root, glm = decoded(tmp_path / "a", greedy=["the", "a", "yes"]), tmp_path / "en.glm"
    glm.write_text("[uh] => [] / [ ] __ [ ]\n")
    list(score([root], glm=glm))
    run(tmp_path / "r.html", root, cuts=[])
    glm.write_text("")
    with pytest.raises(ValueError, match="which has gone or changed; score it again"):
        run(tmp_path / "s.html", root, cuts=[])


@pytest.mark.panphon
def test_phones_have_their_classes(tmp_path: Path) -> None:
    root, said = tmp_path / "a", ("a", "e", "t", "s")
    root.mkdir()
    heard = Hypothesis("x", "x", 0.0, 1.0, 0, ("e", "e", "d"), 0.0, said)
    write_hypotheses(DecodeDir(root).hypotheses("t", "greedy"), [heard])
    record(DecodeDir(root).decoded, asdict(Decoded(("t",), "greedy", ("greedy",), "phones", "exp", "print")))
    list(score([root]))
    run(tmp_path / "r.html", root, cuts=[])
    page = Text(tmp_path / "r.html").text
    assert "Classes of phones" in page and "vowel" in page and "fricative" in page
    assert "The 5 phones with most errors" in page
    assert "No audio: its cut is in no manifest that was found; give that by --cuts." in page
