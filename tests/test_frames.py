import pytest
import torch

from unispeech_cli.frames import ctc_frames_needed, num_frames
from unispeech_cli.model.frontend import Frontend, FrontendSettings


def test_num_frames_is_what_the_frontend_makes() -> None:
    frontend = Frontend(FrontendSettings(channels=2)).eval()
    for samples in range(400, 5001, 23):
        frame_BTC, length_B = frontend(torch.zeros(1, samples), torch.tensor([samples]))
        assert frame_BTC.shape[1] == num_frames(samples) == int(length_B)


def test_one_second_is_49_frames() -> None:
    assert num_frames(16_000) == 49
    assert num_frames(torch.tensor([16_000, 400])).tolist() == [49, 1]


@pytest.mark.parametrize(
    ("labels", "frames"),
    [([], 0), ([3], 1), ([3, 4], 2), ([3, 3], 3), ([3, 3, 3, 4, 4], 8), (["m", "m", "s"], 4)],
)
def test_a_blank_goes_between_equal_labels(labels: list[int], frames: int) -> None:
    assert ctc_frames_needed(labels) == frames
