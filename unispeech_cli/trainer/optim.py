"""AdamW over the parameters that train."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn


@dataclass(frozen=True)
class OptimSettings:
    """Adam as in the official pre-training; gradients are clipped to `clip` by their whole norm."""

    # the peak of the schedule
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-6
    weight_decay: float = 0.01
    # what decays: matrices, or biases, norms and the mask embedding as well (released code)
    decay: Literal["matrices", "all"] = "matrices"
    clip: float = 25.0
    # decay of a moving average of the weights, which is then what is validated and kept; null: none (paper)
    ema: float | None = None

    def __post_init__(self) -> None:
        if self.ema is not None and not 0 < self.ema < 1:
            raise ValueError(f"ema is between 0 and 1 or null, not {self.ema:g}")


def make_optimizer(model: nn.Module, settings: OptimSettings) -> torch.optim.AdamW:
    """AdamW, in groups of matrices and of vectors, which may decay or not. The rate is set update by update."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    of_vectors = settings.weight_decay if settings.decay == "all" else 0.0
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": of_vectors},
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=settings.betas, eps=settings.eps)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every parameter group this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate
