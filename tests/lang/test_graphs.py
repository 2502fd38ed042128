import sys

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
