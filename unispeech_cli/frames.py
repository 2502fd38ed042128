"""Samples and frames: the only length formula, and the rule that says whether CTC can align a transcript.

Everything here takes plain ints and integer tensors alike.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol, TypeVar

SAMPLE_RATE = 16_000
# (kernel, stride) in samples of the layer below, of the seven convolutions (wav2vec 2.0, section 2)
CONVOLUTIONS = ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2))
HOP = 320
RECEPTIVE_FIELD = 400


class _Length(Protocol):
    def __sub__(self: "Length", other: int, /) -> "Length": ...
    def __floordiv__(self: "Length", other: int, /) -> "Length": ...
    def __add__(self: "Length", other: int, /) -> "Length": ...


Length = TypeVar("Length", bound=_Length)


def convolved(length: Length, kernel: int, stride: int) -> Length:
    """Outputs of one unpadded convolution over `length` >= kernel inputs."""
    return (length - kernel) // stride + 1


def num_frames(samples: Length) -> Length:
    """Frames that the frontend makes of `samples` >= 400 samples at 16 kHz (320 samples apart, 400 wide)."""
    for kernel, stride in CONVOLUTIONS:
        samples = convolved(samples, kernel, stride)
    return samples


def ctc_frames_needed(labels: Sequence[int] | Sequence[str]) -> int:
    """The fewest frames in which CTC can emit `labels`: one each, and a blank between equal neighbours."""
    repeats = sum(left == right for left, right in pairwise(labels))
    return len(labels) + repeats
