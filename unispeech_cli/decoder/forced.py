"""Forced alignment: the likeliest way through CTC's states for a given transcript, by a Viterbi of our own.

Scores are kept every so many frames and the steps between recomputed on the way back, so that memory grows with the
root of the recording's length and not with the length itself.

Legend: T frames, V tokens with blank at 0, L labels, S = 2 L + 1 states: blank, label, blank, ..., label, blank.
"""

from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unispeech_cli.frames import ctc_frames_needed

Scores = NDArray[np.float32]

# some minutes of one core: an hour of speech is about 2e10
MOST_CELLS = 5e10


@dataclass(frozen=True)
class Alignment:
    """First and last frame (L,) of each label's run, and the log-probability of the whole path."""

    first: tuple[int, ...]
    last: tuple[int, ...]
    score: float


def align(log_prob_TV: Tensor, labels: list[int]) -> Alignment:
    """The likeliest frames of each label. Raises ValueError where the frames cannot hold the labels.

    Also where frames times states are beyond MOST_CELLS (2 h of fast speech).
    """
    frames, needed = len(log_prob_TV), ctc_frames_needed(labels)
    if frames < needed:
        raise ValueError(f"the transcript needs {needed} frames of 20 ms, the recording has {frames}")
    trellis = _Trellis(log_prob_TV.float().cpu().numpy(), labels)
    if frames * trellis.states > MOST_CELLS:
        raise ValueError(
            f"{frames} frames and {len(labels)} units are too much to align at once; cut the recording in two"
        )
    state_T, score = _path(trellis)
    if not np.isfinite(score):
        raise ValueError("the model gives the transcript no probability")
    return _runs(state_T, len(labels), score)


class _Trellis:
    """CTC's states for some labels, and one step of the Viterbi over them."""

    def __init__(self, log_prob_TV: Scores, labels: list[int]) -> None:
        self.log_prob_TV, self.frames, self.states = log_prob_TV, len(log_prob_TV), 2 * len(labels) + 1
        self._label_S = np.zeros(self.states, np.int64)
        self._label_S[1::2] = labels
        # a blank may be left out between two different labels
        differs_S = np.zeros(self.states, bool)
        differs_S[3::2] = self._label_S[3::2] != self._label_S[1:-2:2]
        self._skip_S = np.where(differs_S[2:], 0, -np.inf).astype(np.float32)

    def start(self) -> Scores:
        """Scores (S,) as before the first frame: in the first blank, from where the first label is a step."""
        score_S = np.full(self.states, -np.inf, np.float32)
        score_S[0] = 0
        return score_S

    def step(self, score_S: Scores, frame: int, came_S: NDArray[np.int8]) -> Scores:
        """Scores after a frame; `came_S` is filled with how many states back each came from."""
        best_S = score_S.copy()
        came_S[:] = 0
        np.greater(score_S[:-1], best_S[1:], out=came_S[1:], casting="unsafe")
        np.maximum(best_S[1:], score_S[:-1], out=best_S[1:])
        skipped_S = score_S[:-2] + self._skip_S
        came_S[2:][skipped_S > best_S[2:]] = 2
        np.maximum(best_S[2:], skipped_S, out=best_S[2:])
        return best_S + self.log_prob_TV[frame, self._label_S]


def _path(trellis: _Trellis) -> tuple[NDArray[np.int64], float]:
    """The best state of every frame (T,), and the score of that path."""
    span = max(1, isqrt(trellis.frames))
    starts = range(0, trellis.frames, span)
    came_TS = np.zeros((span, trellis.states), np.int8)
    kept, score_S = [], trellis.start()
    for begin in starts:
        kept.append(score_S)
        for frame in range(begin, min(begin + span, trellis.frames)):
            score_S = trellis.step(score_S, frame, came_TS[0])
    # the last state is a blank, the one before it the last label
    state = max(range(max(0, trellis.states - 2), trellis.states), key=lambda state: score_S[state])
    state_T, score = np.zeros(trellis.frames, np.int64), float(score_S[state])
    for begin, score_S in zip(reversed(starts), reversed(kept), strict=True):
        end = min(begin + span, trellis.frames)
        for frame in range(begin, end):
            score_S = trellis.step(score_S, frame, came_TS[frame - begin])
        for frame in reversed(range(begin, end)):
            state_T[frame] = state
            state -= int(came_TS[frame - begin, state])
    return state_T, score


def _runs(state_T: NDArray[np.int64], labels: int, score: float) -> Alignment:
    states = np.arange(1, 2 * labels, 2)
    first, last = np.searchsorted(state_T, states, "left"), np.searchsorted(state_T, states, "right") - 1
    return Alignment(tuple(first.tolist()), tuple(last.tolist()), score)
