"""Exports of one small recogniser, in the hands of those they are made for."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from transformers import AutoModelForCTC, AutoProcessor

from unispeech_cli.audio import read_cut
from unispeech_cli.decoder.hypotheses import read_hypotheses
from unispeech_cli.export_paths import ExportDir
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.manifests import read_cuts
from unispeech_cli.model.encoder import EncoderSettings
from unispeech_cli.model.frontend import FrontendSettings
from unispeech_cli.model.recognizer import Recognizer, RecognizerSettings
from unispeech_cli.paths import CheckpointDir, DecodeDir
from unispeech_cli.records import Note
from unispeech_cli.settings import dump
from unispeech_cli.stages.decode import decode
from unispeech_cli.stages.export import Wanted, export
from unispeech_cli.stages.finetune import FinetuneSettings
from unispeech_cli.stages.score import score
from unispeech_cli.trainer.checkpoint import Identity, Position, save

TABLE = TokenTable(("<blk>", "a", "e", "ʎ", "tʃ", "o"))


def notes(records: Iterator[Any]) -> list[str]:
    return [record.text for record in records if isinstance(record, Note)]


@pytest.fixture(scope="module")
def exp(tmp_path_factory: pytest.TempPathFactory, tones: Callable[..., Path]) -> Path:
    """An experiment with a recogniser that hears something everywhere, and what it decoded, scored."""
    root = tmp_path_factory.mktemp("export")
    torch.manual_seed(3)
    encoder = EncoderSettings(
        layers=2, dim=32, heads=2, ffn_dim=48, pre_norm=True, position_kernel=8, position_groups=2
    )
    settings = FinetuneSettings(
        model=RecognizerSettings(FrontendSettings(channels=16, norm="layer", bias=True), encoder)
    )
    model = Recognizer(settings.model, len(TABLE))
    torch.nn.init.normal_(model.head.weight, std=0.5)
    save(CheckpointDir(root / "exp/best"), model, Position(12, 34), Identity(dump(settings), TABLE))
    cuts = tones(root / "cv-es_cuts_test.jsonl.gz", ["a e o", "e a a o e", "o"])
    assert not notes(decode(root / "exp", [cuts], out=root / "exp/decode"))[:-1]
    list(score([root / "exp/decode"]))
    return root / "exp"


@pytest.fixture(scope="module")
def heard(exp: Path) -> dict[str, tuple[np.ndarray, list[str]]]:
    """By cut, its wave and the phones that `decode` found in it."""
    found = read_hypotheses(DecodeDir(exp / "decode").hypotheses("cv-es-test", "greedy"))
    waves = {cut.id: read_cut(cut) for cut in read_cuts(exp.parent / "cv-es_cuts_test.jsonl.gz")}
    assert all(len(hypothesis.tokens) > 3 for hypothesis in found)
    return {hypothesis.id: (waves[hypothesis.id], list(hypothesis.tokens)) for hypothesis in found}


@pytest.mark.parametrize("format", ["transformers", "onnx", "sherpa-onnx"])
def test_the_lines_on_the_card_hear_what_decode_hears(
    exp: Path,
    heard: Any,
    tmp_path: Path,
    format: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In transformers, in onnxruntime, in sherpa-onnx: as somebody would who has the directory and nothing else."""
    list(export(exp, tmp_path / "made", Wanted(format)))
    card = ExportDir(tmp_path / "made").card.read_text()
    monkeypatch.chdir(tmp_path / "made")
    for wave, phones in heard.values():
        soundfile.write("speech.wav", wave, 16_000, subtype="FLOAT")
        exec(card.partition("```python\n")[2].partition("```")[0], {})
        assert capsys.readouterr().out.split() == phones


def test_automatic_classes_find_what_they_need(exp: Path, tmp_path: Path) -> None:
    list(export(exp, tmp_path / "hub", Wanted("transformers")))
    assert type(AutoModelForCTC.from_pretrained(tmp_path / "hub")).__name__ == "UniSpeechForCTC"
    assert AutoProcessor.from_pretrained(tmp_path / "hub").tokenizer.pad_token_id == 0


def test_the_card_shows_what_was_measured_and_nothing_else(exp: Path, tmp_path: Path) -> None:
    list(export(exp, tmp_path / "hub", Wanted("transformers")))
    card = ExportDir(tmp_path / "hub").card.read_text()
    (result,) = json.loads(DecodeDir(exp / "decode").score.read_text())["results"]
    rate = result["measures"]["PER"]["total"]
    counted = f"{rate['errors']} / {rate['reference']} | {rate['utterances']} | greedy |"
    assert f"| cv-es-test | PER | {100 * rate['fraction']:.2f} | " in card and counted in card
    assert "- network: UniSpeechForCTC, 0.0 million parameters" in card
    assert "- update: 12" in card and "language:\n- es\n" in card


def test_scores_of_another_checkpoint_are_refused(exp: Path, tmp_path: Path) -> None:
    place = CheckpointDir(tmp_path / "other")
    model = Recognizer(RecognizerSettings(encoder=EncoderSettings(layers=1, dim=32, heads=2)), len(TABLE))
    save(place, model, Position(1, 1), Identity(dump(FinetuneSettings(model=model.settings)), TABLE))
    with pytest.raises(ValueError, match=r"--scores .*decode: decoded with another checkpoint than"):
        list(export(place.root, tmp_path / "hub", Wanted("transformers", [exp / "decode"])))
    assert notes(export(place.root, tmp_path / "hub", Wanted("transformers")))
    assert "Nothing was measured." in ExportDir(tmp_path / "hub").card.read_text()


def test_again_there_is_nothing_to_do_and_what_differs_is_said(exp: Path, tmp_path: Path) -> None:
    out = tmp_path / "hub"
    list(export(exp, out, Wanted("transformers")))
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    (line,) = notes(export(exp, out, Wanted("transformers")))
    assert line == f"{out} is exported from these inputs; nothing to do"
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before
    shutil.copytree(exp, tmp_path / "exp")
    DecodeDir(tmp_path / "exp/decode").score.unlink()
    lines = notes(export(tmp_path / "exp", out, Wanted("transformers")))
    assert any(line.startswith(f"{out} is exported anew: inputs {exp}/decode/score.json: ") for line in lines)
    assert "Nothing was measured." in ExportDir(out).card.read_text()


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ({"format": "kaldi"}, "--format kaldi: choose from transformers, onnx, sherpa-onnx, icefall-lang"),
        ({"format": "icefall-lang"}, "--format icefall-lang and --lang-dir go together"),
        ({"format": "onnx", "lm": Path("x.arpa")}, "--lm is for --format icefall-lang, not for onnx"),
    ],
)
def test_what_cannot_be_asked_for(wanted: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Wanted(**wanted)


def test_a_directory_of_something_else_is_left_alone(exp: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match="exists and is not an export; choose another --out"):
        list(export(exp, tmp_path, Wanted("transformers")))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_model_of_waves_as_they_are_is_not_for_sherpa_onnx(tmp_path: Path) -> None:
    frontend, encoder = FrontendSettings(channels=8, normalize_wave=False), EncoderSettings(1, 32, 2, 32)
    settings = FinetuneSettings(model=RecognizerSettings(frontend, encoder))
    model = Recognizer(settings.model, len(TABLE))
    save(CheckpointDir(tmp_path / "exp"), model, Position(1, 1), Identity(dump(settings), TABLE))
    with pytest.raises(ValueError, match=r"normalize_wave is false.*use --format onnx"):
        list(export(tmp_path / "exp", tmp_path / "out", Wanted("sherpa-onnx")))
    assert not (tmp_path / "out").exists()


def test_an_encoder_without_tokens_recognises_nothing(tmp_path: Path) -> None:
    settings = FinetuneSettings(model=RecognizerSettings(encoder=EncoderSettings(1, 32, 2, 32)))
    model, table = Recognizer(settings.model, 1), TokenTable(("<blk>",))
    save(CheckpointDir(tmp_path / "exp"), model, Position(1, 1), Identity(dump(settings), table))
    with pytest.raises(ValueError, match="has no tokens: it is an encoder"):
        list(export(tmp_path / "exp", tmp_path / "out", Wanted("onnx")))
