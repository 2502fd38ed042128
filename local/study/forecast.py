"""How much there is to run, how much of it is done, and how long the rest will take."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from study.cells import KINDS, TRAININGS, Cell
from unispeech_cli.paths import ExpDir
from unispeech_cli.records import Record, Table
from unispeech_cli.trainer.journal import read_lines

COLUMNS = ("runs", "number", "done", "begun", "updates each", "audio s an update", "speed", "hours left")


@dataclass(frozen=True)
class Settings:
    """What a training's settings say of its length; `audio` in seconds an update."""

    updates: int
    audio: float


def settings_of(conf: Path) -> Settings:
    """Read them. Raises ValueError for a file that does not say."""
    if not conf.is_file():
        raise FileNotFoundError(f"no settings file {conf}")
    tree: Any = yaml.safe_load(conf.read_text(encoding="utf-8"))
    try:
        return Settings(int(tree["run"]["updates"]), float(tree["data"]["seconds_per_update"]))
    except (KeyError, TypeError):
        raise ValueError(f"{conf} names no run.updates or no data.seconds_per_update") from None


@dataclass(frozen=True)
class Work:
    """The cells of a study on disk."""

    cells: Sequence[Cell]
    marks: Mapping[str, Path]
    exp: Path
    conf: Path

    def is_done(self, cell: Cell) -> bool:
        return self.marks[cell.id].is_file()

    def settings(self, cell: Cell) -> Settings:
        return settings_of(self.conf / f"{cell.conf}.yaml")

    def timing(self, cell: Cell) -> Mapping[str, float]:
        """The last line on a training's time; none where it has not begun."""
        lines = read_lines(ExpDir(self.exp / cell.id).timing)
        return lines[-1] if lines else {}


def forecast(work: Work, speeds: Mapping[str, float], jobs: int) -> Iterable[Record]:
    """A row a settings file of trainings and a kind of other runs, and how long all takes at `jobs` at once.

    `speeds`, by settings or else by kind, are seconds of audio that a training hears a second, and of other kinds the
    seconds of one run; they count until some were measured.
    """
    rows: list[tuple[str | int | float | None, ...]] = []
    hours = 0.0
    for name in dict.fromkeys(_name(cell) for cell in _in_order(work.cells)):
        own = [cell for cell in work.cells if _name(cell) == name]
        speed, from_where = _speed(work, own, speeds)
        left = sum(_left(work, cell, speed) for cell in own) / 3600
        begun = sum(bool(work.timing(cell)) and not work.is_done(cell) for cell in own)
        length = work.settings(own[0]) if own[0].kind in TRAININGS else Settings(0, 0.0)
        told = f"{speed:.1f} {'audio s/s' if length.updates else 's'} ({from_where})"
        done = sum(map(work.is_done, own))
        rows.append(
            (name, len(own), done, begun, length.updates or None, length.audio or None, told, round(left, 2))
        )
        hours += left
    number, done, begun = (sum(int(str(row[place])) for row in rows) for place in (1, 2, 3))
    rows.append(("all", number, done, begun, None, None, "of one thread", round(hours, 2)))
    rows.append((f"all, {jobs} at once", number, done, begun, None, None, "", round(hours / jobs, 2)))
    yield Table("What is to be run", COLUMNS, rows)


def _in_order(cells: Sequence[Cell]) -> list[Cell]:
    return sorted(cells, key=lambda cell: (KINDS.index(cell.kind), cell.conf))


def _name(cell: Cell) -> str:
    return cell.conf or cell.kind


def _left(work: Work, cell: Cell, speed: float) -> float:
    """Seconds until it is done."""
    if work.is_done(cell):
        return 0.0
    if cell.kind not in TRAININGS:
        return speed
    settings = work.settings(cell)
    return settings.audio * (settings.updates - work.timing(cell).get("update", 0)) / speed


def _speed(work: Work, own: Sequence[Cell], speeds: Mapping[str, float]) -> tuple[float, str]:
    """The mean of what was measured here, or else what was given."""
    name, kind = _name(own[0]), own[0].kind
    known = [cell for cell in own if (work.timing(cell) if cell.kind in TRAININGS else work.is_done(cell))]
    if not known:
        if kind not in speeds and name not in speeds:
            raise ValueError(f"--speed says nothing of {name}, and none was run yet")
        return speeds[name if name in speeds else kind], "given"
    lines = [work.timing(cell) for cell in known]
    if kind not in TRAININGS:
        seconds = [json.loads(work.marks[cell.id].read_text() or "0") for cell in known]
        return sum(seconds) / len(seconds), f"measured over {len(known)}"
    audio = sum(line["update"] * work.settings(cell).audio for line, cell in zip(lines, known, strict=True))
    return audio / max(1e-9, sum(line["seconds"] for line in lines)), f"measured over {len(known)}"
