"""Presets have the parameters of the reference: counted in transformers' networks of the published shapes."""

from collections.abc import Callable

import pytest
from torch import nn
from transformers import UniSpeechConfig, UniSpeechForCTC, UniSpeechForPreTraining

from unispeech_cli.model.recognizer import Recognizer, RecognizerSettings
from unispeech_cli.model.unispeech import PRESETS, UniSpeech, UniSpeechSettings
from unispeech_cli.settings import load

LAYERS = {"base": 12, "large": 24}
# what is published beside the defaults of UniSpeechConfig, which are Base
CONFIGS = {
    "base": {},
    "large": {
        "hidden_size": 1024,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "feat_extract_norm": "layer",
        "conv_bias": True,
        "do_stable_layer_norm": True,
        "codevector_dim": 768,
        "proj_codevector_dim": 768,
    },
}


def parameters(layers: int, make: Callable[[int], nn.Module]) -> int:
    """Of a network with as many layers, from those with none and with one: a Large need not be made."""
    none, one = (sum(weight.numel() for weight in make(few).parameters()) for few in (0, 1))
    return none + layers * (one - none)


@pytest.mark.parametrize(("preset", "millions"), [("base", 95.11), ("large", 317.47)])
def test_pretraining_networks_have_the_parameters_of_the_reference(preset: str, millions: float) -> None:
    def ours(layers: int) -> nn.Module:
        few = [f"encoder.layers={layers}"]
        return UniSpeech(load(UniSpeechSettings, overrides=few, preset=PRESETS[preset]), 80)

    def theirs(layers: int) -> nn.Module:
        return UniSpeechForPreTraining(UniSpeechConfig(num_hidden_layers=layers, **CONFIGS[preset]))

    count = parameters(LAYERS[preset], ours)
    assert load(UniSpeechSettings, preset=PRESETS[preset]).encoder.layers == LAYERS[preset]
    assert count == parameters(LAYERS[preset], theirs)
    assert count / 1e6 == pytest.approx(millions, abs=0.01)


@pytest.mark.parametrize(("preset", "millions"), [("base", 94.40), ("large", 315.47)])
def test_recognizers_have_the_parameters_of_the_reference(preset: str, millions: float) -> None:
    parts = {room: PRESETS[preset].get(room, {}) for room in ("frontend", "encoder")}

    def ours(layers: int) -> nn.Module:
        return Recognizer(load(RecognizerSettings, overrides=[f"encoder.layers={layers}"], preset=parts), 32)

    def theirs(layers: int) -> nn.Module:
        return UniSpeechForCTC(UniSpeechConfig(num_hidden_layers=layers, vocab_size=32, **CONFIGS[preset]))

    count = parameters(LAYERS[preset], ours)
    assert count == parameters(LAYERS[preset], theirs)
    assert count / 1e6 == pytest.approx(millions, abs=0.01)
