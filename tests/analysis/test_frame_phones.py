import numpy as np
import pytest

from unispeech_cli.analysis.frame_phones import label_positions
from unispeech_cli.decoder.forced import Alignment


def positions(runs: list[tuple[int, int]], frames: int, reach: int) -> str:
    """A digit a frame, '-' where it is nobody's."""
    first, last = zip(*runs, strict=True) if runs else ((), ())
    found = label_positions(Alignment(first, last, 0.0), frames, reach)
    return "".join("-" if place < 0 else str(place) for place in found)


def test_a_blank_frame_goes_to_the_nearer_label_and_the_earlier_of_two() -> None:
    #           blank a  blank     b b blank
    assert positions([(2, 2), (6, 7)], 10, 9) == "0000011111"
    # four blanks between: two each
    assert positions([(0, 0), (5, 5)], 6, 9) == "000111"


def test_a_pause_is_nobodys() -> None:
    assert positions([(2, 2), (9, 10)], 14, 2) == "00000--111111-"
    assert positions([(2, 2), (9, 10)], 14, 0) == "--0------11---"


def test_labels_without_a_blank_between_touch() -> None:
    assert positions([(1, 2), (3, 3), (4, 4)], 6, 1) == "000122"


def test_nothing_said_is_nobodys() -> None:
    assert positions([], 3, 5) == "---"


@pytest.mark.parametrize("seed", range(5))
def test_equals_looking_at_every_label(seed: int) -> None:
    random = np.random.default_rng(seed)
    edges = np.sort(random.choice(60, 16, replace=False))
    runs = [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
    distances = [[max(a - t, 0, t - b) for a, b in runs] for t in range(60)]
    expected = [int(np.argmin(row)) if min(row) <= 3 else -1 for row in distances]
    found = label_positions(Alignment(tuple(a for a, _ in runs), tuple(b for _, b in runs), 0.0), 60, 3)
    assert found.tolist() == expected
