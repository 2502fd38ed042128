import dataclasses
import json
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.model.encoder import EncoderSettings
from unispeech_cli.model.frontend import FrontendSettings
from unispeech_cli.model.quantizer import QuantizerSettings
from unispeech_cli.model.recognizer import Recognizer, RecognizerSettings
from unispeech_cli.model.unispeech import UniSpeech, UniSpeechSettings
from unispeech_cli.paths import CheckpointDir, ExpDir
from unispeech_cli.trainer.checkpoint import Identity, Position, latest, prune, restore, save
from unispeech_cli.trainer.optim import OptimSettings, make_optimizer, set_rate
from unispeech_cli.trainer.weights import find, load_recognizer, load_weights

FRONTEND = FrontendSettings(channels=8)
ENCODER = EncoderSettings(1, 16, 2, 16, False, 4, 2)
FINE = RecognizerSettings(FRONTEND, ENCODER)
PRE = UniSpeechSettings(FRONTEND, ENCODER, quantizer=QuantizerSettings(2, 4, 8))
TABLE = TokenTable(("<blk>", "a", "e", "i"))


def identity(settings: object, tokens: TokenTable = TABLE) -> Identity:
    return Identity(yaml.safe_dump({"model": dataclasses.asdict(settings)}), tokens)  # type: ignore[call-overload]


def recognizer(seed: int) -> Recognizer:
    torch.manual_seed(seed)
    return Recognizer(FINE, len(TABLE))


def trained(
    model: nn.Module, updates: int, optimizer: torch.optim.Optimizer | None = None
) -> torch.optim.Optimizer:
    """Steps whose direction depends on the random state, as training's does."""
    optimizer = optimizer or make_optimizer(model, OptimSettings())
    set_rate(optimizer, 1e-2)
    for _ in range(updates):
        sum((torch.randn_like(p) * p).sum() for p in model.parameters()).backward()
        optimizer.step()
        optimizer.zero_grad()
    return optimizer


def same(left: nn.Module, right: nn.Module) -> bool:
    pairs = zip(left.state_dict().values(), right.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.fixture
def place(tmp_path: Path) -> CheckpointDir:
    """A checkpoint of a recogniser after three steps."""
    model = recognizer(1)
    place = ExpDir(tmp_path / "exp").checkpoint(3)
    save(place, model, Position(3, 12, best=0.5, best_update=2), identity(FINE), trained(model, 3))
    return place


def test_what_is_restored_goes_on_bit_for_bit(tmp_path: Path) -> None:
    model, place = recognizer(1), CheckpointDir(tmp_path / "checkpoint-3")
    optimizer = trained(model, 3)
    save(place, model, Position(3, 12), identity(FINE), optimizer)
    trained(model, 2, optimizer)
    again = recognizer(2)
    optimizer = make_optimizer(again, OptimSettings())
    assert restore(place, again, optimizer) == Position(3, 12)
    assert not same(model, again)
    trained(again, 2, optimizer)
    assert same(model, again)


def test_position_comes_back_whole(place: CheckpointDir) -> None:
    model = recognizer(2)
    position = restore(place, model, make_optimizer(model, OptimSettings()))
    assert position == Position(3, 12, best=0.5, best_update=2)


def test_nothing_on_disk_needs_unpickling(place: CheckpointDir) -> None:
    assert {path.suffix for path in place.root.iterdir()} == {".safetensors", ".json", ".yaml", ".txt"}
    for path in place.root.iterdir():
        # zip archives are how torch wraps pickles; 0x80 opens a bare one
        assert path.read_bytes()[:1] not in (b"P", b"\x80")


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json", "tokens.txt"])
def test_a_damaged_file_is_named(place: CheckpointDir, name: str) -> None:
    path = place.root / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    model = recognizer(2)
    with pytest.raises(ValueError, match=f"{name} is damaged: its checksum differs"):
        restore(place, model, make_optimizer(model, OptimSettings()))
    assert same(model, recognizer(2))


def test_truncated_weights_are_named(place: CheckpointDir) -> None:
    place.weights.write_bytes(place.weights.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"model.safetensors is damaged"):
        load_recognizer(place.root)
    # and where somebody has made the checksums fit
    sums = json.loads(place.checksums.read_text())
    del sums[place.weights.name]
    place.checksums.write_text(json.dumps(sums))
    with pytest.raises(ValueError, match=r"model.safetensors is not readable as safetensors"):
        load_recognizer(place.root)


def test_missing_files_and_checksums_are_named(place: CheckpointDir) -> None:
    place.optimizer.unlink()
    with pytest.raises(ValueError, match=r"checkpoint-3 is damaged: no optimizer.safetensors"):
        load_recognizer(place.root)
    place.checksums.write_text("{")
    with pytest.raises(ValueError, match=r"checksums.json is damaged"):
        load_recognizer(place.root)
    place.checksums.unlink()
    with pytest.raises(ValueError, match=r"checkpoint-3 is not a checkpoint: no checksums.json"):
        load_recognizer(place.root)


def test_a_recogniser_is_loaded_from_finetuning(place: CheckpointDir) -> None:
    model, tokens = load_recognizer(place.root.parent)
    assert (tokens, model.training) == (TABLE, False)
    weights = recognizer(3)
    restore(place, weights, make_optimizer(weights, OptimSettings()))
    assert same(model, weights)


def test_a_recogniser_is_loaded_from_pretraining_and_hears_the_same(tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = UniSpeech(PRE, len(TABLE)).eval()
    save(ExpDir(tmp_path).best, model, Position(1, 1), identity(PRE))
    loaded, _ = load_recognizer(tmp_path)
    wave, lengths = torch.randn(2, 4000), torch.tensor([4000, 3000])
    assert torch.equal(loaded.recognize(wave, lengths)[0], model.recognize(wave, lengths)[0])


def test_the_best_comes_before_the_newest(place: CheckpointDir) -> None:
    exp = ExpDir(place.root.parent)
    save(exp.checkpoint(10), recognizer(1), Position(10, 40), identity(FINE))
    newest = latest(exp)
    assert newest is not None and newest.root.name == "checkpoint-10"
    assert find(exp.root).root.name == "checkpoint-10"
    save(exp.best, recognizer(1), Position(3, 12), identity(FINE))
    assert find(exp.root).root.name == "best"
    assert find(place.root) == place
    with pytest.raises(FileNotFoundError, match="nowhere holds no checkpoint"):
        find(exp.root / "nowhere")


def test_pruning_keeps_the_newest_and_never_counts_later_ones(tmp_path: Path) -> None:
    exp = ExpDir(tmp_path)
    for update in (2, 4, 10, 12):
        exp.checkpoint(update).root.mkdir()
    exp.best.root.mkdir()
    prune(exp, until=10, keep=2)
    assert exp.checkpoints() == [4, 10, 12]
    assert exp.best.root.is_dir()


def test_an_encoder_is_taken_over_with_a_new_head_for_other_tokens(tmp_path: Path) -> None:
    torch.manual_seed(1)
    pretrained = UniSpeech(PRE, len(TABLE))
    save(CheckpointDir(tmp_path / "pre"), pretrained, Position(1, 1), identity(PRE))
    # as many tokens, but others
    model, other = recognizer(2), TokenTable(("<blk>", "a", "e", "o"))
    head = model.head.weight.clone()
    said = load_weights(model, CheckpointDir(tmp_path / "pre"), other)
    assert same(model.context, pretrained.context)
    assert torch.equal(model.head.weight, head)
    root = tmp_path / "pre"
    left = "left behind: project_codes, project_target, quantizer"
    assert said == [f"initialised from {root}; new: head", left]
    assert load_weights(model, CheckpointDir(root), TABLE) == [f"initialised from {root}", left]
    assert torch.equal(model.head.weight, pretrained.head.weight)


def test_an_encoder_of_another_shape_is_named(place: CheckpointDir) -> None:
    wide = Recognizer(dataclasses.replace(FINE, encoder=dataclasses.replace(ENCODER, ffn_dim=32)), 4)
    with pytest.raises(
        ValueError,
        match=r"checkpoint-3: context.encoder.layers.0.expand.weight is \(16, 16\), not \(32, 16\)",
    ):
        load_weights(wide, place, TABLE)
    deep = Recognizer(dataclasses.replace(FINE, encoder=dataclasses.replace(ENCODER, layers=2)), 4)
    with pytest.raises(ValueError, match=r"encoder.layers.1.* is absent, not"):
        load_weights(deep, place, TABLE)


def test_where_nothing_can_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"checkpoint-3 could not be written .*; make room and run"):
        save(CheckpointDir(tmp_path / "file" / "checkpoint-3"), recognizer(1), Position(3, 3), identity(FINE))


def test_a_device_that_is_not_there_is_named(place: CheckpointDir) -> None:
    for device in ("cuda:99", "abacus"):
        with pytest.raises(ValueError, match=f"device {device} does not work here"):
            load_recognizer(place.root, device)
