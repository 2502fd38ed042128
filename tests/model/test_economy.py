"""Less memory or less time, the same numbers."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from unispeech_cli.model.economy import compile_layers
from unispeech_cli.model.unispeech import Output, UniSpeech, UniSpeechSettings
from unispeech_cli.settings import build

ENCODER = {"layers": 2, "dim": 16, "heads": 2, "ffn_dim": 32, "position_kernel": 8, "position_groups": 2}
QUANTIZER = {"groups": 2, "entries": 8, "dim": 8}


def network(norm: str = "group", **encoder: object) -> UniSpeech:
    torch.manual_seed(0)
    parts = {
        "frontend": {"channels": 8, "norm": norm},
        "encoder": {**ENCODER, **encoder},
        "quantizer": QUANTIZER,
    }
    return UniSpeech(build(UniSpeechSettings, parts), num_tokens=4).train()


def gradients(
    model: UniSpeech, change: Callable[[], object] = lambda: None
) -> tuple[Output, list[Tensor | None]]:
    """Of a scalar of all that comes out, dropout and dropped layers by the same seed."""
    wave_BS, lengths_B = (
        torch.randn(2, 6000, generator=torch.Generator().manual_seed(1)),
        torch.tensor([6000, 4500]),
    )
    torch.manual_seed(2)
    output = model(wave_BS, lengths_B, seeds=(3, 4))
    total = output.logit_BTV.square().sum() + output.context_BTD.square().sum() + output.quantized_BTD.sum()
    change()
    return output, list(torch.autograd.grad(total, list(model.parameters()), allow_unused=True))


def assert_equal(ours: list[Tensor | None], expected: list[Tensor | None], **close: float) -> None:
    assert [gradient is None for gradient in ours] == [gradient is None for gradient in expected]
    for own, other in zip(ours, expected, strict=True):
        if own is not None:
            torch.testing.assert_close(own, other, **close)


@pytest.mark.parametrize("norm", ["group", "layer"])
@pytest.mark.parametrize("bf16", [False, True])
def test_recomputed_layers_give_the_very_gradients(norm: str, bf16: bool) -> None:
    """With dropout, and with a layer left out; what is drawn meanwhile does not matter."""
    kept, recomputed = network(norm, layerdrop=0.5), network(norm, layerdrop=0.5)
    recomputed.context.spare(recompute=True, compiled=False)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        output, expected = gradients(kept)
        again, ours = gradients(recomputed, change=lambda: torch.manual_seed(99))
    assert torch.equal(output.logit_BTV, again.logit_BTV)
    assert any(gradient is None for gradient in expected)
    assert_equal(ours, expected, rtol=0.0, atol=0.0)


def test_recomputed_layers_keep_less() -> None:
    held = {}
    for recompute in (False, True):
        model = network(layers=4)
        model.context.spare(recompute=recompute, compiled=False)
        kept: list[int] = []

        def keep(tensor: Tensor, kept: list[int] = kept) -> Tensor:
            kept.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            gradients(model)
        held[recompute] = sum(kept)
    # what is left are the inputs of layers, the quantizer and the head
    assert held[True] < 0.3 * held[False]


def test_a_torch_that_cannot_compile_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.nn.Module, "compile", raising=False)
    with pytest.raises(ValueError, match=r"run\.compile needs torch 2\.2 or newer, this is .*--env torch2"):
        compile_layers([torch.nn.Linear(1, 1)])


@pytest.mark.compile
@pytest.mark.filterwarnings("ignore")  # torch warns itself while it compiles
def test_layers_that_torch_takes_apart_give_the_same_gradients() -> None:
    """All of a network as torch sees it when it compiles, but run as it is: what is generated takes minutes."""
    plain, taken = (network(layers=1, dropout=0.0, attention_dropout=0.0) for _ in range(2))
    compile_layers(taken.context.encoder.layers, backend="aot_eager")
    names = list(plain.state_dict())
    output, expected = gradients(plain)
    again, ours = gradients(taken)
    assert names == list(taken.state_dict())
    torch.testing.assert_close(output.logit_BTV, again.logit_BTV, rtol=1e-4, atol=1e-5)
    assert_equal(ours, expected, rtol=1e-3, atol=1e-4)
