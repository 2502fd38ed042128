"""One update is the same however its utterances are dealt: to batches, and to processes."""

import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from unispeech_cli.trainer.distributed import ALONE, Exchange, Ranks, join

SCRIPT = Path(__file__).parent / "ranks_at_work.py"
Found = dict[str, dict[str, Tensor]]


@pytest.fixture(scope="module")
def work() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ranks_at_work", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def alone(work: ModuleType) -> Found:
    found = dict(work.scenarios(ALONE))
    for name, objective in (("eight", work.PLAIN), ("diverse eight", work.DIVERSE)):
        found[name] = work.train(ALONE, work.EIGHT, objective)[0]
    found["first four"] = work.train(ALONE, work.FOURS[:1], work.DIVERSE)[0]
    return found


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[Found]:
    """The same in two processes over gloo: what each of them has in the end."""
    out = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, SCRIPT, out],
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], "\n".join(said)
    found: list[Found] = [{}, {}]
    for rank in range(2):
        for name, value in load_file(out / f"{rank}.safetensors").items():
            scenario, weight = name.split("/")
            found[rank].setdefault(scenario, {})[weight] = value
    return found


# means over batches, which differ with the batches
MEANS = {
    "step.dead_codes",
    "step.same_code_share",
    "step.positive_gap",
    "step.blank_share",
    "step.code_perplexity",
}


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor], but: set[str] = MEANS) -> None:
    """Relative 1e-5 of each gradient; of the whole gradient where one is next to nothing."""
    whole = float(one["step.norm"])
    assert one.keys() == other.keys() and whole > 0
    for name, value in one.items():
        if name in but:
            continue
        scale = float(value.norm()) if name.startswith("step.") else max(float(value.norm()), 1e-2 * whole)
        assert float((other[name] - value).norm()) <= 1e-5 * scale, name


def test_accumulation_gives_the_gradients_of_one_batch(alone: Found) -> None:
    for dealt in ("fours", "twos"):
        assert_same(alone["eight"], alone[dealt])


@pytest.mark.parametrize("dealt", ["fours", "twos"])
def test_two_processes_give_the_gradients_of_one(alone: Found, two: list[Found], dealt: str) -> None:
    # of twos the second process gets those without a label
    for rank in range(2):
        assert_same(alone[dealt], two[rank][dealt])


def test_diversity_is_that_of_all_frames_that_the_ranks_have_at_once(alone: Found, two: list[Found]) -> None:
    for rank in range(2):
        # so is the perplexity that is watched
        assert_same(alone["diverse eight"], two[rank]["diverse fours"], MEANS - {"step.code_perplexity"})
        assert_same(alone["diverse fours"], two[rank]["diverse twos"])
    # and not that of all batches of an update
    with pytest.raises(AssertionError):
        assert_same(alone["diverse eight"], alone["diverse fours"])


def test_a_rank_without_a_batch_takes_part_all_the_same(alone: Found, two: list[Found]) -> None:
    for rank in range(2):
        assert_same(alone["first four"], two[rank]["lacking"])


def test_supervised_batches_meet_no_other_rank_and_nobody_waits(alone: Found, two: list[Found]) -> None:
    for rank in range(2):
        assert_same(alone["supervised"], two[rank]["supervised"])


def test_ranks_that_drop_different_layers_stay_the_same_model(two: list[Found]) -> None:
    first, second = (found["layerdrop"] for found in two)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(bool(value.any()) for name, value in first.items() if name.endswith("expand.weight"))


def test_a_round_sums_once_and_gives_back_what_comes_after() -> None:
    class Loud:
        rank, size, device = 0, 2, torch.device("cpu")

        def __init__(self) -> None:
            self.summed: list[list[float]] = []

        def sum(self, values: Tensor) -> Tensor:
            self.summed.append(values.tolist())
            return 2 * values

    exchange = Exchange(loud := Loud(), 3)  # type: ignore[arg-type]
    with exchange.round():
        assert exchange(torch.ones(3)).tolist() == [2, 2, 2]
        assert exchange(torch.ones(3)).tolist() == [1, 1, 1]
    with exchange.round():
        pass
    assert loud.summed == [[1, 1, 1], [0, 0, 0]]


def test_ranks_that_share_a_device_or_lack_their_variables_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert join("cpu") == Ranks(0, 1, torch.device("cpu"))
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="WORLD_SIZE is 2 but RANK is not set: start with torchrun"):
        join("cpu")
    for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "0")
    with pytest.raises(ValueError, match="--device cuda:1 is one for 2 ranks: say cuda"):
        join("cuda:1")


def test_only_the_first_rank_speaks() -> None:
    assert list(Ranks(0, 1, torch.device("cpu")).records(iter("ab"))) == ["a", "b"]
