import torch

from unispeech_cli.model.activation import gelu


def test_gradients_in_a_transposed_layout_are_right() -> None:
    torch.manual_seed(0)
    single = torch.randn(2, 16, 30, requires_grad=True)
    double = single.detach().double().requires_grad_()
    target = torch.randn(2, 30, 16)
    gradient = torch.autograd.grad((gelu(single).transpose(1, 2) * target).sum(), single)[0]
    exact = torch.autograd.grad((gelu(double).transpose(1, 2) * target.double()).sum(), double)[0]
    torch.testing.assert_close(gradient, exact.float(), rtol=1e-5, atol=1e-5)
