import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.paths import CheckpointDir, ExpDir
from unispeech_cli.trainer.average import dev_figures, kept, least_of, mean_weights, newest
from unispeech_cli.trainer.checkpoint import Identity, Position, save_averaged

IDENTITY = Identity("model: {}\n", TokenTable(("<blk>", "a")))


def written(place: CheckpointDir, update: int = 1, **weights: Tensor) -> CheckpointDir:
    save_averaged(place, weights, Position(update, update), IDENTITY, {})
    return place


def checkpoints(root: Path, *updates: int) -> ExpDir:
    for update in updates:
        written(ExpDir(root).checkpoint(update), update, weight=torch.full((2,), float(update)))
    return ExpDir(root)


def test_the_mean_of_known_tensors(tmp_path: Path) -> None:
    first = {"weight": torch.tensor([[1.0, 2.0]]), "steps": torch.tensor(3)}
    second = {"weight": torch.tensor([[3.0, -2.0]]), "steps": torch.tensor(4)}
    third = {"weight": torch.tensor([[5.0, 0.5]]), "steps": torch.tensor(9)}
    places = [
        written(CheckpointDir(tmp_path / str(n)), **weights)
        for n, weights in enumerate((first, second, third))
    ]
    mean = mean_weights(places)
    assert torch.equal(mean["weight"], torch.tensor([[3.0, 0.5 / 3]]))
    assert mean["weight"].dtype == torch.float32
    assert mean["steps"] == 9 and mean["steps"].dtype == torch.int64


def test_sums_are_in_float64(tmp_path: Path) -> None:
    # in float32 both small ones are lost against the large one
    values = (2.0**24, 1.0, 1.0, -(2.0**24))
    places = [
        written(CheckpointDir(tmp_path / str(n)), weight=torch.tensor([value]))
        for n, value in enumerate(values)
    ]
    assert mean_weights(places)["weight"].tolist() == [0.5]


def test_one_alone_comes_back_bit_for_bit(tmp_path: Path) -> None:
    weight = torch.randn(100, generator=torch.Generator().manual_seed(1)) * 1e-30
    place = written(CheckpointDir(tmp_path), weight=weight)
    assert torch.equal(mean_weights([place])["weight"], weight)


def test_checkpoints_of_other_networks_are_not_averaged(tmp_path: Path) -> None:
    one = written(CheckpointDir(tmp_path / "one"), weight=torch.zeros(2))
    other = written(CheckpointDir(tmp_path / "other"), weight=torch.zeros(3))
    with pytest.raises(ValueError, match=r"other is of another network than .*one"):
        mean_weights([one, other])


def test_the_newest_are_by_number_and_not_by_name(tmp_path: Path) -> None:
    exp = checkpoints(tmp_path, 900, 1000, 950)
    assert list(newest(exp, 2)) == [950, 1000]
    with pytest.raises(
        ValueError, match=r"has 3 \(900, 950, 1000\) of the 4 checkpoints asked for; .*run\.keep=4"
    ):
        newest(exp, 4)
    with pytest.raises(ValueError, match=r"has none of the 1 checkpoints asked for"):
        newest(ExpDir(tmp_path / "none"), 1)


def test_the_best_are_those_with_the_least_dev_figure_of_what_is_kept(tmp_path: Path) -> None:
    exp = checkpoints(tmp_path, 20, 30, 40, 50)
    written(exp.best, 10, weight=torch.zeros(2))
    # 15 is gone, 40 was never validated, 50 came out as no number
    figures = {10: 0.25, 15: 0.1, 20: 0.4, 30: 0.25, 50: float("nan")}
    lines = [{"update": update, "dev_per": value} for update, value in figures.items()]
    exp.metrics.write_text("".join(json.dumps(line) + "\n" for line in [{"update": 40, "loss": 1.0}, *lines]))
    assert dev_figures(exp.metrics) == {10: 0.25, 15: 0.1, 20: 0.4, 30: 0.25}
    assert list(kept(exp)) == [10, 20, 30, 40, 50]
    # of equal ones the earlier
    assert least_of(exp, 1) == {10: exp.best}
    assert least_of(exp, 3) == {10: exp.best, 20: exp.checkpoint(20), 30: exp.checkpoint(30)}
    with pytest.raises(ValueError, match=r"has 3 \(10, 20, 30\) of the 4 validated .*run\.keep_best=4"):
        least_of(exp, 4)


def test_best_counts_once_where_its_checkpoint_is_still_there(tmp_path: Path) -> None:
    exp = checkpoints(tmp_path, 10, 20)
    written(exp.best, 20, weight=torch.zeros(2))
    assert kept(exp) == {10: exp.checkpoint(10), 20: exp.checkpoint(20)}
