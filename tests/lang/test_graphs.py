import sys
from pathlib import Path

import pytest
import torch

from unispeech_cli.lang import graphs


@pytest.mark.k2
def test_topology_says_each_repeat_once_and_wants_blank_between_equal_tokens() -> None:
    import k2

    said = k2.create_fsa_vec([k2.linear_fsa([1, 1, 0, 1, 2, 2, 0])])
    topology = k2.create_fsa_vec([graphs.ctc_topology(3)])
    lattice = k2.intersect_device(topology, said, torch.tensor([0], dtype=torch.int32))
    path = k2.shortest_path(lattice, use_double_scores=True)
    assert path.aux_labels[path.aux_labels > 0].tolist() == [1, 1, 2]


@pytest.mark.k2
def test_topology_has_one_state_a_token_and_a_final_one() -> None:
    assert graphs.ctc_topology(7).shape[0] == 7 + 1


def test_topology_of_blank_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one more token, got 1"):
        graphs.ctc_topology(1)


def test_without_k2_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "k2", None)
    with pytest.raises(ValueError, match=r"needs k2.*local/setup\.sh.*k2 1\.23\.4") as raised:
        graphs.ctc_topology(3)
    assert "\n" not in str(raised.value)


def arcs_of(graph: graphs.Graph) -> list[tuple[int, int, int, int]]:
    return [tuple(row) for row in graph.arcs.values().tolist()]


@pytest.mark.k2
@pytest.mark.parametrize("ragged", [False, True])
def test_graph_comes_back_from_disk_as_it_was(tmp_path: Path, ragged: bool) -> None:
    import k2

    graph = graphs.from_arcs([(1, 2, -1, -1), (0, 1, 1, 4), (0, 1, 2, 0)])
    graph.scores = torch.tensor([-0.5, 0.25, 0.0])
    if ragged:
        graph.aux_labels = k2.RaggedTensor([[4, 5], [], [6]])
        graph.lm_scores = torch.tensor([-0.5, 0.125, 0.0])
    graphs.save(graph, tmp_path / "HLG.safetensors")
    found = graphs.load(tmp_path / "HLG.safetensors")
    assert arcs_of(found) == arcs_of(graph)
    assert found.aux_labels.tolist() == graph.aux_labels.tolist()
    assert found.scores.tolist() == [-0.5, 0.25, 0.0]
    assert hasattr(found, "lm_scores") == ragged
    if ragged:
        assert found.lm_scores.tolist() == [-0.5, 0.125, 0.0]
    assert graphs.size(found) == {"arcs": 3, "states": 3}


@pytest.mark.k2
def test_what_is_not_a_graph_is_named(tmp_path: Path) -> None:
    path = tmp_path / "HLG.safetensors"
    with pytest.raises(FileNotFoundError, match="no graph"):
        graphs.load(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match=r"HLG\.safetensors is not a graph: remove its directory"):
        graphs.load(path)
