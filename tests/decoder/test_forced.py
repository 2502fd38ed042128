import itertools

import pytest
import torch

from unispeech_cli.decoder import forced
from unispeech_cli.decoder.forced import align


def log_probs(frames: int, tokens: int, seed: int) -> torch.Tensor:
    return torch.randn(frames, tokens, generator=torch.Generator().manual_seed(seed)).log_softmax(-1)


def brute_force(log_prob_TV: torch.Tensor, labels: list[int]) -> tuple[float, tuple[int, ...]]:
    """The best of all sequences of frame tokens that collapse to `labels`."""
    rows = log_prob_TV.tolist()

    def collapsed(path: tuple[int, ...]) -> list[int]:
        return [token for token, _ in itertools.groupby(path) if token != 0]

    paths = itertools.product(range(log_prob_TV.shape[1]), repeat=len(rows))
    fitting = (path for path in paths if collapsed(path) == labels)
    return max((sum(row[token] for row, token in zip(rows, path, strict=True)), path) for path in fitting)


@pytest.mark.parametrize("labels", [[], [1], [1, 2], [1, 1], [2, 1, 1], [1, 2, 1, 2], [2, 2, 2]])
@pytest.mark.parametrize("frames", [5, 6])
def test_alignment_is_the_best_of_all(labels: list[int], frames: int) -> None:
    log_prob_TV = log_probs(frames, 3, seed=len(labels) + frames)
    score, path = brute_force(log_prob_TV, labels)
    found = align(log_prob_TV, labels)
    assert found.score == pytest.approx(score, abs=1e-4)
    aligned = [0] * frames
    for label, first, last in zip(labels, found.first, found.last, strict=True):
        aligned[first : last + 1] = [label] * (last + 1 - first)
    assert tuple(aligned) == path


def test_memory_is_that_of_a_root(monkeypatch: pytest.MonkeyPatch) -> None:
    import tracemalloc

    log_prob_TV, labels = log_probs(2_500, 5, 0), [1 + n % 4 for n in range(500)]
    tracemalloc.start()
    align(log_prob_TV, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # all back-pointers would be 2.5 MB, all scores 10 MB
    assert peak < 1_000_000


@pytest.mark.parametrize(
    ("frames", "labels", "complaint"),
    [(2, [1, 1], "needs 3 frames of 20 ms, the recording has 2"), (0, [1], "needs 1 frames")],
)
def test_too_few_frames_are_refused(frames: int, labels: list[int], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        align(log_probs(frames, 3, 0), labels)


def test_too_long_and_impossible_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    log_prob_TV = log_probs(4, 3, 0)
    log_prob_TV[:, 2] = -torch.inf
    with pytest.raises(ValueError, match="no probability"):
        align(log_prob_TV, [1, 2])
    monkeypatch.setattr(forced, "MOST_CELLS", 10)
    with pytest.raises(ValueError, match="4 frames and 1 units are too much"):
        align(log_prob_TV, [1])


def test_nothing_in_no_frames() -> None:
    assert align(log_probs(0, 3, 0), []) == forced.Alignment((), (), 0.0)


@pytest.mark.k2
def test_alignment_is_k2s() -> None:
    import k2

    log_prob_TV, labels = log_probs(60, 6, 3), [1, 1, 5, 2, 2, 2, 4, 3, 1]
    dense = k2.DenseFsaVec(log_prob_TV[None], torch.tensor([[0, 0, 60]], dtype=torch.int32))
    lattice = k2.intersect_dense(k2.ctc_graph([labels]), dense, output_beam=1e3)
    best = k2.shortest_path(lattice, use_double_scores=True)
    found = align(log_prob_TV, labels)
    assert found.score == pytest.approx(best.scores.sum().item(), abs=1e-3)
    # the frame that each label comes out on
    emitted = (best.aux_labels > 0).nonzero()[:, 0].tolist()
    assert list(found.first) == emitted
