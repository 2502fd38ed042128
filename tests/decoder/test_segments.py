import numpy as np
import pytest
import torch

from unispeech_cli.decoder.heard import joined
from unispeech_cli.decoder.search import BestPath, greedy
from unispeech_cli.decoder.segments import Segment, SegmentSettings, pause, segments


def cut(log_prob_TV: torch.Tensor, parts: int, seconds: float) -> list[Segment]:
    return list(segments(torch.tensor_split(log_prob_TV, parts), SegmentSettings(seconds)))


def heard(log_prob_TV: torch.Tensor) -> BestPath:
    (path,) = greedy(log_prob_TV[None], torch.tensor([len(log_prob_TV)]))
    return path


@pytest.mark.parametrize(("frames", "parts"), [(0, 1), (49, 1), (50, 2), (51, 1), (300, 7), (300, 1)])
@pytest.mark.parametrize("blanks", [-5.0, 0.0, 3.0])
def test_greedy_over_segments_is_greedy_over_the_whole(frames: int, parts: int, blanks: float) -> None:
    logit_TV = torch.randn(frames, 4, generator=torch.Generator().manual_seed(frames))
    logit_TV[:, 0] += blanks
    log_prob_TV = logit_TV.repeat_interleave(3, 0).log_softmax(-1)
    found = cut(log_prob_TV, parts, 1.0)
    assert all(1 <= len(segment.log_prob_TV) <= 50 for segment in found)
    together = [segment.log_prob_TV for segment in found] or [log_prob_TV]
    assert torch.equal(torch.cat(together), log_prob_TV)
    whole, path = heard(log_prob_TV), joined((one.first, heard(one.log_prob_TV)) for one in found)
    assert (path.ids, path.frames, path.last) == (whole.ids, whole.frames, whole.last)
    assert path.score == pytest.approx(whole.score)


@pytest.mark.parametrize(
    ("tokens", "at"),
    [
        # the longest pause of the second half, in its middle
        ("0000000011110011100011110111", 18),
        # a pause from the first half on: what of it lies in the second
        ("1100000000001111", 10),
        # no blank: the last change
        ("1111111111112233", 14),
        ("1111111111111111", 15),
        # a blank at the very end or before the half is none
        ("1101111111111122", 14),
        ("0000000000000000", 12),
        ("10", 1),
    ],
)
def test_where_it_is_cut(tokens: str, at: int) -> None:
    assert pause(torch.from_numpy(np.array([int(token) for token in tokens]))) == at


def test_segments_of_no_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"segments of 0\.5 s"):
        SegmentSettings(0.5)
