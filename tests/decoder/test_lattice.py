import pytest
import torch
from torch import Tensor

from unispeech_cli.decoder.lattice import Beams, lattices, one_best
from unispeech_cli.decoder.search import BestPath, greedy
from unispeech_cli.lang.graphs import Graph, ctc_topology

pytestmark = pytest.mark.k2


def best(log_prob_BTV: Tensor, lengths_B: Tensor, graph: Graph) -> list[BestPath | None]:
    found = lattices(log_prob_BTV, lengths_B, graph, Beams(), has_words=False)
    return one_best(found, len(lengths_B))


@pytest.mark.parametrize("peak", [1.0, 8.0])
def test_one_best_over_the_ctc_topology_is_the_greedy_path(peak: float) -> None:
    random = torch.Generator().manual_seed(7)
    lengths_B = torch.tensor([3, 40, 17, 40, 1, 28])
    log_prob_BTV = (peak * torch.randn(6, 40, 12, generator=random)).log_softmax(-1)
    graph_paths = best(log_prob_BTV, lengths_B, ctc_topology(12))
    for found, expected in zip(graph_paths, greedy(log_prob_BTV, lengths_B), strict=True):
        assert (found.ids, found.frames, found.last) == (expected.ids, expected.frames, expected.last)
        assert found.score == pytest.approx(expected.score, rel=1e-6)


def test_utterance_without_frames_has_the_empty_path() -> None:
    log_prob_BTV = torch.tensor([[[0.1, 0.8, 0.1]], [[0.1, 0.8, 0.1]]]).log()
    empty, full = best(log_prob_BTV, torch.tensor([0, 1]), ctc_topology(3))
    assert empty == BestPath((), (), (), 0.0)
    assert (full.ids, full.frames, full.last) == ((1,), (0,), (0,))
