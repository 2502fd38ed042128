"""Greedy error rate of a model on batches, for validation while training.

Legend: B utterances, S samples, T frames, V tokens with blank at 0, L labels.
"""

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from unispeech_cli.batches.batch import Batch
from unispeech_cli.decoder.search import greedy
from unispeech_cli.frames import SAMPLE_RATE
from unispeech_cli.scorer.alignment import align, count
from unispeech_cli.scorer.rates import Rate, total


def error_rate(recognise: Callable[[Batch], tuple[Tensor, Tensor]], batches: Iterable[Batch]) -> Rate:
    """Token error rate of greedy decoding over the labelled utterances of `batches`.

    `recognise` moves the batch where it must and gives log-probabilities (B, T, V) and frame lengths (B,).
    """
    with torch.no_grad():
        return total(rate for batch in batches for rate in _rates(batch, *recognise(batch)))


def _rates(batch: Batch, log_prob_BTV: Tensor, frame_lengths_B: Tensor) -> Iterator[Rate]:
    for row, path in enumerate(greedy(log_prob_BTV, frame_lengths_B)):
        if batch.labelled_B[row]:
            ref = batch.token_BL[row, : batch.token_lengths_B[row]].tolist()
            yield Rate(count(align(ref, path.ids)), 1, float(batch.wave_lengths_B[row]) / SAMPLE_RATE)
