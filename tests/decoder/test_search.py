import math

import pytest
import torch
from torch import Tensor

from unispeech_cli.decoder.search import BestPath, greedy


def said(*ids: int, tokens: int = 4) -> Tensor:
    """Log-probabilities of frames that each say one token with probability 0.7, the rest shared."""
    prob_TV = torch.full((len(ids), tokens), 0.3 / (tokens - 1))
    prob_TV[torch.arange(len(ids)), torch.tensor(ids)] = 0.7
    return prob_TV.log()


@pytest.mark.parametrize(
    ("frames", "ids", "first", "last"),
    [
        ([0, 1, 1, 0, 1, 2, 2, 2, 3, 0], (1, 1, 2, 3), (1, 4, 5, 8), (2, 4, 7, 8)),
        ([2, 2, 2], (2,), (0,), (2,)),
        ([0, 0, 0, 0], (), (), ()),
        ([3], (3,), (0,), (0,)),
    ],
)
def test_repeats_collapse_and_blanks_drop(
    frames: list[int], ids: tuple[int, ...], first: tuple[int, ...], last: tuple[int, ...]
) -> None:
    (path,) = greedy(said(*frames)[None], torch.tensor([len(frames)]))
    assert (path.ids, path.frames, path.last) == (ids, first, last)
    assert path.score == pytest.approx(len(frames) * math.log(0.7))


def test_frames_past_the_length_are_not_heard() -> None:
    log_prob_BTV = torch.stack([said(1, 2, 3, 1), said(1, 2, 3, 1)])
    long, short = greedy(log_prob_BTV, torch.tensor([4, 2]))
    assert (long.ids, short.ids) == ((1, 2, 3, 1), (1, 2))
    assert short.score == pytest.approx(2 * math.log(0.7))


def test_no_frames_say_nothing() -> None:
    assert greedy(said(1, 2)[None], torch.tensor([0])) == [BestPath((), (), (), 0.0)]


def test_every_path_through_the_frames_is_at_most_as_probable() -> None:
    log_prob_BTV = torch.randn(1, 4, 3, generator=torch.Generator().manual_seed(1)).log_softmax(-1)
    paths = torch.cartesian_prod(*[torch.arange(3)] * 4)
    scores = log_prob_BTV[0].double()[torch.arange(4), paths].sum(-1)
    (path,) = greedy(log_prob_BTV, torch.tensor([4]))
    assert path.score == pytest.approx(scores.max().item())
