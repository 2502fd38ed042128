"""What a search goes through: settings by their dotted names, each with a range or a list of choices."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unispeech_cli import settings as settings_room

Value = bool | int | float | str | None
# the trainings of a trial, in their order
STAGES = ("pretrain", "finetune")


@dataclass(frozen=True)
class Range:
    """Values of one setting: from `low` to `high`, both included, or one of `choices`."""

    low: float | None = None
    high: float | None = None
    # drawn evenly on a logarithmic scale
    log: bool = False
    # only low, low + step, ...
    step: float | None = None
    choices: tuple[Value, ...] = ()

    def check(self) -> None:
        """Raise ValueError for what is no range."""
        if self.choices:
            if (self.low, self.high, self.step, self.log) != (None, None, None, False):
                raise ValueError("either choices, or low and high with log or step")
        elif self.low is None or self.high is None or self.low >= self.high:
            raise ValueError("a range needs low and, above it, high; or choices")
        elif self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("a range that is log has low above 0 and no step")
        elif self.step is not None and self.step <= 0:
            raise ValueError("step is above 0")

    @property
    def ends(self) -> tuple[Value, ...]:
        """Values of which each has to be one that the setting can have."""
        return self.choices or (self.low, self.high)


@dataclass(frozen=True)
class PruneSettings:
    """When a trial is given up: its best dev PER so far is above the median of the others' at the same update."""

    # trials that have to be finished before
    startup: int = 5
    # share of its updates that a trial has at least
    after: float = 0.3

    def __post_init__(self) -> None:
        if self.startup < 0 or not 0 <= self.after <= 1:
            raise ValueError("startup is 0 or more, after a share from 0 to 1")


@dataclass(frozen=True)
class SpaceSettings:
    """A space file: what is searched in pre-training, in fine-tuning, and how long."""

    pretrain: dict[str, Any] = field(default_factory=dict)
    finetune: dict[str, Any] = field(default_factory=dict)
    trials: int = 20
    seed: int = 1
    # none is given up where it is null
    prune: PruneSettings | None = field(default_factory=PruneSettings)

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise ValueError(f"trials is at least 1, not {self.trials}")


@dataclass(frozen=True)
class Space:
    """A space file, read: ranges by training and dotted name."""

    settings: SpaceSettings
    ranges: Mapping[str, Mapping[str, Range]]

    @property
    def made_of(self) -> dict[str, Any]:
        """What a search cannot change on its way: all but the number of trials."""
        whole = dataclasses.asdict(self.settings)
        return {name: value for name, value in whole.items() if name != "trials"}

    def named(self) -> Iterator[tuple[str, str, Range]]:
        """Training, name of the setting, and its range."""
        for stage, ranges in self.ranges.items():
            for name, values in ranges.items():
                yield stage, name, values


def read_space(path: Path) -> Space:
    """Read a space file. Raises FileNotFoundError, ValueError naming the file and the setting that do not fit."""
    settings = settings_room.load(SpaceSettings, path)
    ranges = {
        stage: {
            name: _range(path, f"{stage}: {name}", tree) for name, tree in getattr(settings, stage).items()
        }
        for stage in STAGES
    }
    if not any(ranges.values()):
        raise ValueError(f"{path}: nothing to search; give ranges under {' or '.join(STAGES)}")
    return Space(settings, ranges)


def _range(path: Path, name: str, tree: Any) -> Range:
    if not isinstance(tree, Mapping):
        raise ValueError(f"{path}: {name} is {tree!r}; expected low and high, or choices")
    try:
        found = settings_room.build(Range, tree)
        found.check()
    except ValueError as error:
        raise ValueError(f"{path}: {name}: {error}") from None
    return found


def override(name: str, value: Value) -> str:
    """What `--set` takes."""
    return f"{name}={json.dumps(value)}"


def is_whole(settings: Any, name: str) -> bool:
    """Whether a setting, by its dotted name, is a whole number in these settings."""
    for part in name.split("."):
        settings = getattr(settings, part)
    return isinstance(settings, int) and not isinstance(settings, bool)
