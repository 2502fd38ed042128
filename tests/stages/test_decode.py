import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import yaml
from lhotse import MonoCut, Recording, SupervisionSegment

from unispeech_cli.decoder.hypotheses import Hypothesis, read_decoded, read_hypotheses
from unispeech_cli.decoder.methods import Method
from unispeech_cli.decoder.search import greedy
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.manifests import write_cuts
from unispeech_cli.model.encoder import EncoderSettings
from unispeech_cli.model.frontend import FrontendSettings
from unispeech_cli.model.recognizer import Recognizer, RecognizerSettings
from unispeech_cli.paths import CheckpointDir, DecodeDir, LangDir
from unispeech_cli.records import Note, Progress
from unispeech_cli.stages.decode import DecodeSettings, decode
from unispeech_cli.trainer.checkpoint import Identity, Position, save

TABLE = TokenTable(("<blk>", "a", "b", "k", "ʎ"))
SECONDS = {"long": 0.9, "middle": 0.6, "short": 0.25}
SIZE = RecognizerSettings(
    FrontendSettings(channels=8),
    EncoderSettings(layers=1, dim=16, heads=2, ffn_dim=16, position_kernel=4, position_groups=2),
)


@pytest.fixture
def exp(tmp_path: Path) -> Path:
    """A recogniser with random weights that says a lot."""
    torch.manual_seed(5)
    model = Recognizer(SIZE, len(TABLE))
    with torch.no_grad():
        model.head.weight.mul_(20)
    settings = yaml.safe_dump({"model": dataclasses.asdict(SIZE)})
    save(CheckpointDir(tmp_path / "exp" / "best"), model, Position(3, 3), Identity(settings, TABLE))
    return tmp_path / "exp"


@pytest.fixture
def cuts(tmp_path: Path) -> Path:
    return manifest(tmp_path / "cv-es_cuts_test.jsonl.gz", "phones", "k a ʎ")


def manifest(path: Path, kind: str | None, labels: str | None, names: Sequence[str] = tuple(SECONDS)) -> Path:
    """Noise of three lengths; with `labels` transcribed in units of a `kind`."""
    custom: dict[str, Any] = {} if kind is None else {"tokens_type": kind, kind: labels}
    write_cuts(
        path, [cut(path.parent / f"{name}.wav", SECONDS[name], custom if labels else None) for name in names]
    )
    return path


def cut(audio: Path, seconds: float, custom: dict[str, Any] | None) -> MonoCut:
    samples = int(seconds * 16_000)
    soundfile.write(audio, np.random.default_rng(samples).normal(scale=0.1, size=samples), 16_000)
    name = audio.stem
    spoken = SupervisionSegment(
        name, name, 0.0, seconds, text="x", language="es", speaker="ana", custom=custom
    )
    recording = Recording.from_file(audio, recording_id=name)
    return MonoCut(name, 0.0, seconds, 0, [] if custom is None else [spoken], recording=recording)


def notes(*arguments: Any, **options: Any) -> list[str]:
    return [record.text for record in decode(*arguments, **options) if isinstance(record, Note)]


def hypotheses(out: Path, test_set: str = "cv-es-test", method: str = "greedy") -> list[Hypothesis]:
    return read_hypotheses(DecodeDir(out).hypotheses(test_set, method))


def test_hypotheses_are_what_the_model_says_of_each_cut_alone(exp: Path, cuts: Path, tmp_path: Path) -> None:
    from unispeech_cli.trainer.weights import load_recognizer

    progress = [r for r in decode(exp, [cuts], tmp_path / "out") if isinstance(r, Progress)]
    assert progress[-1] == Progress("decode cv-es-test", 3, 3)
    model, table = load_recognizer(exp)
    for found in hypotheses(tmp_path / "out"):
        wave_S = torch.from_numpy(soundfile.read(tmp_path / f"{found.id}.wav", dtype="float32")[0])
        with torch.no_grad():
            logit_BTV, lengths_B = model.recognize(wave_S[None], torch.tensor([len(wave_S)]))
        (path,) = greedy(logit_BTV.log_softmax(-1), lengths_B)
        assert found.tokens == tuple(table.decode(path.ids)) != ()
        assert found.score == pytest.approx(path.score, rel=1e-3)
        assert (found.ref, found.language, found.speaker) == (("k", "a", "ʎ"), "es", "ana")


def test_recogs_and_decode_json_lie_beside(exp: Path, cuts: Path, tmp_path: Path) -> None:
    list(decode(exp, [cuts], tmp_path / "out"))
    lines = (
        DecodeDir(tmp_path / "out").recogs("cv-es-test", "greedy").read_text(encoding="utf-8").splitlines()
    )
    assert len(lines) == 6
    assert lines[0] == "long:\tref=['k', 'a', 'ʎ']"
    made = read_decoded(tmp_path / "out")
    assert (made.test_sets, made.method, made.units) == (("cv-es-test",), "greedy", "phones")
    assert (made.checkpoint, made.tokens) == (str(exp / "best"), TABLE.fingerprint)


def test_batches_do_not_change_hypotheses(exp: Path, cuts: Path, tmp_path: Path) -> None:
    for name, seconds in (("alone", 0.1), ("together", 10.0)):
        list(decode(exp, [cuts], tmp_path / name, settings=DecodeSettings(seconds_per_batch=seconds)))
    alone, together = hypotheses(tmp_path / "alone"), hypotheses(tmp_path / "together")
    assert [found.tokens for found in alone] == [found.tokens for found in together]


@pytest.mark.k2
def test_one_best_equals_greedy(exp: Path, cuts: Path, tmp_path: Path) -> None:
    for method in ("greedy", "one-best"):
        list(decode(exp, [cuts], tmp_path / method, method=Method(method)))
    graph, plain = hypotheses(tmp_path / "one-best", method="one-best"), hypotheses(tmp_path / "greedy")
    assert [found.tokens for found in graph] == [found.tokens for found in plain]
    assert [found.score for found in graph] == pytest.approx([found.score for found in plain], abs=1e-3)


def test_the_same_again_does_nothing_and_other_inputs_are_named(
    exp: Path, cuts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    list(decode(exp, [cuts], out))
    before = DecodeDir(out).decoded.stat().st_mtime_ns
    assert notes(exp, [cuts], out) == [f"{out} is decoded from these inputs; nothing to do"]
    assert DecodeDir(out).decoded.stat().st_mtime_ns == before
    other = manifest(tmp_path / "cv-es_cuts_dev.jsonl.gz", "phones", "a")
    said = notes(exp, [other], out)
    changed = [line for line in said if line.startswith(f"{out} is decoded anew: inputs ")]
    assert any("cv-es_cuts_dev.jsonl.gz: none -> " in line for line in changed)
    assert read_decoded(out).test_sets == ("cv-es-dev",)


def test_cuts_without_transcripts_are_decoded(exp: Path, tmp_path: Path) -> None:
    cuts = manifest(tmp_path / "talks.jsonl", None, None)
    list(decode(exp, [cuts], tmp_path / "out"))
    assert [found.ref for found in hypotheses(tmp_path / "out", "talks")] == [None, None, None]
    assert read_decoded(tmp_path / "out").units == "phones"


def test_letters_are_shown_as_words(exp: Path, tmp_path: Path) -> None:
    cuts = manifest(tmp_path / "t.jsonl", "letters", "a b | k a", ["short"])
    list(decode(exp, [cuts], tmp_path / "out"))
    recogs = DecodeDir(tmp_path / "out").recogs("t", "greedy").read_text(encoding="utf-8")
    assert recogs.startswith("short:\tref=['ab', 'ka']\n")
    assert read_decoded(tmp_path / "out").units == "letters"


def test_broken_audio_costs_a_line_and_that_cut(exp: Path, cuts: Path, tmp_path: Path) -> None:
    (tmp_path / "middle.wav").write_bytes(b"RIFF")
    said = notes(exp, [cuts], tmp_path / "out")
    assert [line for line in said if "warning: cv-es-test: middle left out" in line]
    assert any(line.startswith("cv-es-test: 2 of 3 cuts") for line in said)
    assert [found.id for found in hypotheses(tmp_path / "out")] == ["long", "short"]


def test_nothing_readable_is_an_error_and_leaves_no_directory(exp: Path, cuts: Path, tmp_path: Path) -> None:
    for name in SECONDS:
        (tmp_path / f"{name}.wav").unlink()
    with pytest.raises(ValueError, match="cv-es-test: none of 3 cuts could be decoded"):
        list(decode(exp, [cuts], tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_another_token_table_is_refused_naming_what_differs(exp: Path, cuts: Path, tmp_path: Path) -> None:
    TokenTable(("<blk>", "a", "b", "k", "x")).write(LangDir(tmp_path / "lang").tokens)
    with pytest.raises(ValueError, match=r"exp/best \(first\) and of .*lang \(second\) differ: .*ʎ.* x"):
        list(decode(exp, [cuts], tmp_path / "out", method=Method(lang_dir=tmp_path / "lang")))
    TABLE.write(LangDir(tmp_path / "same").tokens)
    assert notes(exp, [cuts], tmp_path / "out", method=Method(lang_dir=tmp_path / "same"))


def test_references_beyond_the_model_are_named(exp: Path, tmp_path: Path) -> None:
    cuts = manifest(tmp_path / "t.jsonl", "phones", "a θ k ø", ["short"])
    said = notes(exp, [cuts], tmp_path / "out")
    assert "warning: t: 2 units of the references are unknown to the model: ø θ" in said


def test_a_model_that_diverged_is_named_with_the_cut(exp: Path, cuts: Path, tmp_path: Path) -> None:
    model = Recognizer(SIZE, len(TABLE))
    torch.nn.init.constant_(model.head.bias, math.nan)
    settings = yaml.safe_dump({"model": dataclasses.asdict(SIZE)})
    save(CheckpointDir(tmp_path / "bad"), model, Position(3, 3), Identity(settings, TABLE))
    with pytest.raises(ValueError, match="the model gives NaN for long: it has diverged"):
        list(decode(tmp_path / "bad", [cuts], tmp_path / "out"))


def test_a_directory_of_something_else_is_not_overwritten(exp: Path, cuts: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("x")
    with pytest.raises(ValueError, match="thesis exists and is not a decode directory; choose another --out"):
        list(decode(exp, [cuts], tmp_path / "thesis"))
    assert (tmp_path / "thesis" / "chapter1.tex").read_text() == "x"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"device": "cuda:99"}, "device cuda:99 does not work here"),
    ],
)
def test_what_cannot_be_done_is_said(
    exp: Path, cuts: Path, tmp_path: Path, change: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        list(decode(exp, [cuts], tmp_path / "out", **change))


def test_two_manifests_of_one_name_are_refused(exp: Path, cuts: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / cuts.name
    with pytest.raises(ValueError, match="would both be test set cv-es-test"):
        list(decode(exp, [cuts, other], tmp_path / "out"))


def test_decoded_anew_loses_the_old_scores(exp: Path, cuts: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    list(decode(exp, [cuts], out))
    DecodeDir(out).score.write_text(json.dumps({}))
    list(decode(exp, [cuts], out, settings=DecodeSettings(seconds_per_batch=1.0)))
    assert not DecodeDir(out).score.exists()
