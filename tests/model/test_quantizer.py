import pytest
import torch

from unispeech_cli.model.quantizer import Quantizer, QuantizerSettings, perplexity

SETTINGS = QuantizerSettings(groups=2, entries=5, dim=6)


def test_a_frame_joins_one_entry_of_each_group() -> None:
    torch.manual_seed(0)
    quantizer = Quantizer(4, SETTINGS).train()
    codes = quantizer(torch.randn(2, 7, 4), temperature=1.0)
    for group in range(2):
        chosen = quantizer.codebook[group][codes.code_BTG[:, :, group]]
        torch.testing.assert_close(
            codes.vector_BTE[:, :, 3 * group : 3 * group + 3], chosen, rtol=1e-5, atol=1e-6
        )


def test_the_gradient_is_that_of_the_soft_choice() -> None:
    torch.manual_seed(0)
    quantizer = Quantizer(4, SETTINGS).train()
    frames = torch.randn(1, 3, 4)
    torch.manual_seed(1)
    codes = quantizer(frames, temperature=0.7)
    gradient = torch.autograd.grad(codes.vector_BTE.sum(), quantizer.score.weight)[0]
    torch.manual_seed(1)
    logits = quantizer.score(frames).unflatten(2, (2, 5))
    noise = -torch.empty_like(logits).exponential_().log()
    soft = ((logits + noise) / 0.7).softmax(-1)
    expected = torch.autograd.grad(
        torch.einsum("btgv,gve->", soft, quantizer.codebook), quantizer.score.weight
    )[0]
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-6)


def test_evaluation_takes_the_best_entry() -> None:
    torch.manual_seed(0)
    quantizer = Quantizer(4, SETTINGS).eval()
    frames = torch.randn(1, 9, 4)
    best = quantizer.score(frames).unflatten(2, (2, 5)).argmax(-1)
    assert torch.equal(quantizer(frames, 2.0).code_BTG, best)


def test_training_draws_from_the_softmax() -> None:
    torch.manual_seed(0)
    quantizer = Quantizer(4, SETTINGS).train()
    frames = torch.randn(1, 1, 4).expand(1, 20_000, 4)
    codes = quantizer(frames, temperature=1.0)
    share = torch.nn.functional.one_hot(codes.code_BTG[0, :, 0], 5).float().mean(0)
    torch.testing.assert_close(share, codes.prob_BTGV[0, 0, 0], rtol=0, atol=0.02)


def test_perplexity_counts_the_entries_in_use() -> None:
    one = torch.nn.functional.one_hot(torch.zeros(8, 2, dtype=torch.long), 5).float()
    assert float(perplexity(one)) == pytest.approx(2, abs=1e-4)
    assert float(perplexity(torch.full((8, 2, 5), 0.2))) == pytest.approx(10, abs=1e-4)


def test_groups_must_divide_the_dimension() -> None:
    with pytest.raises(ValueError, match=r"quantizer\.dim 7 is not a multiple"):
        Quantizer(4, QuantizerSettings(groups=2, entries=5, dim=7))
