"""Posteriors of a long recording -> segments that end in pauses, short enough for any search.

A pause is a run of frames whose likeliest token is blank. Cut there, greedy search of the segments is greedy
search of the whole.

Legend: T frames, V tokens with blank at 0.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from unispeech_cli.decoder.search import BLANK
from unispeech_cli.frames import HOP, SAMPLE_RATE


@dataclass(frozen=True)
class SegmentSettings:
    """A segment has at most `seconds`; it is cut in the longest pause of its second half."""

    seconds: float = 30.0

    def __post_init__(self) -> None:
        if self.seconds < 1:
            raise ValueError(f"segments of {self.seconds:g} s: at least 1 s")

    @property
    def frames(self) -> int:
        return round(self.seconds * SAMPLE_RATE / HOP)


@dataclass(frozen=True)
class Segment:
    """Log-probabilities (T, V) of the frames of a recording from `first` on."""

    first: int
    log_prob_TV: Tensor


def segments(parts: Iterable[Tensor], settings: SegmentSettings) -> Iterator[Segment]:
    """Cut consecutive posteriors (T, V) into segments. Holds no more than two segments and a part."""
    first, held_TV = 0, None
    for part_TV in parts:
        held_TV = part_TV if held_TV is None else torch.cat([held_TV, part_TV])
        while len(held_TV) > settings.frames:
            cut = pause(held_TV[: settings.frames + 1].argmax(-1))
            yield Segment(first, held_TV[:cut])
            # a copy, so that what has been given out can be freed
            first, held_TV = first + cut, held_TV[cut:].clone()
    if held_TV is not None and len(held_TV):
        yield Segment(first, held_TV)


def pause(token_T: Tensor) -> int:
    """Where to cut likeliest tokens (T,): in the middle of the longest run of blanks that ends in the second half.

    Without blanks there, between two different tokens, as late as may be; never at 0 or T.
    """
    tokens, half = token_T.tolist(), len(token_T) // 2
    changes = [index for index in range(1, len(tokens)) if tokens[index] != tokens[index - 1]]
    runs = [run for run in pairwise([0, *changes, len(tokens)]) if tokens[run[0]] == BLANK and run[1] > half]
    if runs:
        begin, end = max(runs, key=lambda run: (run[1] - max(run[0], half), run))
        return max(1, min((max(begin, half) + end) // 2, len(tokens) - 1))
    return changes[-1] if changes and changes[-1] > half else len(tokens) - 1
