"""Where a training goes on: the newest checkpoint that is sound, the same on all ranks, and a best/ that fits it."""

import math
from collections.abc import Generator, Mapping

import torch
from torch import Tensor, nn

from unispeech_cli.atomic import sweep
from unispeech_cli.paths import ExpDir
from unispeech_cli.records import Note
from unispeech_cli.trainer import checkpoint
from unispeech_cli.trainer.checkpoint import Position
from unispeech_cli.trainer.distributed import Ranks


def resume(
    experiment: ExpDir,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    ranks: Ranks,
    seconds: float,
    shadow: Mapping[str, Tensor] | None = None,
) -> Generator[Note, None, Position]:
    """Restore what the first rank chooses, with the moving average `shadow`; batches of the plan hold `seconds` now.

    Raises ValueError where no checkpoint can be read, and where the place in the data would be another one.
    """
    position = Position(0, 0)
    if ranks.is_first:
        sweep(experiment.root)
        position = yield from _newest(experiment, model, optimizer, shadow)
    update = int(ranks.texts(str(position.update))[0])
    if update and not ranks.is_first:
        position = checkpoint.restore(experiment.checkpoint(update), model, optimizer, shadow)
    before = position.seconds_per_batch
    if update and before is not None and not math.isclose(before, seconds):
        raise ValueError(
            f"{experiment.root} was trained in batches of {before:g} s, and on {ranks} they hold "
            f"{seconds:g} s: its place in the data would be lost; go on with as many ranks as before"
        )
    if ranks.is_first:
        _mend_best(experiment, position)
    return position


def _newest(
    experiment: ExpDir,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    shadow: Mapping[str, Tensor] | None,
) -> Generator[Note, None, Position]:
    updates = experiment.checkpoints()
    for update in reversed(updates):
        try:
            position = checkpoint.restore(experiment.checkpoint(update), model, optimizer, shadow)
        except ValueError as error:
            yield Note(f"warning: {error}; trying the checkpoint before")
            continue
        yield Note(f"continuing {experiment.root} from update {update}")
        return position
    if updates:
        raise ValueError(f"{experiment.root}: none of its checkpoints can be read; remove it to train anew")
    return Position(0, 0)


def _mend_best(experiment: ExpDir, position: Position) -> None:
    """A kill between a checkpoint and the best/ that follows it: make best/ of that checkpoint."""
    if position.best_update != position.update or position.update == 0:
        return
    try:
        there = checkpoint.read_position(experiment.best).update
    except ValueError:
        there = None
    if there != position.update:
        checkpoint.promote(experiment.checkpoint(position.update), experiment.best)
