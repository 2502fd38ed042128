import torch
import torch.nn.functional as F
from torch import Tensor

from unispeech_cli.batches.batch import Batch, Example, collate
from unispeech_cli.scorer.alignment import Counts
from unispeech_cli.scorer.validation import error_rate

# what the frames say, in place of samples: token ids with blank 0
HEARD = {"right": [1, 0, 2, 2], "wrong": [0, 3, 3, 1, 0], "silent": [0, 0, 0], "unlabelled": [1, 2, 3]}


def example(cut_id: str, labels: list[int] | None) -> Example:
    token_L = None if labels is None else torch.tensor(labels)
    return Example(cut_id, "es", torch.tensor(HEARD[cut_id], dtype=torch.float32), token_L)


def recognise(batch: Batch) -> tuple[Tensor, Tensor]:
    prob_BTV = 0.9 * F.one_hot(batch.wave_BS.long(), 4) + 0.025
    return prob_BTV.log(), batch.wave_lengths_B


def test_errors_are_counted_over_all_labelled_utterances() -> None:
    batches = [
        collate([example("wrong", [2, 1]), example("unlabelled", None), example("right", [1, 2])]),
        collate([example("silent", [3])]),
    ]
    rate = error_rate(recognise, batches)
    assert rate.counts == Counts(correct=3, substitutions=1, deletions=1)
    assert (rate.fraction, rate.utterances) == (0.4, 3)
    assert rate.seconds == (5 + 4 + 3) / 16_000


def test_nothing_labelled_is_no_error() -> None:
    assert error_rate(recognise, [collate([example("unlabelled", None)])]).fraction == 0


def test_no_gradients_are_kept() -> None:
    seen = []

    def remember(batch: Batch) -> tuple[Tensor, Tensor]:
        weight = torch.ones(1, requires_grad=True)
        log_prob_BTV, lengths_B = recognise(batch)
        seen.append((weight * log_prob_BTV).requires_grad)
        return log_prob_BTV, lengths_B

    error_rate(remember, [collate([example("right", [1, 2])])])
    assert seen == [False]
