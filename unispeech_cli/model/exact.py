"""What is computed in float32, or better, whatever numbers the network around it computes in."""

from contextlib import AbstractContextManager

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def wide(x: Tensor) -> Tensor:
    """The same in float32, unless it is wider."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def exactly(x: Tensor) -> AbstractContextManager[None]:
    """Where products, too, are left as wide as what goes into them, on the device of `x`."""
    return torch.autocast(x.device.type, enabled=False)


class LayerNorm(nn.Module):
    """Layer norm over the last dimension, which comes out wide."""

    def __init__(self, size: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(wide(x), self.weight.shape, self.weight, self.bias, self.eps)
