import resource
from pathlib import Path

import pytest
import torch
from torch import Tensor

from unispeech_cli.decoder.fallback import Heard, Ladder, Rung, reason_of
from unispeech_cli.decoder.search import BestPath, greedy

LOG_PROB_BTV = torch.randn(3, 9, 4, generator=torch.Generator().manual_seed(3)).log_softmax(-1)
LENGTHS = torch.tensor([9, 5, 2])


def plain(log_prob_BTV: Tensor, frame_lengths_B: Tensor) -> list[Heard | None]:
    return [(path,) for path in greedy(log_prob_BTV, frame_lengths_B)]


def greedy_within(frames: int) -> Rung:
    """A search that asks torch for more memory than there is in the world when there are more frames."""

    def search(log_prob_BTV: Tensor, frame_lengths_B: Tensor) -> list[Heard | None]:
        torch.empty(1 << 55 if int(frame_lengths_B.sum()) > frames else 1)
        return plain(log_prob_BTV, frame_lengths_B)

    return Rung(f"search of {frames} frames", search)


def climbed(ladder: Ladder) -> tuple[list[BestPath], list[str]]:
    lines: list[str] = []
    heard = ladder(LOG_PROB_BTV, LENGTHS, ["a", "b", "c"], lines.append)
    return [path for (path,) in heard], lines


def test_what_fits_is_searched_as_wanted_without_a_line() -> None:
    assert climbed(Ladder(greedy_within(16))) == (greedy(LOG_PROB_BTV, LENGTHS), [])


def test_a_batch_out_of_memory_is_searched_one_by_one() -> None:
    assert climbed(Ladder(greedy_within(9))) == (greedy(LOG_PROB_BTV, LENGTHS), [])


def test_each_utterance_goes_down_as_far_as_it_must_and_costs_a_line() -> None:
    ladder = Ladder(greedy_within(2), (greedy_within(5),), (Rung("plain search", plain),))
    paths, lines = climbed(ladder)
    assert paths == greedy(LOG_PROB_BTV, LENGTHS)
    assert lines == ["a: out of memory; plain search instead", "b: out of memory; search of 5 frames instead"]


def test_where_the_graph_has_no_way_only_a_plain_search_helps() -> None:
    def lost(log_prob_BTV: Tensor, frame_lengths_B: Tensor) -> list[Heard | None]:
        heard = plain(log_prob_BTV, frame_lengths_B)
        return [None if length == 5 else path for path, length in zip(heard, frame_lengths_B, strict=True)]

    ladder = Ladder(Rung("hlg", lost), (Rung("narrower beams", lost),), (Rung("plain search", plain),))
    paths, lines = climbed(ladder)
    assert paths == greedy(LOG_PROB_BTV, LENGTHS)
    assert lines == ["b: no way through the graph; plain search instead"]


def test_an_utterance_beyond_all_searches_is_named() -> None:
    with pytest.raises(ValueError, match="a: out of memory, and nothing else does either"):
        climbed(Ladder(greedy_within(5)))


def test_other_errors_are_not_hidden() -> None:
    def broken(log_prob_BTV: Tensor, frame_lengths_B: Tensor) -> list[Heard | None]:
        return plain(log_prob_BTV @ torch.ones(5, 5), frame_lengths_B)

    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        climbed(Ladder(Rung("broken", broken), plain=(Rung("plain search", plain),)))


def test_what_torch_and_python_say_when_memory_runs_out_is_known() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 55)
    cuda = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    assert {reason_of(error) for error in (caught.value, MemoryError(), cuda)} == {"out of memory"}
    assert reason_of(ValueError("--lm: no such file")) is None


@pytest.mark.k2
def test_what_k2_refuses_falls_back_too(capfd: pytest.CaptureFixture[str]) -> None:
    from unispeech_cli.decoder.graph_search import GraphSearch
    from unispeech_cli.decoder.lattice import Beams
    from unispeech_cli.decoder.nbest import NbestSettings
    from unispeech_cli.lang.graphs import ctc_topology

    # beams that k2 itself stops at, with the text that all its errors have
    search = GraphSearch(ctc_topology(4), False, "best path", Beams(-1.0), NbestSettings(), 1.0, None)
    ladder = Ladder(
        Rung("one-best", search), (Rung("narrower beams", search.narrowed()),), (Rung("plain search", plain),)
    )
    paths, lines = climbed(ladder)
    assert paths == greedy(LOG_PROB_BTV, LENGTHS)
    assert lines == [f"{name}: k2 gave up; plain search instead" for name in "abc"]
    assert "search_beam" in capfd.readouterr().out


@pytest.mark.k2
def test_under_a_real_limit_of_memory_the_search_narrows_before_k2_would_die() -> None:
    from unispeech_cli.decoder.graph_search import GraphSearch
    from unispeech_cli.decoder.lattice import Beams
    from unispeech_cli.decoder.memory import BYTES_PER_ARC, WINDOW, free_memory
    from unispeech_cli.decoder.nbest import NbestSettings
    from unispeech_cli.lang.graphs import ctc_topology

    tokens = 400
    graph = ctc_topology(tokens)
    log_prob_BTV = torch.randn(2, 9, tokens, generator=torch.Generator().manual_seed(4)).log_softmax(-1)
    search = GraphSearch(graph, False, "best path", Beams(), NbestSettings(), 1.0, None)
    ladder = Ladder(
        Rung("one-best", search), (Rung("narrower beams", search.narrowed()),), (Rung("plain search", plain),)
    )
    lines: list[str] = []
    lengths, names = torch.tensor([9, 7]), ["a", "b"]
    before = resource.getrlimit(resource.RLIMIT_AS)
    # less than half of what one utterance may take at worst
    room = WINDOW * tokens * tokens * BYTES_PER_ARC // 3
    try:
        resource.setrlimit(resource.RLIMIT_AS, (address_space() + room, before[1]))
        assert free_memory(graph.device) <= room
        heard = ladder(log_prob_BTV, lengths, names, lines.append)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert [path for (path,) in heard] == greedy(log_prob_BTV, lengths)
    assert lines == [f"{name}: out of memory; plain search instead" for name in names]


@pytest.mark.k2
def test_a_long_utterance_whose_lattice_would_not_fit_is_searched_with_narrower_beams() -> None:
    from unispeech_cli.decoder.graph_search import TRIED, GraphSearch
    from unispeech_cli.decoder.lattice import Beams
    from unispeech_cli.decoder.nbest import NbestSettings
    from unispeech_cli.lang.graphs import ctc_topology

    frames, tokens = 60 * TRIED, 20
    drawn = torch.Generator().manual_seed(4)
    log_prob_BTV = (3.0 * torch.randn(1, frames, tokens, generator=drawn)).log_softmax(-1)
    beams = Beams(search_beam=20.0, output_beam=12.0)
    search = GraphSearch(ctc_topology(tokens), False, "best path", beams, NbestSettings(), 1.0, None)
    ladder = Ladder(
        Rung("one-best", search), (Rung("narrower beams", search.narrowed()),), (Rung("plain search", plain),)
    )
    lines: list[str] = []
    before = resource.getrlimit(resource.RLIMIT_AS)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (address_space() + 180 * 2**20, before[1]))
        ((path,),) = ladder(log_prob_BTV, torch.tensor([frames]), ["long"], lines.append)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert path.ids == greedy(log_prob_BTV, torch.tensor([frames]))[0].ids
    assert lines == ["long: out of memory; narrower beams instead"]


def address_space() -> int:
    """Bytes of this process's address space."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def test_frames_that_are_no_numbers_are_refused_and_padding_may_be_any() -> None:
    broken_BTV = LOG_PROB_BTV.clone()
    broken_BTV[2, 2:] = float("nan")
    found = Ladder(Rung("plain search", plain))(broken_BTV, LENGTHS, ["a", "b", "c"], print)
    assert [path for (path,) in found] == greedy(LOG_PROB_BTV, LENGTHS)
    broken_BTV[2, 1] = float("nan")
    with pytest.raises(ValueError, match="the model gives NaN for c: it has diverged"):
        Ladder(Rung("plain search", plain))(broken_BTV, LENGTHS, ["a", "b", "c"], print)
