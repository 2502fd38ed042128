import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    HubertConfig,
    HubertForCTC,
    UniSpeechConfig,
    UniSpeechForCTC,
    UniSpeechForPreTraining,
    UniSpeechModel,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2ForPreTraining,
)

from unispeech_cli.interop.names import to_transformers
from unispeech_cli.lang.tokens import read as read_tokens
from unispeech_cli.paths import CheckpointDir, ExpDir
from unispeech_cli.records import Note, Table
from unispeech_cli.stages.decode import decode
from unispeech_cli.stages.finetune import FinetuneInputs, finetune
from unispeech_cli.stages.import_ import import_
from unispeech_cli.stages.info import info
from unispeech_cli.stages.pretrain import PretrainInputs, pretrain
from unispeech_cli.trainer.weights import load_recognizer

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "conv_dim": (16,) * 7,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "num_codevectors_per_group": 5,
    "codevector_dim": 6,
    "proj_codevector_dim": 10,
    "vocab_size": 8,
    "num_ctc_classes": 8,
    "pad_token_id": 5,
}
LARGE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
# blank is neither first nor last; the last symbol is of use to nobody else
VOCABULARY = {"a": 0, "e": 1, "i": 2, "|": 3, "<s>": 4, "<pad>": 5, "<unk>": 6, "": 7}
KINDS = [(UniSpeechForCTC, UniSpeechConfig), (Wav2Vec2ForCTC, Wav2Vec2Config), (HubertForCTC, HubertConfig)]
Directory = Callable[..., tuple[Path, Any]]


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    """A directory of transformers, and the model in it."""

    def make(
        model: type, config: type, *, normalize: bool = True, name: str = "theirs", **options: Any
    ) -> Any:
        torch.manual_seed(3)
        theirs = model(config(**SMALL | options)).eval()
        for value in theirs.state_dict().values():
            value.copy_(torch.randn_like(value) * 0.3)
        theirs.save_pretrained(tmp_path / name)
        Wav2Vec2FeatureExtractor(do_normalize=normalize, return_attention_mask=True).save_pretrained(
            tmp_path / name
        )
        (tmp_path / name / "vocab.json").write_text(json.dumps(VOCABULARY))
        return tmp_path / name, theirs

    return make


def said(*arguments: Any, **options: Any) -> list[str]:
    return [record.text for record in import_(*arguments, **options) if isinstance(record, Note)]


def waves() -> list[np.ndarray]:
    """Two of other lengths, with an offset, so that normalisation and padding matter."""
    random = np.random.default_rng(5)
    return [(random.normal(size=n) * 0.1 + 0.05).astype(np.float32) for n in (4000, 2600)]


def theirs_say(theirs: Any, source: Path, speech: list[np.ndarray]) -> Tensor:
    """Logits of transformers, with its own feature extractor, padding and mask."""
    extractor = Wav2Vec2FeatureExtractor.from_pretrained(source)
    batch = extractor(speech, sampling_rate=16_000, padding=True, return_tensors="pt")
    with torch.no_grad():
        return theirs(**batch).logits


def ours_say(out: Path, speech: list[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Logits in their order of tokens."""
    recognizer, _ = load_recognizer(out)
    lengths_B = torch.tensor([len(wave) for wave in speech])
    wave_BS = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(w) for w in speech], batch_first=True)
    with torch.no_grad():
        logit_BTV, frame_lengths_B = recognizer.recognize(wave_BS, lengths_B)
    return logit_BTV[:, :, order(out)], frame_lengths_B


def order(out: Path) -> list[int]:
    return json.loads(CheckpointDir(out).origin.read_text())["token_order"]


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize(("model", "config"), KINDS)
def test_logits_with_padding_are_those_of_transformers(
    directory: Directory, tmp_path: Path, model: type, config: type, normalize: bool
) -> None:
    source, theirs = directory(model, config, normalize=normalize, **LARGE)
    said(source, tmp_path / "ours")
    ours_BTV, lengths_B = ours_say(tmp_path / "ours", waves())
    expected_BTV = theirs_say(theirs, source, waves())
    for ours_TV, expected_TV, length in zip(ours_BTV, expected_BTV, lengths_B, strict=True):
        assert expected_TV.std() > 0.1
        torch.testing.assert_close(ours_TV[:length], expected_TV[:length], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("model", "config"), KINDS)
def test_the_group_norm_form_on_each_utterance_alone(
    directory: Directory, tmp_path: Path, model: type, config: type
) -> None:
    source, theirs = directory(model, config, layer_norm_eps=1e-4)
    said(source, tmp_path / "ours")
    together_BTV, lengths_B = ours_say(tmp_path / "ours", waves())
    for wave, ours_TV, length in zip(waves(), together_BTV, lengths_B, strict=True):
        expected_TV = theirs_say(theirs, source, [wave])[0]
        torch.testing.assert_close(ours_TV[:length], expected_TV, atol=1e-5, rtol=1e-4)


def test_hubert_without_a_norm_before_its_projection(directory: Directory, tmp_path: Path) -> None:
    source, theirs = directory(HubertForCTC, HubertConfig, feat_proj_layer_norm=False, **LARGE)
    said(source, tmp_path / "ours")
    ours_BTV, _ = ours_say(tmp_path / "ours", waves()[:1])
    torch.testing.assert_close(ours_BTV, theirs_say(theirs, source, waves()[:1]), atol=1e-5, rtol=1e-4)


def respelled(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weight norm in the other spelling than the installed transformers'."""
    pairs = [
        ("weight_g", "parametrizations.weight.original0"),
        ("weight_v", "parametrizations.weight.original1"),
    ]
    new = any("parametrizations" in name for name in weights)
    found = dict(weights)
    for name in weights:
        for old, parametrized in pairs:
            before, after = (parametrized, old) if new else (old, parametrized)
            if name.endswith(f"conv.{before}"):
                found[name.removesuffix(before) + after] = found.pop(name)
    return found


def as_bin(source: Path) -> None:
    weights = load_file(source / "model.safetensors")
    (source / "model.safetensors").unlink()
    torch.save(respelled(weights), source / "pytorch_model.bin")


def as_shards(source: Path) -> None:
    weights = respelled(load_file(source / "model.safetensors"))
    (source / "model.safetensors").unlink()
    names = sorted(weights)
    shards = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, some in shards.items():
        save_file({name: weights[name] for name in some}, source / file)
    places = {name: file for file, some in shards.items() for name in some}
    (source / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))


def as_half(source: Path) -> None:
    """What half precision keeps of it."""
    weights = load_file(source / "model.safetensors")
    save_file({name: value.half() for name, value in weights.items()}, source / "model.safetensors")


@pytest.mark.parametrize("rewrite", [as_bin, as_shards])
def test_other_files_and_the_other_spelling_of_the_weight_norm_give_the_same_bits(
    directory: Directory, tmp_path: Path, rewrite: Callable[[Path], None]
) -> None:
    source, _ = directory(*KINDS[0])
    said(source, tmp_path / "first")
    rewrite(source)
    said(source, tmp_path / "second")
    first, second = (load_file(CheckpointDir(tmp_path / name).weights) for name in ("first", "second"))
    assert first.keys() == second.keys()
    assert all(first[name].equal(second[name]) for name in first)


def test_half_precision_becomes_single(directory: Directory, tmp_path: Path) -> None:
    source, theirs = directory(*KINDS[1])
    as_half(source)
    said(source, tmp_path / "ours")
    weights = load_file(CheckpointDir(tmp_path / "ours").weights)
    assert {value.dtype for value in weights.values()} == {torch.float32}
    assert weights["context.project.bias"].equal(
        theirs.wav2vec2.feature_projection.projection.bias.half().float()
    )


@pytest.mark.parametrize(
    ("model", "config"),
    [*KINDS, (UniSpeechForPreTraining, UniSpeechConfig), (Wav2Vec2ForPreTraining, Wav2Vec2Config)],
)
def test_there_and_back_is_equal_bit_by_bit(
    directory: Directory, tmp_path: Path, model: type, config: type
) -> None:
    source, theirs = directory(model, config)
    said(source, tmp_path / "ours")
    weights = load_file(CheckpointDir(tmp_path / "ours").weights)
    if "head.weight" in weights:
        for name in ("head.weight", "head.bias"):
            weights[name] = weights[name][order(tmp_path / "ours")]
    new = any("parametrizations" in name for name in theirs.state_dict())
    back = to_transformers(weights, config.model_type, new)
    assert back.keys() == theirs.state_dict().keys()
    assert all(back[name].equal(value) for name, value in theirs.state_dict().items())


def test_blank_comes_first_and_the_origin_is_kept(directory: Directory, tmp_path: Path) -> None:
    source, _ = directory(*KINDS[0])
    (source / "special_tokens_map.json").write_text('{"pad_token": {"content": "<pad>"}}')
    lines = said(source, tmp_path / "ours")
    assert "UniSpeechForCTC, 2 layers of 32" in lines[-1] and "8 outputs" in lines[-1]
    place = CheckpointDir(tmp_path / "ours")
    assert read_tokens(place.tokens).symbols == ("<blk>", "a", "e", "i", "|", "<s>", "<unk>", "<7>")
    origin = json.loads(place.origin.read_text())
    assert origin["token_order"] == [1, 2, 3, 4, 5, 0, 6, 7]
    assert (origin["format"], origin["model_type"], origin["architecture"]) == (
        "transformers", "unispeech", "UniSpeechForCTC",
    )  # fmt: skip
    assert origin["config"]["hidden_size"] == 32 and origin["preprocessor"]["do_normalize"] is True
    assert json.loads(origin["tokenizer"]["vocab.json"]) == VOCABULARY
    assert {"config.json", "model.safetensors", "vocab.json"} <= origin["hashes"].keys()


def test_the_same_again_does_nothing_and_another_model_is_refused(
    directory: Directory, tmp_path: Path
) -> None:
    source, _ = directory(*KINDS[0])
    out = tmp_path / "ours"
    said(source, out)
    before = CheckpointDir(out).weights.stat().st_mtime_ns
    assert said(source, out) == [f"{out} is imported from these files; nothing to do"]
    other, _ = directory(*KINDS[1], name="other")
    with pytest.raises(ValueError, match=r"was imported from others \(hashes config\.json: "):
        said(other, out)
    with pytest.raises(ValueError, match="exists and is no imported checkpoint"):
        said(source, tmp_path)
    assert CheckpointDir(out).weights.stat().st_mtime_ns == before


@pytest.mark.parametrize("model", [UniSpeechModel, UniSpeechForPreTraining])
def test_an_encoder_without_tokens_is_fine_tuned_but_does_not_decode(
    directory: Directory, corpus: Any, minute: list[str], tmp_path: Path, model: type
) -> None:
    source, _ = directory(model, UniSpeechConfig, **LARGE)
    (source / "vocab.json").unlink()
    out, exp = tmp_path / "ours", ExpDir(tmp_path / "exp")
    said(source, out)
    assert read_tokens(CheckpointDir(out).tokens).symbols == ("<blk>",)
    with pytest.raises(ValueError, match="is an encoder without tokens and cannot recognise"):
        list(decode(out, [corpus.dev], tmp_path / "decoded"))
    data = [setting for setting in minute if not setting.startswith("model.")]
    inputs = FinetuneInputs([corpus.train], [corpus.dev])
    settings = [*data, "run.updates=2", "run.validations=1"]
    list(finetune(exp.root, corpus.lang_dir, inputs, overrides=settings, init=out))
    model_settings = yaml.safe_load(exp.settings.read_text())["model"]
    assert model_settings["encoder"]["pre_norm"] is True and model_settings["frontend"]["norm"] == "layer"
    before, after = (load_file(place.weights) for place in (CheckpointDir(out), exp.checkpoint(2)))
    assert after["context.frontend.layers.3.weight"].equal(before["context.frontend.layers.3.weight"])
    assert len(after["head.weight"]) == 5


def test_pre_training_goes_on_from_an_imported_one(
    directory: Directory, corpus: Any, minute: list[str], tmp_path: Path
) -> None:
    source, _ = directory(UniSpeechForPreTraining, UniSpeechConfig)
    said(source, tmp_path / "ours")
    saved = yaml.safe_load(CheckpointDir(tmp_path / "ours").settings.read_text())
    # the settings as they are dumped are settings that pre-training takes
    (tmp_path / "same.yaml").write_text(yaml.safe_dump(saved))
    data = [setting for setting in minute if not setting.startswith("model.")]
    inputs = PretrainInputs([corpus.train], [], [corpus.dev])
    options = {
        "config": tmp_path / "same.yaml",
        "overrides": [*data, "run.updates=1"],
        "init": tmp_path / "ours",
    }
    notes = [
        record.text
        for record in pretrain(tmp_path / "exp", corpus.lang_dir, inputs, **options)
        if isinstance(record, Note)
    ]
    # of all parts only the head, over other tokens, is new
    assert f"initialised from {tmp_path / 'ours'}; new: head" in notes


def test_it_decodes(directory: Directory, corpus: Any, tmp_path: Path) -> None:
    source, _ = directory(*KINDS[1])
    said(source, tmp_path / "ours")
    list(decode(tmp_path / "ours", [corpus.dev], tmp_path / "decoded"))
    assert (tmp_path / "decoded" / "decode.json").is_file()


def test_info_tells_of_an_imported_one(directory: Directory, tmp_path: Path) -> None:
    source, theirs = directory(*KINDS[2])
    said(source, tmp_path / "ours")
    records = [record for record in info(tmp_path / "ours") if isinstance(record, Table)]
    tables = {record.title: dict(row[:2] for row in record.rows) for record in records}
    assert tables["checkpoint"]["imported from"] == "transformers: HubertForCTC"
    assert tables["checkpoint"]["parameters"] == sum(value.numel() for value in theirs.parameters())
    assert (tables["tokens"]["tokens"], tables["tokens"]["blank before the import"]) == (8, 5)
    assert tables["settings"]["model.encoder.layers"] == 2
    assert tables["provenance"]["imported"]


def test_the_vocabulary_may_be_given_or_the_head_left_behind(directory: Directory, tmp_path: Path) -> None:
    source, _ = directory(*KINDS[0])
    (source / "vocab.json").rename(tmp_path / "phones.json")
    said(source, tmp_path / "given", dictionary=tmp_path / "phones.json")
    assert len(load_recognizer(tmp_path / "given")[1]) == 8
    said(source, tmp_path / "bare", encoder_only=True)
    assert "head.weight" not in load_file(CheckpointDir(tmp_path / "bare").weights)


def test_a_directory_of_transformers_is_no_checkpoint_of_ours(directory: Directory) -> None:
    source, _ = directory(*KINDS[0])
    with pytest.raises(ValueError, match="unispeech import makes one of it"):
        load_recognizer(source)
