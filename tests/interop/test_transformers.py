import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import UniSpeechConfig, UniSpeechForCTC

from unispeech_cli.lang.tokens import read as read_tokens
from unispeech_cli.paths import CheckpointDir
from unispeech_cli.stages.export import Wanted, export
from unispeech_cli.stages.import_ import import_
from unispeech_cli.trainer.weights import saved_model_settings

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
POSITIONS = {"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory of transformers with nothing wrong."""
    place = tmp_path / "theirs"
    UniSpeechForCTC(UniSpeechConfig(**SIZES, **POSITIONS, conv_dim=(8,) * 7, vocab_size=8)).save_pretrained(
        place
    )
    (place / "preprocessor_config.json").write_text("{}")
    (place / "vocab.json").write_text(json.dumps({"<pad>": 0} | {f"a{i}": i for i in range(1, 8)}))
    return place


def set_config(source: Path, **values: Any) -> None:
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | values))


def edit(source: Path, change: Callable[[dict[str, Tensor]], None]) -> None:
    weights = load_file(source / "model.safetensors")
    change(weights)
    save_file(weights, source / "model.safetensors")


# what is wrong with a directory, and what is said of it
WRONG: dict[str, Callable[[Path], Any]] = {
    "model type wavlm: its attention has gated": lambda d: set_config(d, model_type="wavlm"),
    "model type data2vec-audio: its positions": lambda d: set_config(d, model_type="data2vec-audio"),
    "model type whisper: known are unispeech, wav2vec2, hubert": lambda d: set_config(
        d, model_type="whisper"
    ),
    "UniSpeechForSequenceClassification: read are": lambda d: set_config(
        d, architectures=["UniSpeechForSequenceClassification"]
    ),
    "add_adapter is set": lambda d: set_config(d, add_adapter=True),
    "hidden_act is relu": lambda d: set_config(d, hidden_act="relu"),
    "convolutions of other kernels": lambda d: set_config(d, conv_stride=[5, 2, 2, 2, 2, 2, 1]),
    "weight context.encoder.layers.2.attention.query.weight is missing": lambda d: set_config(
        d, num_hidden_layers=3
    ),
    "by the configuration it would be (64": lambda d: set_config(d, intermediate_size=64),
    "no weights (model.safetensors or pytorch_model.bin)": lambda d: (d / "model.safetensors").unlink(),
    "holds no config.json: not a directory of transformers": lambda d: (d / "config.json").unlink(),
    "config.json is not JSON": lambda d: (d / "config.json").write_text("{"),
    "has no vocab.json for its 8 outputs": lambda d: (d / "vocab.json").unlink(),
    "2 symbols for 8 outputs": lambda d: (d / "vocab.json").write_text('{"<pad>": 0, "a": 1}'),
    "vocabularies by language": lambda d: (d / "vocab.json").write_text('{"eng": {"a": 1}}'),
    "is damaged or not safetensors": lambda d: (d / "model.safetensors").write_bytes(
        (d / "model.safetensors").read_bytes()[:-9]
    ),
    "UniSpeechForCTC without lm_head.weight": lambda d: edit(
        d, lambda w: [w.__delitem__(f"lm_head.{part}") for part in ("weight", "bias")]
    ),
    "vocab.json is not a text in UTF-8": lambda d: (d / "vocab.json").write_bytes(b"\xff"),
    "config.json has a value of another kind": lambda d: set_config(d, conv_dim=3),
    "setting encoder.dim: Input should be": lambda d: set_config(d, hidden_size="wide"),
    "speech at 8000 Hz": lambda d: (d / "preprocessor_config.json").write_text('{"sampling_rate": 8000}'),
    "no network here has: unispeech.adapter.weight": lambda d: edit(
        d, lambda w: w.update({"unispeech.adapter.weight": torch.zeros(1)})
    ),
    "weight context.norm.bias is missing": lambda d: edit(
        d, lambda w: w.__delitem__("unispeech.feature_projection.layer_norm.bias")
    ),
}


@pytest.mark.parametrize("complaint", WRONG)
def test_what_is_wrong_is_said_in_one_line_and_nothing_is_written(
    directory: Path, tmp_path: Path, complaint: str
) -> None:
    WRONG[complaint](directory)
    with pytest.raises((ValueError, OSError)) as error:
        list(import_(directory, tmp_path / "ours"))
    assert complaint in str(error.value) and str(directory) in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "ours").exists()


def test_shards_are_files_beside_their_index(directory: Path, tmp_path: Path) -> None:
    (directory / "model.safetensors").unlink()
    index = directory / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"x": "b.safetensors"}}))
    with pytest.raises(FileNotFoundError, match=r"names b\.safetensors, which is not there"):
        list(import_(directory, tmp_path / "ours"))
    index.write_text(json.dumps({"weight_map": {"x": "../other/model.safetensors"}}))
    with pytest.raises(ValueError, match="expected names of files beside it"):
        list(import_(directory, tmp_path / "ours"))


def test_nothing_wrong(directory: Path, tmp_path: Path) -> None:
    list(import_(directory, tmp_path / "ours"))
    assert (tmp_path / "ours" / "origin.json").is_file()


@pytest.mark.parametrize("norm", ["group", "layer"])
@pytest.mark.parametrize("codebook", [False, True])
def test_what_is_exported_comes_back_as_it_was(saved: Any, tmp_path: Path, norm: str, codebook: bool) -> None:
    place = CheckpointDir(tmp_path / "ours")
    saved(place, norm, codebook=codebook, normalize_wave=norm == "layer")
    list(export(place.root, tmp_path / "theirs", Wanted("transformers")))
    list(import_(tmp_path / "theirs", tmp_path / "back"))
    back = CheckpointDir(tmp_path / "back")
    before, after = load_file(place.weights), load_file(back.weights)
    assert before.keys() == after.keys() and all(before[name].equal(after[name]) for name in before)
    assert read_tokens(back.tokens) == read_tokens(place.tokens)
    was, now = saved_model_settings(place), saved_model_settings(back)
    assert (now["frontend"], now["encoder"]) == (was["frontend"] | {"gradient_scale": 1.0}, was["encoder"])
    assert now.get("quantizer") == was.get("quantizer")
