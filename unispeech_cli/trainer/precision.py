"""In which numbers a model computes. Weights, their gradients, norms, softmaxes and losses are float32 in any case."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

Kind = Literal["float32", "bf16", "fp16"]

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
# of fp16 (Micikevicius et al. 2018, section 3.2): where the scale starts, and after how many updates it is doubled
FIRST_SCALE = 2.0**16
PATIENCE = 2000


class Precision:
    """Autocast, and for fp16 the scale that keeps small gradients above 0: halved by an overflow, doubled in quiet.

    Raises ValueError for fp16 on a CPU.
    """

    def __init__(self, kind: Kind, device: torch.device) -> None:
        if kind == "fp16" and device.type == "cpu":
            raise ValueError("run.precision fp16 needs a GPU; on a CPU there are float32 and bf16")
        self.kind, self._device = kind, device
        self.scale = FIRST_SCALE if kind == "fp16" else 1.0
        self._quiet = 0

    @property
    def scales(self) -> bool:
        """Whether an overflow of gradients is part of the game."""
        return self.kind == "fp16"

    def autocast(self) -> AbstractContextManager[None]:
        """Where the model computes. The one place that knows how torch does it."""
        if self.kind == "float32":
            return nullcontext()
        return torch.autocast(self._device.type, DTYPES[self.kind])

    def learn(self, overflow: bool) -> None:
        """Move the scale after an update. Raises ValueError when gradients overflow without any scale."""
        if not self.scales:
            return
        self._quiet = 0 if overflow else self._quiet + 1
        if overflow:
            self.scale /= 2
        elif self._quiet == PATIENCE:
            self.scale, self._quiet = self.scale * 2, 0
        if self.scale < 1:
            raise ValueError(
                "run.precision fp16: gradients overflow even as they are; use bf16 or float32, or a lower optim.lr"
            )

    def state(self) -> dict[str, float]:
        """What a checkpoint keeps."""
        return {"scale": self.scale, "quiet": self._quiet}

    def restore(self, state: dict[str, float]) -> None:
        """Go on from a checkpoint's `state`; {} is one of another precision."""
        if self.scales and state:
            self.scale, self._quiet = state["scale"], int(state["quiet"])
