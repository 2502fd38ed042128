from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from unispeech_cli.batches.batch import Batch, Example, collate
from unispeech_cli.objective.unispeech import Losses
from unispeech_cli.scorer.alignment import Counts
from unispeech_cli.scorer.validation import error_rate, mean_loss

# what the frames say, in place of samples: token ids with blank 0
HEARD = {"right": [1, 0, 2, 2], "wrong": [0, 3, 3, 1, 0], "silent": [0, 0, 0], "unlabelled": [1, 2, 3]}


def example(cut_id: str, labels: list[int] | None) -> Example:
    token_L = None if labels is None else torch.tensor(labels)
    return Example(cut_id, "es", torch.tensor(HEARD[cut_id], dtype=torch.float32), token_L)


def recognize(wave_BS: Tensor, wave_lengths_B: Tensor) -> tuple[Tensor, Tensor]:
    return 5.0 * F.one_hot(wave_BS.long(), 4), wave_lengths_B


def test_errors_are_counted_over_all_labelled_utterances() -> None:
    batches = [
        collate([example("wrong", [2, 1]), example("unlabelled", None), example("right", [1, 2])]),
        collate([example("silent", [3])]),
    ]
    rate = error_rate(recognize, batches)
    assert rate.counts == Counts(correct=3, substitutions=1, deletions=1)
    assert (rate.fraction, rate.utterances) == (0.4, 3)
    assert rate.seconds == (5 + 4 + 3) / 16_000


def test_nothing_heard_is_no_figure() -> None:
    with pytest.raises(ValueError, match="none of the development cuts can be read, or none is labelled"):
        error_rate(recognize, [collate([example("unlabelled", None)])])


@pytest.mark.parametrize("heard", [[], ["right"]])
def test_it_takes_all_ranks_to_have_heard_nothing(heard: list[str]) -> None:
    """This rank has no readable cut; the other has `heard`, and both learn the same."""
    other: list[list[float]] = []
    if heard:
        error_rate(
            recognize, [collate([example("right", [1, 3])])], lambda sums: other.append([*sums]) or sums
        )
    else:
        other.append([0.0] * 6)

    def together(sums: Sequence[float]) -> Sequence[float]:
        return [mine + others for mine, others in zip(sums, other[0], strict=True)]

    if heard:
        assert error_rate(recognize, [], together).fraction == 0.5
        return
    with pytest.raises(ValueError, match="none of the development cuts can be read"):
        error_rate(recognize, [], together)


def test_no_loss_of_no_frames() -> None:
    with pytest.raises(ValueError, match="none of the development cuts can be read"):
        mean_loss(torch.nn.Linear(1, 1), lambda output, batch: output, [], "contrastive", 1)


def test_no_gradients_are_kept() -> None:
    seen = []

    def remember(wave_BS: Tensor, wave_lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        logit_BTV, frame_lengths_B = recognize(wave_BS, wave_lengths_B)
        seen.append((torch.ones(1, requires_grad=True) * logit_BTV).requires_grad)
        return logit_BTV, frame_lengths_B

    error_rate(remember, [collate([example("right", [1, 2])])])
    assert seen == [False]


def test_mean_loss_is_one_term_per_counted_unit_with_the_same_draws_each_time() -> None:
    noise = torch.nn.Dropout(0.5)

    def objective(output: Tensor, batch: Batch) -> Losses:
        return Losses(
            {"wanted": output.sum(), "other": output.new_tensor(99.0)}, batch.wave_lengths_B.sum(), {}
        )

    class Echo(torch.nn.Module):
        def forward(self, wave_BS: Tensor, wave_lengths_B: Tensor, *, seeds: tuple[int, ...]) -> Tensor:
            return noise(wave_BS)

    def measure(seed: int) -> float:
        return mean_loss(Echo(), objective, batches, "wanted", seed)

    batches = [collate([example("right", None), example("wrong", None)]), collate([example("silent", None)])]
    assert measure(1) == measure(1) != measure(2)
    noise.eval()
    assert measure(1) == pytest.approx((5 + 7) / (4 + 5 + 3))
