"""The networks against transformers' own, on shared random weights: states, codes, logits, and gradients.

Legend: B utterances, S samples, T frames, D model dimension, G codebook groups, V entries of a group.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import (
    HubertConfig,
    HubertForCTC,
    UniSpeechConfig,
    UniSpeechForCTC,
    UniSpeechForPreTraining,
    UniSpeechModel,
    Wav2Vec2Config,
    Wav2Vec2ForCTC,
    Wav2Vec2ForPreTraining,
)

from unispeech_cli.interop.names import from_transformers
from unispeech_cli.model.quantizer import perplexity
from unispeech_cli.model.recognizer import Recognizer, RecognizerSettings
from unispeech_cli.model.unispeech import Context, ContextSettings, UniSpeech, UniSpeechSettings
from unispeech_cli.settings import build

Values = tuple[Tensor, ...]
# a network and a precision -> what is compared
Run = Callable[[Any, torch.dtype], Values]

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
GROUPS, ENTRIES, CODE, PROJECTED, TOKENS = 2, 5, 6, 10, 7
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": (8,) * 7,
    "num_conv_pos_embedding_groups": 2,
    "num_codevector_groups": GROUPS,
    "num_codevectors_per_group": ENTRIES,
    "codevector_dim": CODE,
    "proj_codevector_dim": PROJECTED,
    "vocab_size": TOKENS,
    "num_ctc_classes": TOKENS,
    "layerdrop": 0.0,
    "hidden_dropout": 0.0,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "feat_proj_dropout": 0.0,
    "feat_quantizer_dropout": 0.0,
    "final_dropout": 0.0,
    "initializer_range": 0.1,
}
# each with an epsilon, a kernel or a bias that the other has not
STYLES: dict[str, dict[str, Any]] = {
    "base": {"num_conv_pos_embeddings": 8},
    "large": {
        "feat_extract_norm": "layer",
        "conv_bias": True,
        "do_stable_layer_norm": True,
        "num_conv_pos_embeddings": 7,
        "layer_norm_eps": 1e-3,
    },
    "mixed": {"conv_bias": True, "do_stable_layer_norm": True, "num_conv_pos_embeddings": 8},
}


@dataclass(frozen=True)
class Speech:
    """Waves, their lengths, the mask of frames, and what transformers wants to know of the padding."""

    wave_BS: Tensor
    lengths_B: Tensor
    mask_BT: Tensor
    attention_BS: Tensor | None
    # frames inside the utterances
    inside_BT: Tensor


def speech(style: str) -> Speech:
    """Padded, but for group norm in the convolutions: there what transformers gives changes with the padding."""
    torch.manual_seed(11)
    padded = STYLES[style].get("feat_extract_norm") == "layer"
    lengths_B = torch.tensor([6000, 4000 if padded else 6000])
    attention_BS = (torch.arange(6000) < lengths_B[:, None]).long()
    wave_BS = torch.randn(2, 6000) * attention_BS
    mask_BT = torch.zeros(2, 18, dtype=torch.bool)
    mask_BT[0, 2:7] = mask_BT[1, 5:9] = True
    frames_B = torch.tensor([18, 12 if padded else 18])
    inside_BT = torch.arange(18) < frames_B[:, None]
    return Speech(wave_BS, lengths_B, mask_BT, attention_BS if padded else None, inside_BT)


def theirs(model: type, config: type, style: str, **differences: Any) -> Any:
    """Their network with weights at random, biases and norms too."""
    torch.manual_seed(10)
    network = model(config(**{**SMALL, **STYLES[style], **differences}))
    for name, weight in network.named_parameters():
        if weight.dim() == 1 and "masked_spec" not in name:
            nn.init.normal_(weight, 1.0 if name.endswith("norm.weight") else 0.0, 0.3)
    return network


def seed_the_noise(*_: Any) -> None:
    torch.manual_seed(12)


def noise(heard: Speech) -> Tensor:
    """The Gumbel noise that torch's own gumbel_softmax draws after `seed_the_noise`, frame by frame."""
    seed_the_noise()
    return -torch.empty(*heard.mask_BT.shape, GROUPS, ENTRIES).exponential_().log()


def context_settings(config: Any) -> dict[str, Any]:
    """Our settings for their configuration."""
    frontend = {
        "channels": config.conv_dim[0],
        "norm": config.feat_extract_norm,
        "bias": config.conv_bias,
        "normalize_wave": False,
        "output_norm": getattr(config, "feat_proj_layer_norm", True),
    }
    encoder = {
        "layers": config.num_hidden_layers,
        "dim": config.hidden_size,
        "heads": config.num_attention_heads,
        "ffn_dim": config.intermediate_size,
        "pre_norm": config.do_stable_layer_norm,
        "position_kernel": config.num_conv_pos_embeddings,
        "position_groups": config.num_conv_pos_embedding_groups,
        "norm_eps": config.layer_norm_eps,
        "dropout": 0.0,
        "attention_dropout": 0.0,
    }
    return {"frontend": frontend, "encoder": encoder, "input_dropout": 0.0}


def pretraining_settings(config: Any, space: str) -> UniSpeechSettings:
    quantizer = {
        "groups": config.num_codevector_groups,
        "entries": config.num_codevectors_per_group,
        "dim": config.codevector_dim,
        "projected_dim": config.proj_codevector_dim,
        "space": space,
    }
    parts = {"quantizer": quantizer, "feature_dropout": 0.0, "final_dropout": 0.0}
    return build(UniSpeechSettings, {**context_settings(config), **parts})


def with_their_weights(model: nn.Module, network: nn.Module, at: str = "") -> nn.Module:
    """Ours, loaded; `at` is what precedes the names of ours. Nothing is left over on either side but a new head."""
    found = {name.removeprefix(at): value for name, value in from_transformers(network.state_dict()).items()}
    missing, left = model.load_state_dict(found, strict=False)
    assert not left and set(missing) <= {"head.weight", "head.bias"}
    return model


def assert_parity(model: nn.Module, ours: Run, network: nn.Module, expected: Run, at: str = "") -> None:
    """Values in single precision; the gradients of one fixed scalar in double, and ours in single as well.

    Not theirs in single: torch 1.13's gradients of gelu are wrong there, and with them those of transformers.
    Codes are weighed in single precision throughout, by theirs and by ours.
    """
    found = ours(model, torch.float)
    for own, their in zip(found, expected(network, torch.float), strict=True):
        torch.testing.assert_close(own, their, rtol=1e-5, atol=1e-5)
    single = gradients(model, found)
    exact = gradients(network.double(), expected(network, torch.double))
    exact = {name.removeprefix(at): value for name, value in from_transformers(exact).items()}
    model.zero_grad()
    double = gradients(model.double(), ours(model, torch.double))
    # a weight without any gradient in theirs has one of 0 in ours: the mask's, where nothing is masked
    assert exact.keys() <= double.keys()
    whole = torch.stack([value.norm() for value in exact.values()]).norm()
    for name in double:
        gradient = exact.get(name, torch.zeros_like(double[name]))
        torch.testing.assert_close(
            double[name], gradient, rtol=1e-5, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}"
        )
        assert float((single[name].double() - gradient).norm() / whole) < 1e-5, name


def gradients(model: nn.Module, values: Values) -> dict[str, Tensor]:
    """Of a fixed scalar, by the name of the weight."""
    torch.manual_seed(13)
    targets = [torch.randn(value.shape) for value in values]
    terms = [(value * target).sum() for value, target in zip(values, targets, strict=True)]
    torch.stack(terms).sum().backward()
    return {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("style", STYLES)
def test_context_network(style: str) -> None:
    heard, network = speech(style), theirs(UniSpeechModel, UniSpeechConfig, style)
    model = with_their_weights(
        Context(build(ContextSettings, context_settings(network.config))), network, "context."
    )

    def expected(network: Any, kind: torch.dtype) -> Values:
        output = network(
            heard.wave_BS.to(kind), attention_mask=heard.attention_BS, mask_time_indices=heard.mask_BT
        )
        return output.last_hidden_state[heard.inside_BT], output.extract_features[heard.inside_BT]

    def ours(model: Any, kind: torch.dtype) -> Values:
        feature_BTC, frame_lengths_B = model.features(heard.wave_BS.to(kind), heard.lengths_B)
        context_BTD = model.contextualize(feature_BTC, frame_lengths_B, heard.mask_BT)
        return context_BTD[heard.inside_BT], feature_BTC[heard.inside_BT]

    assert_parity(model, ours, network, expected, "context.")


@pytest.mark.parametrize("style", STYLES)
def test_unispeech_pretraining(style: str, monkeypatch: pytest.MonkeyPatch) -> None:
    heard, network = speech(style), theirs(UniSpeechForPreTraining, UniSpeechConfig, style)
    model = with_their_weights(UniSpeech(pretraining_settings(network.config, "context"), TOKENS), network)
    swapped_BT = torch.rand(heard.mask_BT.shape) < 0.5
    monkeypatch.setattr(torch, "bernoulli", lambda share_TB: swapped_BT.T.to(share_TB))
    monkeypatch.setattr(
        network.unispeech, "forward", partial(network.unispeech.forward, mask_time_indices=heard.mask_BT)
    )
    logits: list[Tensor] = []
    network.ctc_proj.register_forward_hook(lambda module, inputs, logit_BTV: logits.append(logit_BTV))
    network.quantizer.register_forward_pre_hook(seed_the_noise)

    def expected(network: Any, kind: torch.dtype) -> Values:
        output = network(heard.wave_BS.to(kind), attention_mask=heard.attention_BS)
        inside = output.projected_states, output.projected_quantized_states, logits.pop()
        return tuple(value[heard.inside_BT] for value in inside)

    def ours(model: Any, kind: torch.dtype) -> Values:
        drawn = {"noise_BTGV": noise(heard), "swapped_BT": swapped_BT}
        output = model(heard.wave_BS.to(kind), heard.lengths_B, heard.mask_BT, **drawn)
        inside = output.context_BTD, output.quantized_BTD, output.logit_BTV
        return tuple(value[heard.inside_BT] for value in inside)

    assert_parity(model, ours, network, expected)


@pytest.mark.parametrize("style", STYLES)
def test_wav2vec2_pretraining(style: str) -> None:
    heard, network = speech(style), theirs(Wav2Vec2ForPreTraining, Wav2Vec2Config, style)
    model = with_their_weights(UniSpeech(pretraining_settings(network.config, "shared"), TOKENS), network)
    model.replace = 0.0
    network.quantizer.register_forward_pre_hook(seed_the_noise)

    def expected(network: Any, kind: torch.dtype) -> Values:
        output = network(
            heard.wave_BS.to(kind), attention_mask=heard.attention_BS, mask_time_indices=heard.mask_BT
        )
        inside = output.projected_states, output.projected_quantized_states
        return *(value[heard.inside_BT] for value in inside), output.codevector_perplexity

    def ours(model: Any, kind: torch.dtype) -> Values:
        output = model(heard.wave_BS.to(kind), heard.lengths_B, heard.mask_BT, noise_BTGV=noise(heard))
        inside = output.context_BTD, output.quantized_BTD
        # theirs is the perplexity of the masked frames
        watched = perplexity(output.codes.prob_BTGV[heard.mask_BT])
        return *(value[heard.inside_BT] for value in inside), watched

    assert_parity(model, ours, network, expected)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("style", STYLES)
def test_perplexity_of_equal_lengths(style: str, training: bool) -> None:
    network = theirs(UniSpeechForPreTraining, UniSpeechConfig, style).train(training)
    model = with_their_weights(UniSpeech(pretraining_settings(network.config, "context"), TOKENS), network)
    wave_BS = torch.randn(2, 6000)
    codes = model.train(training)(wave_BS, torch.tensor([6000, 6000])).codes
    # in evaluation theirs counts the codes, in training the probabilities
    chosen_BTGV = F.one_hot(codes.code_BTG, ENTRIES).float()
    ours = perplexity((codes.prob_BTGV if training else chosen_BTGV).flatten(0, 1))
    torch.testing.assert_close(ours, network(wave_BS).codevector_perplexity, **CLOSE)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("network", "config", "differences"),
    [
        (UniSpeechForCTC, UniSpeechConfig, {}),
        (Wav2Vec2ForCTC, Wav2Vec2Config, {}),
        (HubertForCTC, HubertConfig, {}),
        (HubertForCTC, HubertConfig, {"feat_proj_layer_norm": False}),
    ],
)
def test_ctc(network: type, config: type, differences: dict[str, Any], style: str) -> None:
    heard, network = speech(style), theirs(network, config, style, **differences).eval()
    model = Recognizer(build(RecognizerSettings, context_settings(network.config)), TOKENS).eval()
    with_their_weights(model, network)

    def expected(network: Any, kind: torch.dtype) -> Values:
        return (network(heard.wave_BS.to(kind), attention_mask=heard.attention_BS).logits[heard.inside_BT],)

    def ours(model: Any, kind: torch.dtype) -> Values:
        return (model(heard.wave_BS.to(kind), heard.lengths_B).logit_BTV[heard.inside_BT],)

    assert_parity(model, ours, network, expected)


def test_with_group_norm_padding_changes_theirs_and_not_ours() -> None:
    network = theirs(UniSpeechForCTC, UniSpeechConfig, "base").eval()
    model = Recognizer(build(RecognizerSettings, context_settings(network.config)), TOKENS).eval()
    with_their_weights(model, network)
    lengths_B = torch.tensor([6000, 4000])
    attention_BS = (torch.arange(6000) < lengths_B[:, None]).long()
    wave_BS = torch.randn(2, 6000) * attention_BS
    alone_TV = network(wave_BS[1:, :4000]).logits[0]
    padded_TV = network(wave_BS, attention_mask=attention_BS).logits[1, :12]
    torch.testing.assert_close(model(wave_BS, lengths_B).logit_BTV[1, :12], alone_TV, **CLOSE)
    assert not torch.allclose(padded_TV, alone_TV, atol=0.1)
