"""In which numbers a model computes. Weights, their gradients, norms, softmaxes and losses are float32 in any case."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

Kind = Literal["float32", "bf16", "fp16"]

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
# where the scale of fp16 starts, and the updates in quiet after which it is doubled
FIRST_SCALE = 2.0**16
PATIENCE = 2000


class LossScale:
    """What the loss is multiplied by, so that small gradients stay above 0 in fp16 (Micikevicius et al. 2018, 3.2).

    Halved by an overflow of gradients, doubled after `PATIENCE` updates without. One that does not move is 1.
    """

    def __init__(self, value: float = FIRST_SCALE, moves: bool = True) -> None:
        self.value, self.moves = value, moves
        self._quiet = 0

    def learn(self, overflow: bool) -> None:
        """Take notice of an update. Raises ValueError when gradients overflow without any scale."""
        if not self.moves:
            return
        self._quiet = 0 if overflow else self._quiet + 1
        if overflow:
            self.value /= 2
        elif self._quiet == PATIENCE:
            self.value, self._quiet = self.value * 2, 0
        if self.value < 1:
            raise ValueError(
                "run.precision fp16: gradients overflow even as they are; use bf16 or float32, or a lower optim.lr"
            )

    def state(self) -> dict[str, float]:
        """What a checkpoint keeps."""
        return {"value": self.value, "quiet": self._quiet} if self.moves else {}

    def restore(self, state: dict[str, float]) -> None:
        """Go on from a checkpoint's `state`; {} is that of another precision."""
        if self.moves and state:
            self.value, self._quiet = state["value"], int(state["quiet"])


class Precision:
    """Autocast, and the loss scale, which moves for fp16 alone. Raises ValueError for fp16 on a CPU."""

    def __init__(self, kind: Kind, device: torch.device) -> None:
        if kind == "fp16" and device.type == "cpu":
            raise ValueError("run.precision fp16 needs a GPU; on a CPU there are float32 and bf16")
        self.kind, self._device = kind, device
        self.loss_scale = LossScale() if kind == "fp16" else LossScale(1.0, moves=False)

    def autocast(self) -> AbstractContextManager[None]:
        """Where the model computes. The one place that turns it on."""
        if self.kind == "float32":
            return nullcontext()
        return torch.autocast(self._device.type, DTYPES[self.kind])
