"""When a search runs out of memory or finds no way through: narrower beams, then the CPU, then a plain search.

Shapes: B utterances, T frames, V tokens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unispeech_cli.decoder.search import BestPath

Heard = tuple[BestPath, ...]
"""What was heard in one utterance: a path for each setting, such as each scale of the language model."""

Search = Callable[[Tensor, Tensor], list[Heard | None]]
"""Log-probabilities (B, T, V) and lengths (B,) -> what was heard, None where the search found no way to the end."""

Tell = Callable[[str], None]

OUT_OF_MEMORY = "out of memory"
# how torch and C++ say so, besides torch's own class of errors
MEMORY_ERRORS = (OUT_OF_MEMORY, "can't allocate memory", "bad_alloc")
# all that k2 says to Python of its fatal errors, indexes that overflow among them; its reason is printed before
K2_ERROR = "Some bad things happened"
NO_WAY = "no way through the graph"


@dataclass(frozen=True)
class Rung:
    """A search, what it is called in a line, and the device that it wants (None: where the posteriors are)."""

    name: str
    search: Search
    device: str | None = None


@dataclass(frozen=True)
class Ladder:
    """The search that is wanted, what saves memory, and plain searches, which always find a way."""

    wanted: Rung
    saving: tuple[Rung, ...] = ()
    plain: tuple[Rung, ...] = ()

    def __call__(
        self, log_prob_BTV: Tensor, frame_lengths_B: Tensor, cut_ids: Sequence[str], tell: Tell
    ) -> list[Heard]:
        """What was heard in each utterance; a line to `tell` for each that the search wanted did not do.

        Raises ValueError naming a cut for which no search does, or for which the model gives NaN.
        """
        _refuse_nan(log_prob_BTV, frame_lengths_B, cut_ids)
        found, error = _tried(self.wanted, log_prob_BTV, frame_lengths_B)
        # what failed in a batch may do alone; what found no way will find none
        again = (self.wanted,) if len(cut_ids) > 1 else ()
        rest = (*again, *self.saving, *self.plain) if error else self.plain
        return [
            heard
            or self._down(
                rest, error or NO_WAY, (log_prob_BTV[row], frame_lengths_B[row]), cut_ids[row], tell
            )
            for row, heard in enumerate(found)
        ]

    def _down(
        self, rungs: Sequence[Rung], reason: str, frames: tuple[Tensor, Tensor], cut_id: str, tell: Tell
    ) -> Heard:
        """One utterance, (T, V) and its length, down the ladder."""
        log_prob_TV, length = frames
        for rung in rungs:
            (heard,), _ = _tried(rung, log_prob_TV[None, : int(length)], length[None])
            if heard is not None:
                if rung is not self.wanted:
                    tell(f"{cut_id}: {reason}; {rung.name} instead")
                return heard
        raise ValueError(f"{cut_id}: {reason}, and nothing else does either")


def _refuse_nan(log_prob_BTV: Tensor, frame_lengths_B: Tensor, cut_ids: Sequence[str]) -> None:
    for cut_id, log_prob_TV, length in zip(cut_ids, log_prob_BTV, frame_lengths_B, strict=True):
        if log_prob_TV[:length].isnan().any():
            raise ValueError(f"the model gives NaN for {cut_id}: it has diverged; use another checkpoint")


def _tried(
    rung: Rung, log_prob_BTV: Tensor, frame_lengths_B: Tensor
) -> tuple[list[Heard | None], str | None]:
    """What the search found; all None, and why, where it ran out of memory or k2 gave up."""
    device = rung.device or log_prob_BTV.device
    try:
        return rung.search(log_prob_BTV.to(device), frame_lengths_B.to(device)), None
    except (MemoryError, RuntimeError) as error:
        reason = reason_of(error)
        if reason is None:
            raise
    # beyond the handler, so that its traceback holds nothing of the search any more
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return [None] * len(frame_lengths_B), reason


def reason_of(error: Exception) -> str | None:
    """Why a search with less to do may succeed, in words; None for errors that are not of this kind."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return OUT_OF_MEMORY
    if any(words in str(error) for words in MEMORY_ERRORS):
        return OUT_OF_MEMORY
    return "k2 gave up" if K2_ERROR in str(error) else None
