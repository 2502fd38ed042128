"""Frame posteriors of a recording of any length, in constant memory.

The recording is read twice: once for its statistics (`statistics.measure`), once in chunks. Chunks begin and end
on frames, and each brings context on both sides that is thrown away again, so that every frame comes out exactly
once. The frames that enter the context network are those of the whole recording; what a frame attends to ends
with its chunk.

Legend: S samples, T frames, V tokens with blank at 0.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unispeech_cli.frames import HOP, RECEPTIVE_FIELD, SAMPLE_RATE, num_frames
from unispeech_cli.model.recognizer import Recognizer
from unispeech_cli.model.statistics import Statistics

Wave = NDArray[np.float32]


@dataclass(frozen=True)
class ChunkSettings:
    """How recordings longer than `seconds` are recognised: in chunks of as much, and context on each side.

    Together they are as long as the longest utterances of training; the convolution over positions reaches 1.3 s.
    """

    seconds: float = 20.0
    overlap: float = 3.0

    def __post_init__(self) -> None:
        if self.seconds < 1 or self.overlap < 0:
            raise ValueError(f"chunks of {self.seconds:g} s with {self.overlap:g} s on each side: too short")


@dataclass(frozen=True)
class Chunk:
    """Frames `begin` to `end` of a recording, computed from frames `first` to `last` (ends not included)."""

    first: int
    begin: int
    end: int
    last: int

    @property
    def samples(self) -> slice:
        """The samples of which its frames are made."""
        return slice(self.first * HOP, (self.last - 1) * HOP + RECEPTIVE_FIELD)


def chunks(frames: int, settings: ChunkSettings) -> list[Chunk]:
    """The chunks that cover `frames`, each frame in the `begin` to `end` of exactly one."""
    length, side = (round(s * SAMPLE_RATE / HOP) for s in (settings.seconds, settings.overlap))
    edges = [(begin, min(begin + length, frames)) for begin in range(0, frames, length)]
    return [Chunk(max(0, begin - side), begin, end, min(end + side, frames)) for begin, end in edges]


def posteriors(
    recognizer: Recognizer,
    blocks: Iterable[Wave],
    whole: Statistics,
    settings: ChunkSettings,
    device: str = "cpu",
) -> Iterator[Tensor]:
    """Log-probabilities (T, V) on the CPU, chunk after chunk; together those of every frame of the recording.

    `blocks` are consecutive samples (samples,) at 16 kHz, `whole` is what `statistics.measure` found in the same
    ones. Nothing comes of less than one frame (400 samples). Raises ValueError where the model gives NaN.
    """
    frames = num_frames(whole.num_samples) if whole.num_samples >= RECEPTIVE_FIELD else 0
    plan = chunks(frames, settings)
    for chunk, wave_S in zip(plan, waves(blocks, plan), strict=True):
        log_prob_TV = _log_probs(recognizer, torch.from_numpy(wave_S).to(device), whole)
        yield log_prob_TV[chunk.begin - chunk.first : chunk.end - chunk.first].cpu()


def waves(blocks: Iterable[Wave], plan: Sequence[Chunk]) -> Iterator[Wave]:
    """The samples of each chunk in turn. Holds no more than a chunk and a block."""
    source, start = iter(blocks), 0
    held_S = np.zeros(0, np.float32)
    for chunk in plan:
        parts = [held_S[chunk.samples.start - start :]]
        start, missing = chunk.samples.start, chunk.samples.stop - chunk.samples.start - len(parts[0])
        while missing > 0:
            parts.append(next(source))
            missing -= len(parts[-1])
        held_S = np.concatenate(parts)
        yield held_S[: chunk.samples.stop - start]


def _log_probs(recognizer: Recognizer, wave_S: Tensor, whole: Statistics) -> Tensor:
    with torch.no_grad():
        lengths_B = torch.tensor([len(wave_S)], device=wave_S.device)
        logit_TV = recognizer(wave_S[None], lengths_B, whole).logit_BTV[0]
        if logit_TV.isnan().any():
            raise ValueError("the model gives NaN: it has diverged; use another checkpoint")
        return logit_TV.float().log_softmax(-1)
