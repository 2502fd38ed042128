"""A plan as it is written down: which systems learn what from what, and what is held against what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

# what a system's name ends with that goes on from another
MORE = ("+source", "+")
# the size that stands for all of the training cuts
ALL = "all"


@dataclass(frozen=True)
class Part:
    """One table: systems by targets.

    `compare`: a system, and those that it is tested against. `paper`: whether the paper's Table 1 is of the same.
    """

    name: str
    systems: tuple[str, ...]
    targets: tuple[str, ...]
    source: str = "en"
    vocab: str = "shared"
    labels: tuple[str, ...] = ("10min",)
    compare: Mapping[str, Sequence[str]] = field(default_factory=dict)
    paper: bool = False

    @property
    def languages(self) -> set[str]:
        return {language for joined in (self.source, *self.targets) for language in joined.split("+")}


@dataclass(frozen=True)
class Plan:
    """`sets` by system: what it changes in the shared settings; `folds` of the targets, () where they have a test."""

    seeds: tuple[int, ...]
    parts: tuple[Part, ...]
    analyze: tuple[str, ...]
    sets: Mapping[str, str]
    folds: tuple[int, ...] = ()
    # languages heard without labels by NAME+; () are the targets themselves
    unlabeled: tuple[str, ...] = ()

    def spoken_in(self, languages: Sequence[str]) -> "Plan":
        """Without the parts that need languages other than these; none given are all."""
        known = set(languages)
        parts = tuple(part for part in self.parts if not known or part.languages <= known)
        if not parts:
            raise ValueError(f"no part of the plan is in {' '.join(languages)} alone")
        return replace(self, parts=parts)


def former(system: str) -> str:
    """The system that NAME+ and NAME+source go on from; of others nothing."""
    return next((system.removesuffix(end) for end in MORE if system.endswith(end)), "")


def read_plan(path: Path, systems: Path, *, seeds: Sequence[int] = (), targets: Sequence[str] = ()) -> Plan:
    """Read a plan; seeds and targets that are given take the place of the plan's.

    Raises FileNotFoundError where a file is missing, ValueError for what is not known in it.
    """
    tree, sets = _read(path), _read(systems)
    known = {"seeds", "targets", "parts", "analyze"}
    _check(path, set(tree) - known)
    common = tuple(targets or tree["targets"])
    parts = tuple(_part(path, name, part, common) for name, part in tree["parts"].items())
    plan = Plan(tuple(seeds or tree["seeds"]), parts, tuple(tree.get("analyze", ())), sets)
    for part in parts:
        _check_systems(path, part, sets)
    return plan


def in_folds(plan: Plan, folds: Sequence[int], unlabeled: Sequence[str]) -> Plan:
    """The plan on a corpus whose targets are tested by folds: all labels that are left are learnt from."""
    parts = tuple(replace(part, labels=(ALL,)) for part in plan.parts)
    return replace(plan, parts=parts, folds=tuple(folds), unlabeled=tuple(unlabeled))


def _part(path: Path, name: str, tree: Mapping[str, Any], common: tuple[str, ...]) -> Part:
    fields = {"systems", "targets", "first_targets", "source", "vocab", "labels", "compare", "paper"}
    _check(path, {f"{name}: {unknown}" for unknown in set(tree) - fields})
    targets = tuple(tree["targets"]) if "targets" in tree else common[: tree.get("first_targets")]
    return Part(
        name,
        tuple(tree["systems"]),
        targets,
        tree.get("source", "en"),
        tree.get("vocab", "shared"),
        tuple(tree.get("labels", ("10min",))),
        tree.get("compare", {}),
        tree.get("paper", False),
    )


def _check(path: Path, unknown: set[str]) -> None:
    if unknown:
        raise ValueError(f"{path}: {', '.join(sorted(unknown))} is not known")


def _check_systems(path: Path, part: Part, sets: Mapping[str, str]) -> None:
    compared = [*part.compare, *(other for others in part.compare.values() for other in others)]
    absent = [name for name in compared if name not in part.systems]
    if absent:
        raise ValueError(f"{path}: {part.name} compares {absent[0]}, which is none of its systems")
    unknown = [name for name in part.systems if name != "scratch" and (former(name) or name) not in sets]
    if unknown:
        raise ValueError(f"{path}: {part.name} has a system {unknown[0]} that no line of systems.yaml makes")


def _read(path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f"no {path}")
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
