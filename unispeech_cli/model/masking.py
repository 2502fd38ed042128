"""Span masks over frames and channels (wav2vec 2.0, section 3.1; SpecAugment for fine-tuning).

Legend: B utterances, T frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class SpanSettings:
    """Spans of `length` positions; `probability` x positions / length of them start, and they may overlap."""

    # the expected masked share if spans never overlapped; 0 masks nothing
    probability: float = 0.5
    length: int = 10
    min_spans: int = 2


def span_mask(
    lengths_B: Tensor,
    size: int,
    settings: SpanSettings,
    chances: Sequence[torch.Generator | None] | None = None,
) -> Tensor:
    """Draw span masks inside the true lengths. Returns (B, size), bool, on the device of `lengths_B`.

    An utterance shorter than two spans gets shorter ones, so that something stays visible; one of a single
    position gets none. Draws are on the CPU, row by row, by `chances`, or torch's own in the order of the batch.
    """
    mask_BT = torch.zeros(len(lengths_B), size, dtype=torch.bool)
    if settings.probability > 0:
        for row, length in enumerate(lengths_B.tolist()):
            chance = None if chances is None else chances[row]
            mask_BT[row, _span_positions(length, settings, chance)] = True
    return mask_BT.to(lengths_B.device)


def _span_positions(positions: int, settings: SpanSettings, chance: torch.Generator | None) -> Tensor:
    span = min(settings.length, positions // 2)
    if span == 0:
        return torch.empty(0, dtype=torch.long)
    wanted = settings.probability * positions / span + float(torch.rand((), generator=chance))
    starts = torch.randperm(positions - span + 1, generator=chance)[: max(settings.min_spans, int(wanted))]
    return (starts[:, None] + torch.arange(span)[None, :]).flatten()
