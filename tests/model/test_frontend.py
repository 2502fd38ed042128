import copy

import pytest
import torch
import torch.nn.functional as F

from unispeech_cli.frames import CONVOLUTIONS
from unispeech_cli.model.frontend import Frontend, FrontendSettings, normalize_wave

FORMS = [FrontendSettings(channels=8), FrontendSettings(channels=8, norm="layer", bias=True)]


def reference(frontend: Frontend, wave_BS: torch.Tensor) -> torch.Tensor:
    """The same network by conv1d, group_norm and layer_norm on one utterance without padding."""
    x = ((wave_BS - wave_BS.mean()) / torch.sqrt(wave_BS.var(unbiased=False) + 1e-7))[:, None]
    for layer, (_, stride) in zip(frontend.layers, CONVOLUTIONS, strict=True):
        x = F.conv1d(x, layer.weight, layer.bias, stride=stride)
        if frontend.settings.norm == "layer":
            x = F.layer_norm(x.transpose(1, 2), x.shape[1:2], layer.norm.weight, layer.norm.bias).transpose(
                1, 2
            )
        elif layer.norm is not None:
            x = F.group_norm(x, x.shape[1], layer.norm.weight, layer.norm.bias)
        x = F.gelu(x)
    return x.transpose(1, 2)


def double(settings: FrontendSettings) -> Frontend:
    """In float64: torch 1.13's own conv and gelu gradients are wrong in float32 for some layouts."""
    torch.manual_seed(0)
    return Frontend(settings).double()


@pytest.mark.parametrize("settings", FORMS)
def test_equals_conv1d_values_and_gradients(settings: FrontendSettings) -> None:
    frontend = double(settings)
    wave = torch.randn(1, 3000, dtype=torch.double, requires_grad=True)
    ours, _ = frontend(wave, torch.tensor([3000]))
    theirs = reference(frontend, wave)
    torch.testing.assert_close(ours, theirs)
    inputs, target = [wave, *frontend.parameters()], torch.randn_like(theirs)
    exact = torch.autograd.grad((theirs * target).sum(), inputs)
    torch.testing.assert_close(torch.autograd.grad((ours * target).sum(), inputs), exact)
    single = copy.deepcopy(frontend).float()
    wave_single = wave.detach().float().requires_grad_()
    loss = (single(wave_single, torch.tensor([3000]))[0] * target.float()).sum()
    gradients = torch.autograd.grad(loss, [wave_single, *single.parameters()])
    torch.testing.assert_close(gradients, tuple(g.float() for g in exact), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("settings", FORMS)
def test_an_utterance_does_not_see_its_batch(settings: FrontendSettings) -> None:
    torch.manual_seed(0)
    frontend = Frontend(settings)
    long, short = torch.randn(4000), torch.randn(1711)
    batch = torch.nn.utils.rnn.pad_sequence([long, short], batch_first=True)
    batch[1, 1711:] = 7.0  # what lies in the padding must not matter
    together, lengths = frontend(batch, torch.tensor([4000, 1711]))
    alone, _ = frontend(short[None], torch.tensor([1711]))
    torch.testing.assert_close(together[1, : lengths[1]], alone[0], rtol=1e-4, atol=1e-5)
    assert not together[1, lengths[1] :].any()


def test_normalisation_is_over_the_true_length() -> None:
    wave = torch.zeros(2, 1000)
    wave[0] = torch.randn(1000) * 3 + 5
    wave[1, :500] = torch.randn(500) * 0.01 - 1
    normal = normalize_wave(wave, torch.tensor([1000, 500]))
    for row, length in ((0, 1000), (1, 500)):
        assert abs(float(normal[row, :length].mean())) < 1e-4
        assert abs(float(normal[row, :length].std(unbiased=False)) - 1) < 1e-2
    assert not normal[1, 500:].any()


def test_the_wave_can_be_taken_as_it_is() -> None:
    wave, lengths = torch.randn(2, 2000) * 3 + 5, torch.tensor([2000, 1500])
    frames = []
    for normalizes, samples in ((True, wave), (False, normalize_wave(wave, lengths)), (False, wave)):
        torch.manual_seed(0)
        frontend = Frontend(FrontendSettings(channels=8, norm="layer", normalize_wave=normalizes))
        frames.append(frontend(samples, lengths)[0])
    torch.testing.assert_close(frames[0], frames[1])
    assert not torch.allclose(frames[0], frames[2], atol=0.1)


def test_the_gradient_into_the_convolutions_can_be_scaled() -> None:
    gradients = []
    for scale in (1.0, 0.1):
        torch.manual_seed(0)
        frontend = Frontend(FrontendSettings(channels=4, gradient_scale=scale))
        frontend(torch.randn(1, 1000), torch.tensor([1000]))[0].sum().backward()
        gradients.append(frontend.layers[0].weight.grad)
    torch.testing.assert_close(gradients[0] * 0.1, gradients[1])


def test_too_short_an_utterance_is_refused() -> None:
    with pytest.raises(ValueError, match="399 samples"):
        Frontend(FrontendSettings(channels=4))(torch.zeros(1, 500), torch.tensor([399]))
