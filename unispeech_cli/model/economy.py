"""The same numbers for less memory or time: activations computed again on the way back, layers compiled."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def through(layer: nn.Module, *inputs: Any, again: bool) -> Any:
    """What a layer gives; with `again` it keeps nothing but its inputs and is computed anew for the gradient.

    Dropout then falls as it did the first time.
    """
    if again and torch.is_grad_enabled():
        return checkpoint(layer, *inputs, use_reentrant=False)
    return layer(*inputs)


def compile_layers(layers: Iterable[nn.Module], backend: str = "inductor") -> None:
    """Let torch compile each layer when it is first used, for any length. Raises ValueError where it cannot."""
    if not hasattr(nn.Module, "compile"):
        raise ValueError(
            f"run.compile needs torch 2.2 or newer, this is {torch.__version__}: local/setup.sh --env torch2"
        )
    for layer in layers:
        layer.compile(dynamic=True, backend=backend)
