"""GELU, safe for gradients in any memory layout."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def gelu(x: Tensor) -> Tensor:
    """The exact GELU.

    On a CPU torch 1.13's gradient of a contiguous tensor is garbage where what flows back is not contiguous; the
    values look right and training goes astray in silence. Hence the detour.
    """
    y = F.gelu(x)
    return _ContiguousGradient.apply(y) if y.requires_grad else y


class _ContiguousGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.contiguous()
