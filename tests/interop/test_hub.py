"""Directories for transformers, read by transformers; what came from there goes back bit for bit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    AutoModelForCTC,
    AutoModelForPreTraining,
    AutoProcessor,
    HubertConfig,
    HubertForCTC,
    UniSpeechConfig,
    UniSpeechForCTC,
    UniSpeechForPreTraining,
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2ForPreTraining,
    Wav2Vec2Model,
    Wav2Vec2Processor,
)

from unispeech_cli.decoder.hypotheses import text_of
from unispeech_cli.decoder.search import greedy
from unispeech_cli.export_paths import ExportDir
from unispeech_cli.interop.hub import write_hub
from unispeech_cli.interop.leaving import read_leaving
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.lang.units import units_of
from unispeech_cli.paths import CheckpointDir
from unispeech_cli.stages.import_ import import_

SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": (8,) * 7,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
    "num_codevectors_per_group": 5,
    "codevector_dim": 6,
    "proj_codevector_dim": 10,
    "num_ctc_classes": 6,
    "vocab_size": 6,
    "pad_token_id": 3,
}
# their blank is 3
VOCABULARY = {"a": 0, "b": 1, "|": 2, "<pad>": 3, "<unk>": 4, "c": 5}
TO_AND_FRO = [
    (UniSpeechForCTC, UniSpeechConfig(**SMALL, feat_extract_norm="layer", do_stable_layer_norm=True)),
    (UniSpeechForPreTraining, UniSpeechConfig(**SMALL)),
    (Wav2Vec2ForCTC, Wav2Vec2Config(**SMALL, mask_time_prob=0.0)),
    (Wav2Vec2ForPreTraining, Wav2Vec2Config(**SMALL)),
    (Wav2Vec2Model, Wav2Vec2Config(**SMALL)),
    (HubertForCTC, HubertConfig(**SMALL, feat_proj_layer_norm=False)),
]
Saved = Callable[..., torch.nn.Module]


def exported(place: CheckpointDir, out: Path) -> ExportDir:
    out.mkdir()
    write_hub(ExportDir(out), read_leaving(place))
    return ExportDir(out)


def old_spelling(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weight norm as torch before 2.1 spells it."""
    for old, new in {"weight_g": "original0", "weight_v": "original1"}.items():
        weights = {name.replace(f"parametrizations.weight.{new}", old): weights[name] for name in weights}
    return weights


@pytest.mark.parametrize(("kind", "config"), TO_AND_FRO, ids=lambda value: getattr(value, "__name__", ""))
def test_what_came_from_transformers_goes_back_as_it_was(kind: Any, config: Any, tmp_path: Path) -> None:
    theirs, model = tmp_path / "theirs", kind(config)
    model.save_pretrained(theirs)
    Wav2Vec2FeatureExtractor(do_normalize=False, return_attention_mask=True).save_pretrained(theirs)
    (theirs / "vocab.json").write_text(json.dumps(VOCABULARY))
    (theirs / "tokenizer_config.json").write_text('{"pad_token": "<pad>", "word_delimiter_token": "|"}')
    list(import_(theirs, tmp_path / "ours"))
    made = exported(CheckpointDir(tmp_path / "ours"), tmp_path / "back")
    before, after = old_spelling(load_file(theirs / "model.safetensors")), load_file(made.weights)
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    for path in (made.config, made.preprocessor):
        assert json.loads(path.read_text()) == json.loads((theirs / path.name).read_text())
    for name in ("vocab.json", "tokenizer_config.json"):
        assert made.file(name).read_bytes() == (theirs / name).read_bytes()


def heard(model: torch.nn.Module, waves: list[torch.Tensor]) -> tuple[torch.Tensor, list[int]]:
    with torch.no_grad():
        logits, lengths = model.recognize(pad_sequence(waves, True), torch.tensor([len(w) for w in waves]))
    return logits, lengths.tolist()


@pytest.mark.parametrize(("norm", "lengths"), [("layer", [9_000, 6_500]), ("group", [8_000, 8_000])])
def test_transformers_computes_the_same_logits(
    saved: Saved, tmp_path: Path, norm: str, lengths: list[int]
) -> None:
    model = saved(CheckpointDir(tmp_path / "exp"), norm)
    made = exported(CheckpointDir(tmp_path / "exp"), tmp_path / "hub")
    theirs, info = AutoModelForCTC.from_pretrained(made.root, output_loading_info=True)
    assert not any(info.values())
    processor = AutoProcessor.from_pretrained(made.root)
    draw = torch.Generator().manual_seed(5)
    waves = [0.05 * torch.randn(length, generator=draw) + 0.1 for length in lengths]
    given = processor([w.numpy() for w in waves], sampling_rate=16_000, return_tensors="pt", padding=True)
    with torch.no_grad():
        found = theirs.eval()(**given).logits
    logits, frames = heard(model, waves)
    for row, count in enumerate(frames):
        torch.testing.assert_close(found[row, :count], logits[row, :count], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "symbols",
    [("<blk>", "a", "tʃ", "ʎ", "<unk>"), ("<blk>", "|", "d", "o", "n", "'", "t"), ("<blk>", "es:a", "ky:a")]
    + [("<blk>", "<unk>", "▁do", "n't", "▁a")],
)
def test_the_tokenizer_makes_the_text_that_we_make(
    saved: Saved, tmp_path: Path, symbols: tuple[str, ...]
) -> None:
    saved(CheckpointDir(tmp_path / "exp"), symbols=symbols)
    made, table = exported(CheckpointDir(tmp_path / "exp"), tmp_path / "hub"), TokenTable(symbols)
    tokenizer = AutoProcessor.from_pretrained(made.root).tokenizer
    # "do n't", which their clean-up would write "don't"
    spoken = [2, 3, 1, 4, 5, 6] if "|" in symbols else [*range(1, len(symbols)), 1]
    log_prob_BTV = torch.eye(len(symbols))[[0, *(i for s in spoken for i in (s, s, 0))]][None]
    (path,) = greedy(log_prob_BTV, torch.tensor([log_prob_BTV.shape[1]]))
    ours = text_of([symbols[i] for i in path.ids], units_of(table))
    assert tokenizer.decode(log_prob_BTV[0].argmax(-1)) == ours
    assert "|" not in symbols or ours == "do n't"
    assert len(tokenizer) == len(table)


def test_a_pre_training_network_loads_as_one(saved: Saved, tmp_path: Path) -> None:
    model = saved(CheckpointDir(tmp_path / "exp"), codebook=True)
    made = exported(CheckpointDir(tmp_path / "exp"), tmp_path / "hub")
    theirs, info = AutoModelForPreTraining.from_pretrained(made.root, output_loading_info=True)
    assert type(theirs) is UniSpeechForPreTraining and not any(info.values())
    wave_BS = torch.randn(1, 4000, generator=torch.Generator().manual_seed(1))
    read = AutoProcessor.from_pretrained(made.root)
    given = read(wave_BS[0].numpy(), sampling_rate=16_000, return_tensors="pt")
    nothing_BT = torch.zeros(1, 12, dtype=torch.bool)
    with torch.no_grad():
        found = theirs.eval()(given["input_values"])
        output = model(wave_BS, torch.tensor([4000]), nothing_BT)
    torch.testing.assert_close(found.projected_states, output.context_BTD, atol=1e-4, rtol=0)
    torch.testing.assert_close(found.projected_quantized_states, output.quantized_BTD, atol=1e-4, rtol=0)


def test_it_can_be_fine_tuned_further_there(saved: Saved, tmp_path: Path) -> None:
    """Labels of the tokenizer are classes of the head, and the loss is finite."""
    saved(CheckpointDir(tmp_path / "exp"))
    made = exported(CheckpointDir(tmp_path / "exp"), tmp_path / "hub")
    processor = AutoProcessor.from_pretrained(made.root)
    assert isinstance(processor, Wav2Vec2Processor)
    assert not isinstance(processor.tokenizer, Wav2Vec2CTCTokenizer)
    labels = processor.tokenizer("a tʃ ʎ", return_tensors="pt").input_ids
    assert labels.tolist() == [[1, 4, 3]]
    model = AutoModelForCTC.from_pretrained(made.root).train()
    loss = model(torch.randn(1, 16_000), labels=labels).loss
    loss.backward()
    assert 0 < float(loss.detach()) < float("inf") and model.lm_head.weight.grad is not None
