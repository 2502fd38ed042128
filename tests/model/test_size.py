"""The sizes of models: against real ones, and against the counts that others publish."""

from typing import Any

import pytest

from unispeech_cli.model.encoder import EncoderSettings
from unispeech_cli.model.frontend import FrontendSettings
from unispeech_cli.model.quantizer import QuantizerSettings
from unispeech_cli.model.recognizer import Recognizer, RecognizerSettings
from unispeech_cli.model.size import multiplications, weights
from unispeech_cli.model.unispeech import PRESETS, ContextSettings, UniSpeech, UniSpeechSettings
from unispeech_cli.settings import build

SMALL = EncoderSettings(layers=2, dim=32, heads=2, ffn_dim=48, position_kernel=6, position_groups=4)


@pytest.mark.parametrize(
    ("frontend", "quantizer"),
    [
        ({}, QuantizerSettings(2, 8, 12)),
        ({"norm": "layer", "bias": True}, QuantizerSettings(2, 8, 12, projected_dim=20)),
        ({"output_norm": False}, QuantizerSettings(3, 8, 12, projected_dim=20, space="shared")),
        ({"bias": True}, None),
    ],
)
def test_it_counts_what_is_there(frontend: dict[str, Any], quantizer: QuantizerSettings | None) -> None:
    settings = UniSpeechSettings(FrontendSettings(channels=16, **frontend), SMALL, quantizer=quantizer)
    found = weights(settings.context, quantizer, tokens=7)
    assert sum(found.values()) == sum(p.numel() for p in UniSpeech(settings, 7).parameters())
    recognizer = Recognizer(RecognizerSettings(settings.frontend, SMALL), 7)
    assert sum(weights(settings.context, None, 7).values()) == sum(p.numel() for p in recognizer.parameters())


@pytest.mark.parametrize(
    ("preset", "pretraining", "recognizer"),
    [
        # 94.4 M and 315.5 M are what others count of the two sizes with a CTC head
        ("base", 95_106_640, 94_433_232),
        ("large", 317_472_848, 315_520_720),
    ],
)
def test_presets_are_as_large_as_the_references(preset: str, pretraining: int, recognizer: int) -> None:
    settings = build(UniSpeechSettings, PRESETS[preset])
    assert sum(weights(settings.context, settings.quantizer, 80).values()) == pretraining
    assert sum(weights(settings.context, None, 80).values()) == recognizer


def test_a_second_of_audio_is_counted_layer_by_layer() -> None:
    """Two channels: 3,200 windows of 10, 1,600 to 200 of 3 x 2, 100 and 50 of 2 x 2; 50 frames of the rest."""
    context = ContextSettings(FrontendSettings(channels=2), SMALL)
    convolutions = 2 * (3200 * 10 + (1600 + 800 + 400 + 200) * 6 + (100 + 50) * 4)
    rest = sum(count for part, count in weights(context, None, 7).items() if part != "frontend")
    assert multiplications(context, None, 7) == convolutions + 50 * rest
