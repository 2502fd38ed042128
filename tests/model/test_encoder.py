import copy

import pytest
import torch

from unispeech_cli.model import encoder as room
from unispeech_cli.model.encoder import Encoder, EncoderSettings, Position


def settings(pre_norm: bool) -> EncoderSettings:
    return EncoderSettings(
        layers=2, dim=16, heads=4, ffn_dim=32, pre_norm=pre_norm, position_kernel=8, position_groups=2
    )


@pytest.mark.parametrize("pre_norm", [False, True])
def test_an_utterance_does_not_see_its_batch(pre_norm: bool) -> None:
    torch.manual_seed(0)
    encoder = Encoder(settings(pre_norm)).eval()
    frames = torch.randn(2, 30, 16)
    together = encoder(frames, torch.tensor([30, 17]))
    alone = encoder(frames[1:, :17], torch.tensor([17]))
    torch.testing.assert_close(together[1, :17], alone[0], rtol=1e-4, atol=1e-5)
    assert not together[1, 17:].any()


def test_position_equals_torch_weight_norm() -> None:
    torch.manual_seed(0)
    ours = Position(settings(False))
    theirs = torch.nn.Conv1d(16, 16, 8, padding=4, groups=2)
    theirs = (
        torch.nn.utils.parametrizations.weight_norm(theirs, dim=2)
        if hasattr(torch.nn.utils.parametrizations, "weight_norm")
        else torch.nn.utils.weight_norm(theirs, dim=2)
    )
    names = dict(theirs.named_parameters())
    gain = names.get("weight_g", names.get("parametrizations.weight.original0"))
    direction = names.get("weight_v", names.get("parametrizations.weight.original1"))
    with torch.no_grad():
        ours.weight_g *= 1.7
        gain.copy_(ours.weight_g)
        direction.copy_(ours.weight_v)
        theirs.bias.copy_(ours.bias)
    frames = torch.randn(2, 20, 16)
    expected = torch.nn.functional.gelu(theirs(frames.transpose(1, 2))[:, :, :-1]).transpose(1, 2)
    torch.testing.assert_close(ours(frames), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kernel", [7, 8])
def test_position_gradients_are_those_of_double_precision(kernel: int) -> None:
    torch.manual_seed(0)
    single = Position(EncoderSettings(**{**vars(settings(False)), "position_kernel": kernel}))
    double = copy.deepcopy(single).double()
    frames, target = torch.randn(2, 20, 16), torch.randn(2, 20, 16)
    ours = torch.autograd.grad((single(frames) * target).sum(), list(single.parameters()))
    exact = torch.autograd.grad((double(frames.double()) * target).sum(), list(double.parameters()))
    torch.testing.assert_close(ours, tuple(gradient.float() for gradient in exact), rtol=1e-4, atol=1e-4)


def test_both_attention_kernels_agree() -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 4, 9, 5)
    allowed = (torch.arange(9) < torch.tensor([9, 6])[:, None])[:, None, None, :]
    score = torch.einsum("bhqd,bhkd->bhqk", query, key) / 5**0.5
    expected = torch.where(allowed, score, -torch.inf).softmax(-1) @ value
    torch.testing.assert_close(room.attend(query, key, value, allowed, 0.0), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        room._attend_plainly(query, key, value, allowed, 0.0), expected, rtol=1e-4, atol=1e-5
    )


def test_layerdrop_leaves_layers_out_in_training_only() -> None:
    torch.manual_seed(0)
    plain = settings(True)
    encoder = Encoder(EncoderSettings(**{**vars(plain), "layerdrop": 1.0, "dropout": 0.0}))
    frames, lengths = torch.randn(1, 10, 16), torch.tensor([10])
    without_layers = encoder.norm(frames + encoder.position(frames))
    torch.testing.assert_close(encoder.train()(frames, lengths), without_layers)
    assert not torch.allclose(encoder.eval()(frames, lengths), without_layers)
