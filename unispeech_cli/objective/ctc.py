"""CTC behind one function: through k2 where it imports, else through torch; blank is 0.

Legend: B utterances, T frames, V tokens, L labels.
"""

import math
from functools import cache
from importlib.util import find_spec
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from unispeech_cli.frames import ctc_frames_needed

# k2's default beam of 10 prunes paths that matter while posteriors are flat; at 30 the gradient is torch's to 1e-6
OUTPUT_BEAM = 30.0
# log-probabilities below, summed over frames, leave float32
LEAST = -1e30

Backend = Literal["k2", "torch"]


@cache
def best_backend() -> Backend:
    """k2 if it imports beside this torch, else torch."""
    if find_spec("k2") is None:
        return "torch"
    try:
        import k2  # noqa: F401
    except ImportError:
        return "torch"
    return "k2"


def ctc_loss(
    log_prob_BTV: Tensor,
    frame_lengths_B: Tensor,
    token_BL: Tensor,
    token_lengths_B: Tensor,
    backend: Backend | None = None,
) -> Tensor:
    """-log p(tokens | frames) of each utterance, float32, in nats. Returns (B,).

    NaN where `log_prob_BTV` is of a model that has diverged. Raises ValueError for a label outside 1 .. V-1 or a
    transcript with more labels (and blanks between equal ones) than frames: phonemize drops those, with a report.
    """
    targets = [
        row[:length].tolist() for row, length in zip(token_BL.cpu(), token_lengths_B.tolist(), strict=True)
    ]
    _check(targets, frame_lengths_B.tolist(), log_prob_BTV.shape[2])
    if (backend or best_backend()) == "k2":
        return _k2_loss(log_prob_BTV.float(), frame_lengths_B, targets)
    return F.ctc_loss(
        log_prob_BTV.float().transpose(0, 1), token_BL, frame_lengths_B, token_lengths_B, reduction="none"
    )


def _check(targets: list[list[int]], frame_lengths: list[int], tokens: int) -> None:
    for row, (target, frames) in enumerate(zip(targets, frame_lengths, strict=True)):
        if target and not 0 < min(target) <= max(target) < tokens:
            raise ValueError(f"row {row}: labels {min(target)}..{max(target)} outside 1..{tokens - 1}")
        if ctc_frames_needed(target) > frames:
            raise ValueError(
                f"row {row}: {len(target)} labels need {ctc_frames_needed(target)} frames, not {frames}"
            )


def _k2_loss(log_prob_BTV: Tensor, frame_lengths_B: Tensor, targets: list[list[int]]) -> Tensor:
    import k2

    # of these k2 makes no loss but an error; NaN is above nothing
    if not bool((log_prob_BTV > LEAST).all()):
        return log_prob_BTV.new_full((len(targets),), math.nan)
    # k2 wants the longest first, its segments on the CPU, and float32
    order_B = torch.argsort(frame_lengths_B.cpu(), descending=True, stable=True)
    zeros_B = torch.zeros_like(order_B)
    segment_B3 = torch.stack([order_B, zeros_B, frame_lengths_B.cpu()[order_B]], 1).to(torch.int32)
    graph = k2.ctc_graph(
        [targets[row] for row in order_B.tolist()], modified=False, device=log_prob_BTV.device
    )
    dense = k2.DenseFsaVec(log_prob_BTV, segment_B3)
    loss_B = k2.ctc_loss(graph, dense, output_beam=OUTPUT_BEAM, reduction="none")
    return loss_B[torch.argsort(order_B).to(loss_B.device)].to(log_prob_BTV.dtype)
