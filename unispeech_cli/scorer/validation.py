"""How good a model is on held-out batches, while it trains.

Legend: B utterances, S samples, T frames, V tokens with blank at 0, L labels.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from unispeech_cli.batches.batch import Batch
from unispeech_cli.decoder.search import greedy
from unispeech_cli.frames import SAMPLE_RATE
from unispeech_cli.objective.unispeech import Losses
from unispeech_cli.scorer.alignment import Counts, align, count
from unispeech_cli.scorer.rates import Rate, total

Recognize = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
Together = Callable[[Sequence[float]], Sequence[float]]


def error_rate(
    recognize: Recognize, batches: Iterable[Batch], together: Together = lambda sums: sums
) -> Rate:
    """Token error rate of greedy decoding over the labelled utterances of `batches`.

    `recognize` makes logits (B, T, V) and frame lengths (B,) of samples (B, S) and their lengths; `together` sums
    over those who have other batches. Raises ValueError, on all of them alike, where nobody has heard anything.
    """
    with torch.no_grad():
        rate = total(rate for batch in batches for rate in _rates(batch, recognize))
    counts = rate.counts.correct, rate.counts.substitutions, rate.counts.deletions, rate.counts.insertions
    *summed, utterances, seconds = together([*counts, rate.utterances, rate.seconds])
    _check_heard(utterances)
    return Rate(Counts(*map(int, summed)), int(utterances), seconds)


def mean_loss(
    model: nn.Module,
    objective: Callable[..., Losses],
    batches: Iterable[Batch],
    term: str,
    seed: int,
    together: Together = lambda sums: sums,
) -> float:
    """One term of the objective per counted unit over `batches`, with the same masks and draws each time.

    `together` sums over those who have other batches. Raises ValueError, on all of them alike, where nobody has heard
    anything.
    """
    torch.manual_seed(seed)
    summed = count_all = 0.0
    with torch.no_grad():
        for batch in (batch.seeded(seed, 0) for batch in batches):
            losses = objective(model(batch.wave_BS, batch.wave_lengths_B, seeds=batch.seeds), batch)
            summed, count_all = summed + float(losses.terms[term]), count_all + float(losses.count)
    summed, count_all = together([summed, count_all])
    _check_heard(count_all)
    return summed / count_all


def _check_heard(count: float) -> None:
    # 0 errors of 0 would be the best figure there is
    if not count:
        raise ValueError(
            "none of the development cuts can be read, or none is labelled: see the log, and --dev"
        )


def _rates(batch: Batch, recognize: Recognize) -> Iterator[Rate]:
    logit_BTV, frame_lengths_B = recognize(batch.wave_BS, batch.wave_lengths_B)
    paths = greedy(logit_BTV.float().log_softmax(-1).cpu(), frame_lengths_B.cpu())
    for row, path in enumerate(paths):
        if batch.labelled_B[row]:
            ref = batch.token_BL[row, : batch.token_lengths_B[row]].tolist()
            yield Rate(count(align(ref, path.ids)), 1, float(batch.wave_lengths_B[row]) / SAMPLE_RATE)
