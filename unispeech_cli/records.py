"""What long work yields on its way: plain records, which the console draws and tests read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Note:
    """One line for the person who waits."""

    text: str


@dataclass(frozen=True)
class Progress:
    """How far a task is: `done` of `total` units (total None: not known), with a few words on its state.

    `figures`, by name with their unit in it (`memory MB`), are what a view with room for them shows instead.
    """

    task: str
    done: int
    total: int | None
    status: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A result: rows of plain values under column names."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str | int | float | None, ...]] = field(default_factory=list)


@dataclass(frozen=True)
class Text:
    """A result as it is: whole lines, which go out at once."""

    text: str


Record = Note | Progress | Table | Text
Records = Iterator[Record]
