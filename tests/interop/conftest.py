"""A small recogniser with random weights, in each form of the network, as a checkpoint on disk."""

from collections.abc import Callable

import pytest
import torch

from unispeech_cli import settings as settings_room
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.model.encoder import EncoderSettings
from unispeech_cli.model.frontend import FrontendSettings
from unispeech_cli.model.quantizer import QuantizerSettings
from unispeech_cli.model.recognizer import Recognizer, RecognizerSettings
from unispeech_cli.model.unispeech import UniSpeech, UniSpeechSettings
from unispeech_cli.paths import CheckpointDir
from unispeech_cli.stages.finetune import FinetuneSettings
from unispeech_cli.stages.pretrain import PretrainSettings
from unispeech_cli.trainer.checkpoint import Identity, Position, save

PHONES = ("<blk>", "a", "e", "ʎ", "tʃ", "o")
Saved = Callable[..., torch.nn.Module]


def context(norm: str, normalize_wave: bool = True) -> dict[str, object]:
    """Of Base with group, of Large with layer."""
    large = norm == "layer"
    encoder = EncoderSettings(
        layers=2, dim=32, heads=2, ffn_dim=48, pre_norm=large, position_kernel=8, position_groups=2
    )
    frontend = FrontendSettings(channels=16, norm=norm, bias=large, normalize_wave=normalize_wave)  # type: ignore[arg-type]
    return {"frontend": frontend, "encoder": encoder}


def make(
    place: CheckpointDir,
    norm: str = "layer",
    symbols: tuple[str, ...] = PHONES,
    *,
    codebook: bool = False,
    normalize_wave: bool = True,
) -> torch.nn.Module:
    """Save a recogniser of `symbols`, or with `codebook` a pre-training network, that hears something everywhere."""
    torch.manual_seed(7)
    parts, table = context(norm, normalize_wave), TokenTable(symbols)
    if codebook:
        quantizer = QuantizerSettings(2, 5, 8, projected_dim=10)
        settings = PretrainSettings(model=UniSpeechSettings(**parts, quantizer=quantizer))  # type: ignore[arg-type]
        model: torch.nn.Module = UniSpeech(settings.model, len(table))
    else:
        settings = FinetuneSettings(model=RecognizerSettings(**parts))  # type: ignore[arg-type, assignment]
        model = Recognizer(settings.model, len(table))  # type: ignore[arg-type]
    torch.nn.init.normal_(model.head.weight, std=0.5)
    torch.nn.init.normal_(model.head.bias)
    save(place, model, Position(12, 34), Identity(settings_room.dump(settings), table))
    return model.eval()


@pytest.fixture(scope="session")
def saved() -> Saved:
    """Save a model at a `CheckpointDir` and return it; see `make`."""
    return make
