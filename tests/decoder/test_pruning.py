"""Pruned lattices hold what a narrower beam would have left, and always the best path."""

import pytest
import torch

from unispeech_cli.decoder.lattice import Beams, Lattices, best_paths, lattices
from unispeech_cli.decoder.pruning import pruned
from unispeech_cli.lang.graphs import ctc_topology

pytestmark = pytest.mark.k2

LENGTHS_B = torch.tensor([12, 30])


@pytest.fixture(scope="module")
def found() -> Lattices:
    random = torch.Generator().manual_seed(3)
    log_prob_BTV = torch.randn(2, 30, 6, generator=random).log_softmax(-1)
    made = lattices(log_prob_BTV, LENGTHS_B, ctc_topology(6), Beams(20.0, 20.0), has_words=False)
    assert made is not None
    return made


def arcs(found: Lattices) -> list[int]:
    return [int(found.fsas[number].num_arcs) for number in range(len(found.rows))]


def test_few_arcs_a_frame_stay_and_the_best_path_among_them(found: Lattices) -> None:
    assert found.frames == (30, 12)
    assert all(before > 8 * frames for before, frames in zip(arcs(found), found.frames, strict=True))
    less = pruned(found, 4)
    assert all(0 < now <= 4 * frames for now, frames in zip(arcs(less), found.frames, strict=True))
    assert best_paths(less.fsas, False) == best_paths(found.fsas, False)


def test_what_stays_is_what_a_narrower_beam_leaves(found: Lattices) -> None:
    less = pruned(found, 4)
    for number, frames in enumerate(found.frames):
        behind = -found.fsas.get_arc_post(True, False)[slice(*_place(found, number))]
        expected = behind.sort().values[: 4 * frames]
        kept = -less.fsas.get_arc_post(True, False)[slice(*_place(less, number))]
        # every arc is still on the path that it was on
        assert torch.allclose(kept.sort().values, expected, atol=1e-4)


def test_a_lattice_of_few_arcs_is_left_as_it_is(found: Lattices) -> None:
    assert pruned(found, max(arcs(found))) is found


def _place(found: Lattices, number: int) -> tuple[int, int]:
    before = arcs(found)
    return sum(before[:number]), sum(before[: number + 1])
