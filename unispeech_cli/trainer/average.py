"""The mean of several checkpoints of one training, and which of those kept are the best."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from unispeech_cli.paths import CheckpointDir, ExpDir
from unispeech_cli.trainer.checkpoint import read_position, read_weights
from unispeech_cli.trainer.journal import read_lines


def kept(experiment: ExpDir) -> dict[int, CheckpointDir]:
    """The checkpoints that are there, by update, oldest first; best/ counts where the one it came from is gone."""
    places = {update: experiment.checkpoint(update) for update in experiment.checkpoints()}
    if experiment.best.state.is_file():
        places.setdefault(read_position(experiment.best).update, experiment.best)
    return dict(sorted(places.items()))


def dev_figures(metrics: Path) -> dict[int, float]:
    """The figure of each validation, by update; the least is the best."""
    lines = read_lines(metrics)
    # of PER and contrastive loss a training measures one
    figures = {line["update"]: line.get("dev_per", line.get("dev_contrastive")) for line in lines}
    return {update: float(value) for update, value in figures.items() if value is not None and value == value}


def newest(experiment: ExpDir, number: int) -> dict[int, CheckpointDir]:
    """The last `number` checkpoints, oldest first. Raises ValueError where fewer are kept."""
    there = {update: experiment.checkpoint(update) for update in experiment.checkpoints()}
    _enough(experiment, list(there), number, "checkpoints", f"run.keep={number}")
    return {update: there[update] for update in list(there)[-number:]}


def least_of(experiment: ExpDir, number: int) -> dict[int, CheckpointDir]:
    """Of the validated checkpoints the `number` with the least dev figure, oldest first.

    Raises ValueError where fewer are kept.
    """
    there, figures = kept(experiment), dev_figures(experiment.metrics)
    validated = [update for update in there if update in figures]
    _enough(experiment, validated, number, "validated checkpoints", f"run.keep_best={number}")
    return {update: there[update] for update in sorted(least(figures, validated, number))}


def least(figures: Mapping[int, float], updates: Sequence[int], number: int) -> set[int]:
    """The `number` updates with the least figure; of equal ones the earlier."""
    known = [update for update in updates if update in figures]
    return set(sorted(known, key=lambda update: (figures[update], update))[:number])


def best_kept(experiment: ExpDir, number: int) -> set[int]:
    """Updates of the `number` best of the checkpoints that are there."""
    return least(dev_figures(experiment.metrics), experiment.checkpoints(), number) if number else set()


def mean_weights(places: Sequence[CheckpointDir]) -> dict[str, Tensor]:
    """The mean of each tensor, summed in float64, in the type it is stored in; of whole numbers the last's.

    One checkpoint is in memory at a time, beside the sum. Raises ValueError where one is damaged or its tensors are
    not those of the first.
    """
    total: dict[str, Tensor] = {}
    for place in places:
        weights = read_weights(place)
        shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
        if total and shapes != {name: tuple(weight.shape) for name, weight in total.items()}:
            raise ValueError(f"{place.root} is of another network than {places[0].root}")
        for name, weight in weights.items():
            if weight.is_floating_point():
                weight = weight.double() + total.get(name, torch.zeros((), dtype=torch.double))
            total[name] = weight
    # those of the last tell the types
    return {name: _mean(total[name], len(places), weight.dtype) for name, weight in weights.items()}


def _mean(total: Tensor, number: int, dtype: torch.dtype) -> Tensor:
    return (total / number).to(dtype) if dtype.is_floating_point else total


def _enough(experiment: ExpDir, updates: Sequence[int], number: int, what: str, setting: str) -> None:
    if len(updates) >= number:
        return
    there = f"{len(updates)} ({', '.join(map(str, updates))})" if updates else "none"
    raise ValueError(
        f"{experiment.root} has {there} of the {number} {what} asked for; train with --set {setting} to keep so many"
    )
