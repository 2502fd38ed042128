"""How far tasks are: a view that keeps moving on a terminal, a line now and then in a pipe or log file."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.text import Text

from unispeech_cli.records import Progress

# a pipe or log file gets one line per task and this many seconds
PLAIN_INTERVAL = 15.0

Draw = Callable[[Progress], None]


@contextmanager
def drawing(console: Console, redirect_stdout: bool) -> Iterator[Draw]:
    """Yield what draws records of progress on a console: live if it is a terminal, else in plain lines.

    With `redirect_stdout` what is printed to stdout meanwhile appears above the view.
    """
    if not console.is_terminal:
        yield _Lines(console).send
        return
    view = _View()
    with Live(console=console, get_renderable=view.renderable, redirect_stdout=redirect_stdout):
        yield view.send


class _View:
    """A bar for each task, and under them the figures of the task that was last heard of."""

    def __init__(self) -> None:
        of = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
        self._bars = Bars(*of, TimeElapsedColumn(), TextColumn("{task.fields[told]}"))
        self._tasks: dict[str, tuple[_Pace, TaskID]] = {}
        self._figures: Mapping[str, float] = {}

    def send(self, record: Progress) -> None:
        if record.task not in self._tasks:
            bar = self._bars.add_task(record.task, total=record.total, completed=record.done, told="")
            self._tasks[record.task] = _Pace(record.done), bar
        pace, bar = self._tasks[record.task]
        # what figures tell need not be told again in words
        status = "" if record.figures else record.status
        told = " ".join(part for part in (pace.rate(record), pace.left(record), status) if part)
        self._bars.update(bar, completed=record.done, total=record.total, told=told)
        self._figures = record.figures

    def renderable(self) -> RenderableType:
        if not self._figures:
            return self._bars
        cells = [_cell(name, value) for name, value in self._figures.items()]
        return Group(self._bars, Columns(cells, padding=(0, 3)))


class _Lines:
    """A line of each task now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._paces: dict[str, _Pace] = {}
        self._printed: dict[str, float] = {}

    def send(self, record: Progress) -> None:
        pace = self._paces.setdefault(record.task, _Pace(record.done))
        seconds = pace.seconds
        last = record.done == record.total and seconds > 1
        if last or seconds - self._printed.get(record.task, 0.0) >= PLAIN_INTERVAL:
            self._printed[record.task] = seconds
            of = f"/{record.total}" if record.total else ""
            parts = (f"{record.task} {record.done}{of}", pace.rate(record), pace.left(record), record.status)
            self._console.print(" ".join(part for part in parts if part), markup=False)


class _Pace:
    """How fast a task goes, from where it stood when it was first heard of (a resumed one not at 0)."""

    def __init__(self, done: int) -> None:
        self._first, self._started = done, time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def rate(self, record: Progress) -> str:
        done, seconds = record.done - self._first, self.seconds
        if not done or seconds <= 0.5:
            return ""
        each = seconds / done
        return f"{each:,.0f} s each" if each > 10 else f"{1 / each:,.1f}/s"

    def left(self, record: Progress) -> str:
        done = record.done - self._first
        if not record.total or not done:
            return ""
        return f"{_clock(self.seconds * (record.total - record.done) / done)} left"


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days} d {hour} h"
    return f"{hour}:{minute:02d}:{second:02d}" if hour else f"{minute}:{second:02d}"


def _cell(name: str, value: float) -> Text:
    return Text.assemble((name, "dim"), " ", _number(value))


def _number(value: float) -> str:
    """Four digits that matter; what is long is told whole."""
    if isinstance(value, int) or (math.isfinite(value) and abs(value) >= 1000):
        return f"{value:,.0f}"
    return f"{value:.4g}"
