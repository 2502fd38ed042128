"""Files of fairseq are made here by hand: its classes exist, for writing alone, under its names."""

import argparse
import enum
import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import (
    UniSpeechConfig,
    UniSpeechForCTC,
    UniSpeechForPreTraining,
    Wav2Vec2Config,
    Wav2Vec2ForCTC,
    Wav2Vec2ForPreTraining,
)

from unispeech_cli.interop.names import from_transformers
from unispeech_cli.lang.tokens import read as read_tokens
from unispeech_cli.paths import CheckpointDir
from unispeech_cli.records import Note
from unispeech_cli.stages.import_ import import_
from unispeech_cli.trainer.weights import load_recognizer, saved_model_settings

SMALL = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48, "conv_dim": (16,) * 7,
    "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2, "num_codevectors_per_group": 5,
    "codevector_dim": 6, "proj_codevector_dim": 32, "vocab_size": 7, "num_ctc_classes": 7,
}  # fmt: skip
LARGE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
# fairseq's part of a name for transformers' part, in this order
PARTS = [
    ("feature_projection.layer_norm", "layer_norm"),
    ("feature_projection.projection", "post_extract_proj"),
    ("encoder.pos_conv_embed.conv", "encoder.pos_conv.0"),
    ("parametrizations.weight.original0", "weight_g"),
    ("parametrizations.weight.original1", "weight_v"),
    (".attention.", ".self_attn."),
    (".feed_forward.intermediate_dense", ".fc1"),
    (".feed_forward.output_dense", ".fc2"),
    ("masked_spec_embed", "mask_emb"),
    ("quantizer.codevectors", "quantizer.vars"),
    ("project_hid", "final_proj"),
]
OPTIONS = {
    "encoder_layers": 2, "encoder_embed_dim": 32, "encoder_ffn_embed_dim": 48, "encoder_attention_heads": 4,
    "conv_feature_layers": "[(16, 10, 5)] + [(16, 3, 2)] * 4 + [(16,2,2)] + [(16,2,2)]", "activation_fn": "gelu",
    "dropout": 0.1, "dropout_input": 0.2, "dropout_features": 0.3, "encoder_layerdrop": 0.05, "mask_prob": 0.65,
    "mask_length": 10, "latent_vars": 5, "final_dim": 6,
}  # fmt: skip


@pytest.fixture(autouse=True)
def fairseq() -> Iterator[dict[str, type]]:
    """Classes with fairseq's and omegaconf's names, gone again after the test."""
    names = [
        "fairseq.data.dictionary.Dictionary",
        "omegaconf.dictconfig.DictConfig",
        "omegaconf.nodes.AnyNode",
    ]
    made: dict[str, type] = {}
    for full in names:
        module, _, name = full.rpartition(".")
        made[name] = type(name, (), {"__module__": module})
        setattr(sys.modules.setdefault(module, types.ModuleType(module)), name, made[name])
    choice = enum.Enum("ChoiceEnum", {"GELU": "gelu"}, module="fairseq.dataclass.constants")
    made["ChoiceEnum"] = choice
    module = types.ModuleType("fairseq.dataclass.constants")
    module.ChoiceEnum = choice  # type: ignore[attr-defined]
    sys.modules["fairseq.dataclass.constants"] = module
    for parent in ("fairseq", "fairseq.data", "fairseq.dataclass", "omegaconf"):
        sys.modules[parent] = types.ModuleType(parent)
    yield made
    for name in [name for name in sys.modules if name.split(".")[0] in ("fairseq", "omegaconf")]:
        del sys.modules[name]


def filled(kind: type, **attributes: Any) -> Any:
    """An object of a class that has no constructor."""
    found = kind()
    found.__dict__.update(attributes)
    return found


def omega(classes: dict[str, type], tree: Any, parent: Any = None) -> Any:
    """A tree as omegaconf keeps it: nodes that know their parents."""
    if not isinstance(tree, dict):
        return filled(classes["AnyNode"], _metadata=None, _parent=parent, _val=tree)
    found = filled(classes["DictConfig"], _metadata=None, _parent=parent, _flags_cache=None)
    found._content = {name: omega(classes, value, found) for name, value in tree.items()}
    return found


def model(kind: type, config: type, **options: Any) -> Any:
    torch.manual_seed(3)
    theirs = kind(config(**SMALL | options)).eval()
    for value in theirs.state_dict().values():
        value.copy_(torch.randn_like(value) * 0.3)
    return theirs


def fairseq_weights(theirs: Any, prefix: str, head: str = "") -> dict[str, Tensor]:
    """The weights of a transformers model under fairseq's names."""
    found = {}
    for name, value in theirs.state_dict().items():
        inner = name.removeprefix("unispeech.").removeprefix("wav2vec2.")
        if inner.startswith(("lm_head.", "ctc_proj.")):
            found[f"{head}{inner.partition('.')[2]}"] = value
            continue
        for old, new in PARTS:
            inner = inner.replace(old, new)
        if inner.startswith("encoder.layers.") and ".final" not in inner:
            inner = inner.replace(".layer_norm", ".self_attn_layer_norm")
        if inner.startswith("feature_extractor."):
            large = "layer_norm" in inner and theirs.config.feat_extract_norm == "layer"
            inner = inner.replace(".conv.", ".0.").replace(".layer_norm.", ".2.1." if large else ".2.")
        found[prefix + inner] = value
    return found


def said(*arguments: Any, **options: Any) -> list[str]:
    return [record.text for record in import_(*arguments, **options) if isinstance(record, Note)]


def same_weights(out: Path, theirs: Any) -> None:
    """Those of the checkpoint, undone the order of the tokens, are those of the model, bit by bit."""
    place = CheckpointDir(out)
    found, expected = load_file(place.weights), from_transformers(theirs.state_dict())
    order = json.loads(place.origin.read_text())["token_order"]
    if order:
        for name in ("head.weight", "head.bias"):
            found[name] = found[name][order]
    assert found.keys() == expected.keys()
    assert all(found[name].equal(expected[name]) for name in found)


@pytest.mark.parametrize("zipped", [True, False])
def test_the_released_unispeech_pre_training(tmp_path: Path, zipped: bool) -> None:
    theirs = model(UniSpeechForPreTraining, UniSpeechConfig, **LARGE)
    weights = fairseq_weights(theirs, "w2v_encoder.w2v_model.", "w2v_encoder.proj.")
    options = OPTIONS | {
        "arch": "unispeech",
        "transpose": True,
        "layer_norm_first": True,
        "final_dropout": 0.1,
    }
    optimizer = {"state": {0: {"exp_avg": torch.zeros(3)}}}
    saved = {"args": argparse.Namespace(**options), "model": weights, "last_optimizer_state": optimizer}
    torch.save(saved, tmp_path / "pt.pt", _use_new_zipfile_serialization=zipped)
    (tmp_path / "vocab.json").write_text('{"a": 0, "ʎ": 1, "(es)o": 2}')
    said(tmp_path / "pt.pt", tmp_path / "ours", dictionary=tmp_path / "vocab.json")
    same_weights(tmp_path / "ours", theirs)
    place = CheckpointDir(tmp_path / "ours")
    assert read_tokens(place.tokens).symbols == ("<blk>", "a", "ʎ", "es:o", "<pad>", "</s>", "<unk>")
    settings = saved_model_settings(place)
    sizes = {"groups": 2, "entries": 5, "dim": 6, "projected_dim": 32, "space": "context"}
    assert sizes.items() <= settings["quantizer"].items()
    assert (settings["encoder"]["pre_norm"], settings["encoder"]["heads"]) == (True, 4)
    assert (settings["input_dropout"], settings["feature_dropout"], settings["mask"]["probability"]) == (
        0.2,
        0.3,
        0.65,
    )
    # as the released script has it: the wave as it is
    assert settings["frontend"]["normalize_wave"] is False


def test_wav2vec_pre_training_of_omegaconf(fairseq: dict[str, type], tmp_path: Path) -> None:
    theirs = model(Wav2Vec2ForPreTraining, Wav2Vec2Config, do_stable_layer_norm=False)
    gelu = fairseq["ChoiceEnum"]("gelu")
    tree = {
        "model": OPTIONS | {"_name": "wav2vec2", "activation_fn": gelu},
        "task": {"_name": "audio_pretraining", "normalize": True},
    }
    torch.save({"cfg": omega(fairseq, tree), "model": fairseq_weights(theirs, "")}, tmp_path / "small.pt")
    said(tmp_path / "small.pt", tmp_path / "ours")
    same_weights(tmp_path / "ours", theirs)
    settings = saved_model_settings(CheckpointDir(tmp_path / "ours"))
    assert settings["quantizer"]["space"] == "shared"
    assert (settings["frontend"]["norm"], settings["frontend"]["normalize_wave"]) == ("group", True)
    assert settings["encoder"]["layerdrop"] == 0.05
    with pytest.raises(ValueError, match="is an encoder without tokens"):
        load_recognizer(tmp_path / "ours")


def tuned(tmp_path: Path, fairseq: dict[str, type], **more: Any) -> tuple[Path, Any]:
    """A fine-tuned model: nested options, its codebook still there, weights in half precision as one asks."""
    theirs = model(Wav2Vec2ForCTC, Wav2Vec2Config, **LARGE)
    weights = fairseq_weights(theirs, "w2v_encoder.w2v_model.", "w2v_encoder.proj.")
    weights["w2v_encoder.w2v_model.quantizer.vars"] = torch.zeros(1, 10, 3)
    pretraining = {
        "model": OPTIONS | {"_name": "wav2vec2", "layer_norm_first": True},
        "task": {"normalize": True},
    }
    own = {
        "_name": "wav2vec_ctc",
        "w2v_args": pretraining,
        "dropout": 0.0,
        "final_dropout": 0.4,
        "mask_prob": 0.75,
    }
    cfg = {"model": own, "task": {"_name": "audio_finetuning", "normalize": True}}
    torch.save({"cfg": cfg, "args": None, "model": weights, **more}, tmp_path / "ctc.pt")
    return tmp_path / "ctc.pt", theirs


def test_a_fine_tuned_model_says_what_transformers_says(fairseq: dict[str, type], tmp_path: Path) -> None:
    symbols = ["<s>", "<pad>", "</s>", "<unk>", "|", "E", "T"]
    dictionary = filled(
        fairseq["Dictionary"], symbols=symbols, count=[1] * 7, indices={s: i for i, s in enumerate(symbols)}
    )
    path, theirs = tuned(tmp_path, fairseq, task_state={"target_dictionary": dictionary})
    assert said(path, tmp_path / "ours")[0] == "left behind: w2v_encoder.w2v_model.quantizer.vars"
    recognizer, tokens = load_recognizer(tmp_path / "ours")
    assert tokens.symbols == ("<blk>", "<pad>", "</s>", "<unk>", "|", "E", "T")
    wave_BS = torch.randn(1, 4000) * 0.1
    with torch.no_grad():
        normal_BS = (wave_BS - wave_BS.mean()) / (wave_BS.var(unbiased=False) + 1e-7).sqrt()
        expected_BTV = theirs(normal_BS).logits
        logit_BTV, _ = recognizer.recognize(wave_BS, torch.tensor([4000]))
    torch.testing.assert_close(logit_BTV, expected_BTV, atol=1e-5, rtol=1e-4)
    settings = saved_model_settings(CheckpointDir(tmp_path / "ours"))
    assert (settings["encoder"]["dropout"], settings["final_dropout"]) == (0.0, 0.4)
    assert settings["time_mask"]["probability"] == 0.75


def test_its_dictionary_may_lie_beside_it(fairseq: dict[str, type], tmp_path: Path) -> None:
    path, _ = tuned(tmp_path, fairseq)
    with pytest.raises(ValueError, match=r"ctc\.pt has no dictionary for its 7 outputs: give it with --dict"):
        said(path, tmp_path / "ours")
    (tmp_path / "dict.ltr.txt").write_text("| 9\nE 8\nT 7\n")
    said(path, tmp_path / "ours", dictionary=tmp_path / "dict.ltr.txt")
    assert load_recognizer(tmp_path / "ours")[1].symbols[4:] == ("|", "E", "T")
    said(path, tmp_path / "bare", encoder_only=True)
    assert read_tokens(CheckpointDir(tmp_path / "bare").tokens).symbols == ("<blk>",)


class Touch:
    """Pickled, a call that makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_what_is_wrong_is_one_line_and_nothing_is_run_or_written(tmp_path: Path) -> None:
    weights = fairseq_weights(
        model(UniSpeechForCTC, UniSpeechConfig, **LARGE), "w2v_encoder.w2v_model.", "w2v_encoder.proj."
    )
    args = argparse.Namespace(**OPTIONS, arch="wav2vec2")
    strided = argparse.Namespace(arch="wav2vec2", conv_feature_layers="[(512, 10, 4)]")
    bare = {name: value for name, value in weights.items() if ".proj." not in name}
    wrong: dict[str, Any] = {
        "asks for a call of what builtins.getattr gives": {"args": args, "model": Touch(tmp_path / "touched")},
        "no model in it": {"args": args},
        "no cfg or args in it": {"model": bare},
        "holds no weights where they belong": {"args": args, "model": [1]},
        "architecture wav2vec_seq2seq: known are": {"args": argparse.Namespace(arch="wav2vec_seq2seq"), "model": {}},
        "convolutions other than": {"args": strided, "model": bare},
        "no weight 'context.frontend.layers.0.weight'": {"args": args, "model": {}},
        "do not say encoder_attention_heads": {"args": argparse.Namespace(arch="wav2vec2"), "model": bare},
        "no network here has: adapter.weight": {"args": args, "model": bare | {"adapter.weight": torch.zeros(1)}},
        "activation_fn is relu": {"args": argparse.Namespace(arch="wav2vec2", activation_fn="relu"), "model": bare},
    }  # fmt: skip
    for complaint, saved in wrong.items():
        torch.save(saved, tmp_path / "x.pt")
        with pytest.raises(ValueError) as error:
            said(tmp_path / "x.pt", tmp_path / "ours")
        assert complaint in str(error.value) and "x.pt" in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "ours").exists() and not (tmp_path / "touched").exists()
    for strange in ("model.safetensors", "none"):
        (tmp_path / "model.safetensors").touch()
        with pytest.raises((ValueError, OSError), match=r"give the directory|no file or directory"):
            said(tmp_path / strange, tmp_path / "ours")
