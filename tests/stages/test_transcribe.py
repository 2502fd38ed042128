import dataclasses
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import yaml

from unispeech_cli.decoder.methods import Method
from unispeech_cli.decoder.search import greedy
from unispeech_cli.decoder.segments import SegmentSettings
from unispeech_cli.decoder.transcriber import TranscribeSettings
from unispeech_cli.lang.lexicon import write_lexicon, write_words
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.model.chunks import ChunkSettings
from unispeech_cli.model.encoder import EncoderSettings
from unispeech_cli.model.frontend import FrontendSettings
from unispeech_cli.model.recognizer import Recognizer, RecognizerSettings
from unispeech_cli.paths import CheckpointDir, LangDir
from unispeech_cli.records import Note, Progress, Text
from unispeech_cli.stages.transcribe import transcribe
from unispeech_cli.trainer.checkpoint import Identity, Position, save

PHONES = TokenTable(("<blk>", "a", "b", "k", "ʎ"))
LETTERS = TokenTable(("<blk>", "a", "b", "k", "|"))
SIZE = RecognizerSettings(
    FrontendSettings(channels=8),
    EncoderSettings(layers=0, dim=16, heads=2, ffn_dim=16, position_kernel=4, position_groups=2),
)


def recognizer(root: Path, table: TokenTable) -> Path:
    """A recogniser with random weights that says a lot, and hears no further than some frames."""
    torch.manual_seed(5)
    model = Recognizer(SIZE, len(table))
    with torch.no_grad():
        model.head.weight.mul_(20)
    settings = yaml.safe_dump({"model": dataclasses.asdict(SIZE)})
    save(CheckpointDir(root / "best"), model, Position(3, 3), Identity(settings, table))
    return root


@pytest.fixture
def phones(tmp_path: Path) -> Path:
    return recognizer(tmp_path / "phones", PHONES)


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    return recognizer(tmp_path / "letters", LETTERS)


def noise(path: Path, seconds: float, rate: int = 16_000, channels: int = 1, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (int(seconds * rate), channels)
    soundfile.write(path, np.random.default_rng(shape[0]).normal(scale=0.1, size=shape), rate, **options)
    return path


def results(*arguments: Any, **options: Any) -> list[str]:
    return [one.text for one in transcribe(*arguments, **options) if isinstance(one, Text)]


def said(records: Any) -> tuple[list[str], list[str], str]:
    """Results, notes and the error at the end."""
    texts, notes = [], []
    try:
        for record in records:
            if isinstance(record, Text):
                texts.append(record.text)
            elif isinstance(record, Note):
                notes.append(record.text)
    except (ValueError, OSError) as error:
        return texts, notes, str(error)
    return texts, notes, ""


def test_the_text_of_a_recording_is_what_the_model_says_of_all_of_it(phones: Path, tmp_path: Path) -> None:
    from unispeech_cli.trainer.weights import load_recognizer

    path = noise(tmp_path / "talk.wav", 7.3)
    wave_S = torch.from_numpy(soundfile.read(path, dtype="float32")[0])
    model, table = load_recognizer(phones)
    with torch.no_grad():
        logit_BTV, lengths_B = model.recognize(wave_S[None], torch.tensor([len(wave_S)]))
    (best,) = greedy(logit_BTV.log_softmax(-1), lengths_B)
    expected = " ".join(table.decode(best.ids)) + "\n"
    assert len(expected) > 100
    # in chunks of a second and segments of less than two, too
    short = TranscribeSettings(ChunkSettings(1.0, 0.2), SegmentSettings(1.7))
    assert results([str(path)], phones) == results([str(path)], phones, settings=short) == [expected]
    (line,) = results([str(path)], phones, format="jsonl", settings=short)
    found = json.loads(line)
    assert [round(token["start"] / 0.02) for token in found["tokens"]] == list(best.frames)
    assert found["score"] == pytest.approx(best.score, rel=1e-3)
    assert (found["name"], found["seconds"], found["words"]) == ("talk", 7.3, None)


def test_letters_make_words(letters: Path, tmp_path: Path) -> None:
    path = str(noise(tmp_path / "talk.wav", 2.0))
    (line,) = results([path], letters, format="jsonl")
    found = json.loads(line)
    tokens = "".join(token["text"] for token in found["tokens"])
    words = tokens.replace("|", " ").split()
    assert [word["text"] for word in found["words"]] == words
    assert results([path], letters) == [" ".join(words) + "\n"]
    (ctm,) = results([path], letters, format="ctm")
    assert [row.split()[4] for row in ctm.splitlines()] == words


def test_prefix_beam_goes_segment_by_segment(phones: Path, tmp_path: Path) -> None:
    path = str(noise(tmp_path / "talk.wav", 3.0))
    short = TranscribeSettings(segment=SegmentSettings(1.0))
    (line,) = results([path], phones, format="jsonl", method=Method("prefix-beam"), settings=short)
    found, (greedily,) = json.loads(line), results([path], phones, format="jsonl")
    # over all paths of a text: at least that of greedy's one path
    assert found["score"] > json.loads(greedily)["score"]
    starts = [token["start"] for token in found["tokens"]]
    assert starts == sorted(starts) and 2 < starts[-1] < 3


@pytest.mark.k2
def test_words_of_a_graph_have_times(phones: Path, tmp_path: Path) -> None:
    lang = LangDir(tmp_path / "lang")
    PHONES.write(lang.tokens)
    lexicon = {
        "ab": [("a", "b")],
        "baka": [("b", "a", "k", "a"), ("b", "a")],
        "ka": [("k", "a")],
        "ya": [("ʎ",)],
    }
    write_lexicon(lang.lexicon, lexicon)
    write_words(lang.words, lexicon)
    path, method = str(noise(tmp_path / "talk.wav", 3.0)), Method("hlg", lang.root)
    short = TranscribeSettings(segment=SegmentSettings(1.0))
    (line,) = results([path], phones, format="jsonl", method=method, settings=short)
    found = json.loads(line)
    words, tokens = found["words"], found["tokens"]
    assert len({word["text"] for word in words}) > 1
    for word in words:
        inside = [t["text"] for t in tokens if 0 <= t["start"] - word["start"] < word["duration"] - 0.01]
        assert tuple(inside) in lexicon[word["text"]]
    assert words[-1]["start"] > 2
    assert results([path], phones, method=method, settings=short) == [
        " ".join(w["text"] for w in words) + "\n"
    ]


@pytest.mark.parametrize(
    ("rate", "channels", "subtype"), [(8_000, 1, "ULAW"), (44_100, 2, "PCM_24"), (48_000, 6, "FLOAT")]
)
def test_any_rate_and_width(phones: Path, tmp_path: Path, rate: int, channels: int, subtype: str) -> None:
    path = noise(tmp_path / "a.wav", 1.0, rate, channels, subtype=subtype)
    (line,) = results([str(path)], phones, format="jsonl")
    assert json.loads(line)["seconds"] == pytest.approx(1.0, abs=0.001)
    assert json.loads(line)["tokens"]


def test_silence_is_no_error_and_empty_text(phones: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(32_000), 16_000)
    soundfile.write(tmp_path / "click.wav", np.ones(100), 16_000)
    named = [str(tmp_path / "silence.wav"), str(tmp_path / "click.wav")]
    assert said(transcribe(named, phones)) == (["\n", "\n"], [], "")


def test_what_cannot_be_read_costs_a_line_each_and_the_others_are_done(phones: Path, tmp_path: Path) -> None:
    good = noise(tmp_path / "good.wav", 1.0)
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("no sound")
    os.truncate(noise(tmp_path / "cut.wav", 1.0), 8_000)
    named = [str(tmp_path / f"{name}.wav") for name in ("gone", "empty", "text", "cut", "good")]
    texts, notes, error = said(transcribe(named, phones))
    assert texts == results([str(good)], phones)
    assert [note.partition(": ")[0] for note in notes[1:]] == named[1:4]
    assert "gone.wav" in notes[0] and len(notes) == 4
    assert error == "4 of 5 recordings failed"
    assert all("\n" not in note for note in notes)


@pytest.mark.parametrize(
    ("name", "complaint"), [("gone.wav", "no audio file .*gone.wav"), ("empty.wav", "empty.wav: the file is")]
)
def test_one_that_cannot_be_read_is_the_error(
    phones: Path, tmp_path: Path, name: str, complaint: str
) -> None:
    (tmp_path / "empty.wav").touch()
    with pytest.raises(ValueError, match=complaint):
        list(transcribe([str(tmp_path / name)], phones))


def test_standard_input(phones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = noise(tmp_path / "a.flac", 1.0)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(path.read_bytes())))
    assert results(["-"], phones) == results([str(path)], phones)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"")))
    with pytest.raises(ValueError, match=r"^standard input: the file is empty$"):
        list(transcribe(["-"], phones))


def test_results_come_one_by_one(phones: Path, tmp_path: Path) -> None:
    first = noise(tmp_path / "first.wav", 1.0)
    going = transcribe([str(first), str(tmp_path / "second.wav")], phones)
    assert isinstance(next(record for record in going if isinstance(record, Text)), Text)
    # not looked at before the first is out
    noise(tmp_path / "second.wav", 1.0)
    left = list(going)
    assert [type(record) for record in left if not isinstance(record, Progress)] == [Text]
    assert left[-2] == Progress("transcribe", 2, 2)


def test_a_reader_who_has_gone_ends_it_without_a_word(phones: Path, tmp_path: Path) -> None:
    path = noise(tmp_path / "a.wav", 0.5)
    command = [
        sys.executable,
        "-m",
        "unispeech_cli",
        "transcribe",
        str(path),
        str(path),
        "--exp",
        str(phones),
    ]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_file_for_each_recording_of_a_directory(phones: Path, tmp_path: Path) -> None:
    talks, out = tmp_path / "talks", tmp_path / "out"
    for name in ("b.wav", "sub/a.flac"):
        noise(talks / name, 1.0)
    assert said(transcribe([str(talks)], phones, out=out)) == ([], [], "")
    assert [(out / name).read_text() for name in ("b.txt", "sub/a.txt")] == results([str(talks)], phones)
    list(transcribe([str(talks)], phones, out=out, format="textgrid"))
    assert (out / "sub" / "a.TextGrid").read_text().startswith('File type = "ooTextFile"')


def test_what_is_done_stays_and_what_changed_is_done_again(phones: Path, tmp_path: Path) -> None:
    talks, out = tmp_path / "talks", tmp_path / "out"
    for name in ("a.wav", "b.wav"):
        noise(talks / name, 0.5)
    list(transcribe([str(talks)], phones, out=out))
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.txt")}

    def changed() -> list[str]:
        return sorted(path.name for path, time in before.items() if path.stat().st_mtime_ns != time)

    _, notes, _ = said(transcribe([str(talks)], phones, out=out))
    assert notes == [f"{out}: 2 of 2 recordings are done; nothing to do"]
    assert changed() == []
    os.utime(talks / "a.wav")
    _, notes, _ = said(transcribe([str(talks)], phones, out=out))
    assert notes == [f"{out}: 1 of 2 recordings are done; 1 to do"]
    assert changed() == ["a.txt"]
    other = TranscribeSettings(segment=SegmentSettings(5.0))
    _, notes, _ = said(transcribe([str(talks)], phones, out=out, settings=other))
    assert len(notes) == 1 and "is made anew: options segment: " in notes[0]
    assert changed() == ["a.txt", "b.txt"]


@pytest.mark.parametrize("kind", ["letters", "phones"])
def test_a_given_transcript_is_aligned(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    exp, lang = request.getfixturevalue(kind), LangDir(tmp_path / "lang")
    table = PHONES if kind == "phones" else LETTERS
    table.write(lang.tokens)
    if kind == "phones":
        write_lexicon(lang.lexicon, {"ab": [("a", "b")], "baba": [("b", "a", "b", "a"), ("b", "a")]})
    path, text = noise(tmp_path / "talk.wav", 2.0), tmp_path / "talk.txt"
    text.write_text("Ab, baba!\n ab\n")
    method = Method(lang_dir=lang.root if kind == "phones" else None)
    options: dict[str, Any] = {"forced": text, "language": "es", "method": method}
    assert results([str(path)], exp, **options) == ["ab baba ab\n"]
    (line,) = results([str(path)], exp, format="jsonl", **options)
    found = json.loads(line)
    letters = "ab|baba|ab" if kind == "letters" else "abbabaab"
    assert [token["text"] for token in found["tokens"]] == list(letters)
    assert [word["text"] for word in found["words"]] == ["ab", "baba", "ab"]
    ends = [round(word["start"] + word["duration"], 2) for word in found["words"]]
    assert found["words"][0]["start"] == found["tokens"][0]["start"]
    assert all(end <= word["start"] for end, word in zip(ends, found["words"][1:], strict=False))
    assert found["score"] < 0
    # in a directory by name
    (tmp_path / "texts").mkdir()
    text.rename(tmp_path / "texts" / "talk.txt")
    options["forced"] = tmp_path / "texts"
    assert results([str(path)], exp, format="jsonl", **options) == [line]


def test_transcripts_that_cannot_be_aligned(letters: Path, tmp_path: Path) -> None:
    talk, text = str(noise(tmp_path / "talk.wav", 0.1)), tmp_path / "talk.txt"
    other = str(noise(tmp_path / "other.wav", 0.1))
    wrong: dict[str, Callable[[], object]] = {
        r"talk\.wav: the transcript needs 11 frames of 20 ms, the recording has 4": lambda: text.write_text(
            "aaaaaa"
        ),
        r"talk\.wav: the model has no units for 'xa'": lambda: text.write_text("xa"),
        r"talk\.txt is not UTF-8": lambda: text.write_bytes(b"\xff\xfe"),
        r"no transcript .*talk\.txt": text.unlink,
    }
    for complaint, make in wrong.items():
        make()
        with pytest.raises(ValueError, match=complaint):
            list(transcribe([talk], letters, forced=text))
    with pytest.raises(ValueError, match=r"2 recordings need a directory with a NAME\.txt"):
        list(transcribe([talk, other], letters, forced=text))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"format": "doc"}, "--format doc: known are text, phones, jsonl, ctm, srt, textgrid"),
        ({"method": Method(lang_dir=Path("lang"))}, r"tokens of the model .* and of lang .* differ: .*ʎ"),
        ({"format": "srt"}, "--format srt is a file for each of 2 recordings: add --out"),
        ({"device": "cuda:99"}, "device cuda:99 does not work here"),
        ({"out": Path("out")}, "would both become talk.txt"),
    ],
)
def test_what_cannot_be_done_is_said(
    phones: Path, tmp_path: Path, options: dict[str, Any], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    noise(tmp_path / "talk.wav", 0.1), noise(tmp_path / "talk.flac", 0.1)
    LETTERS.write(LangDir(Path("lang")).tokens)
    with pytest.raises(ValueError, match=complaint):
        list(transcribe(["talk.wav", "talk.flac"], phones, **options))
