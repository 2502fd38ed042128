"""An exponential moving average of the weights (Polyak and Juditsky 1992), which is what is validated and kept."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Ema:
    """Shadow weights e <- d e + (1 - d) w after each update, d = min(decay, (1 + update) / (10 + update)).

    The smaller d of the first updates forgets the weights that a training began with. Frozen weights and buffers
    are averaged too, and so stay what they are. Without a decay there is no `shadow`, and nothing happens.
    """

    def __init__(self, model: nn.Module, decay: float | None) -> None:
        self._model, self._decay = model, decay or 0.0
        self.shadow: dict[str, Tensor] | None = None if decay is None else _copied(model)

    @torch.no_grad()
    def follow(self, update: int, skipped: bool = False) -> None:
        """Take in the weights that `update` updates, counted from 1, have led to; not those of a skipped one."""
        if self.shadow is None or skipped:
            return
        decay = min(self._decay, (1 + update) / (10 + update))
        for name, value in self._model.state_dict().items():
            if value.is_floating_point():
                self.shadow[name].lerp_(value, 1 - decay)
            else:
                self.shadow[name].copy_(value)

    @contextmanager
    def worn(self) -> Iterator[None]:
        """The model has the average as its weights meanwhile; afterwards its own, bit for bit."""
        if self.shadow is None:
            yield
            return
        own = _copied(self._model)
        self._model.load_state_dict(self.shadow)
        try:
            yield
        finally:
            self._model.load_state_dict(own)


def _copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}
