"""What the frontend's norms need to know of a whole recording, gathered block by block in one pass.

The first convolution is linear, so mean and variance of its outputs over time follow from mean and covariance
of the windows of samples that it sees. That is how group norm, too, is exact without holding the recording.

Legend: S samples, W windows of the first convolution, K its kernel, C channels.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unispeech_cli.frames import CONVOLUTIONS

KERNEL, STRIDE = CONVOLUTIONS[0]
# what rounding to 16 bits alone puts into a wave
SILENCE = 1e-10


@dataclass(frozen=True)
class Statistics:
    """Of a recording of `num_samples`: mean and variance of samples, and of the windows of each K samples."""

    num_samples: int
    mean: float
    variance: float
    window_mean_K: NDArray[np.float64]
    window_covariance_KK: NDArray[np.float64]

    def channels(self, weight_CK: Tensor, normalized: bool) -> tuple[Tensor, Tensor]:
        """Mean and variance (C,) over time of the windows times `weight_CK`, the wave normalised or as it is."""
        weight = weight_CK.detach().double().cpu().numpy()
        mean_K, covariance_KK = self.window_mean_K, self.window_covariance_KK
        if normalized:
            mean_K, covariance_KK = (mean_K - self.mean) * self._scale, covariance_KK * self._scale**2
        variance_C = ((weight @ covariance_KK) * weight).sum(1).clip(min=0)
        return torch.from_numpy(weight @ mean_K).to(weight_CK), torch.from_numpy(variance_C).to(weight_CK)

    @property
    def is_silent(self) -> bool:
        """Whether there is nothing but a constant, or the noise of its last bit."""
        return self.variance < SILENCE

    def normalize(self, wave_BS: Tensor) -> Tensor:
        """Parts of the recording, normalised as `frontend.normalize_wave` would the whole."""
        return (wave_BS - self.mean) * self._scale

    @property
    def _scale(self) -> float:
        return float((self.variance + 1e-7) ** -0.5)


def measure(blocks: Iterable[NDArray[np.float32]]) -> Statistics:
    """Read all blocks (samples,) of a recording once. Constant memory."""
    samples, windows = _Moments(1), _Moments(KERNEL)
    rest = np.zeros(0, np.float64)
    for block in blocks:
        wave_S = block.astype(np.float64)
        samples.add(wave_S[:, None])
        rest = np.concatenate([rest, wave_S])
        count = max(0, (len(rest) - KERNEL) // STRIDE + 1)
        if count:
            view_WK = np.lib.stride_tricks.sliding_window_view(rest, KERNEL)[::STRIDE]
            windows.add(np.ascontiguousarray(view_WK))
            rest = rest[count * STRIDE :]
    mean, variance = float(samples.mean[0]), float(samples.covariance[0, 0])
    return Statistics(samples.count, mean, variance, windows.mean, windows.covariance)


class _Moments:
    """Mean and covariance of rows that come in parts; parts are merged by their own means, which is stable."""

    def __init__(self, width: int) -> None:
        self.count = 0
        self.mean = np.zeros(width)
        self._scatter = np.zeros((width, width))

    @property
    def covariance(self) -> NDArray[np.float64]:
        return self._scatter / max(self.count, 1)

    def add(self, rows: NDArray[np.float64]) -> None:
        if not len(rows):
            return
        mean, count = rows.mean(0), len(rows)
        centred, shift, total = rows - mean, mean - self.mean, self.count + count
        self._scatter += centred.T @ centred + np.outer(shift, shift) * (self.count * count / total)
        self.mean = self.mean + shift * (count / total)
        self.count = total
