"""The one terminal: progress and notes on stderr, results on stdout."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.table import Table as Drawn

from unispeech_cli.records import Note, Progress, Records, Table, Text

# a pipe or log file gets one line per task and this many seconds
PLAIN_INTERVAL = 15.0


def show(records: Records, as_json: bool = False) -> None:
    """Draw the records of a stage: bars and notes on stderr, text and tables on stdout (or as one JSON document)."""
    stderr = Console(stderr=True, highlight=False, soft_wrap=True)
    tables = []
    with _progress(stderr) as draw:
        for record in records:
            if isinstance(record, Note):
                stderr.print(record.text, markup=False)
            elif isinstance(record, Progress):
                draw.send(record)
            elif isinstance(record, Text):
                print(record.text, end="", flush=True)
            else:
                tables.append(record)
    _print_tables(tables, as_json)


def _print_tables(tables: list[Table], as_json: bool) -> None:
    if as_json:
        results = {
            table.title: [dict(zip(table.columns, row, strict=True)) for row in table.rows]
            for table in tables
        }
        print(json.dumps(results, ensure_ascii=False, indent=2))
        return
    stdout = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    for table in tables:
        stdout.print(_drawn(table))


def _drawn(table: Table) -> Drawn:
    drawn = Drawn(title=table.title, title_justify="left")
    for index, column in enumerate(table.columns):
        numeric = all(isinstance(row[index], int | float | None) for row in table.rows)
        if numeric and table.rows:
            drawn.add_column(column, justify="right", no_wrap=True)
        else:
            # an ellipsis would take the end of a path, by which paths differ
            drawn.add_column(column, overflow="fold")
    for row in table.rows:
        drawn.add_row(*(_cell(value) for value in row))
    return drawn


def _cell(value: str | int | float | None) -> str:
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    # a probability of 0.003 is not 0.00
    return f"{value:.1g}" if 0 < abs(value) < 0.005 else f"{value:,.2f}"


@contextmanager
def _progress(stderr: Console) -> "Iterator[_Drawer]":
    if stderr.is_terminal:
        columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
        times = [
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[rate]} {task.fields[status]}"),
        ]
        # rich would take what is printed for a file or pipe to itself, onto stderr
        shared = sys.stdout.isatty()
        with Bars(*columns, *times, console=stderr, redirect_stdout=shared) as bars:
            yield _Drawer(stderr, bars)
    else:
        yield _Drawer(stderr, None)


class _Drawer:
    def __init__(self, stderr: Console, bars: Bars | None) -> None:
        self._stderr, self._bars = stderr, bars
        self._tasks: dict[str, _Task] = {}

    def send(self, record: Progress) -> None:
        task = self._tasks.setdefault(record.task, _Task(record.done))
        if self._bars is not None:
            self._draw(self._bars, record, task)
        else:
            self._line(record, task)

    def _draw(self, bars: Bars, record: Progress, task: "_Task") -> None:
        if task.bar is None:
            task.bar = bars.add_task(
                record.task, total=record.total, completed=record.done, rate="", status=""
            )
        rate, status = task.rate(record), record.status
        bars.update(task.bar, completed=record.done, total=record.total, rate=rate, status=status)

    def _line(self, record: Progress, task: "_Task") -> None:
        seconds = task.seconds
        last = record.done == record.total and seconds > 1
        if last or seconds - task.printed >= PLAIN_INTERVAL:
            task.printed = seconds
            of = f"/{record.total}" if record.total else ""
            parts = (f"{record.task} {record.done}{of}", task.rate(record), task.left(record), record.status)
            self._stderr.print(" ".join(part for part in parts if part), markup=False)


class _Task:
    """How fast a task goes, from where it stood when it was first heard of (a resumed one not at 0)."""

    def __init__(self, done: int) -> None:
        self._first, self._started = done, time.monotonic()
        self.printed = 0.0
        self.bar: TaskID | None = None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def rate(self, record: Progress) -> str:
        done, seconds = record.done - self._first, self.seconds
        return f"{done / seconds:,.1f}/s" if done and seconds > 0.5 else ""

    def left(self, record: Progress) -> str:
        done = record.done - self._first
        if not record.total or not done:
            return ""
        remaining = int(self.seconds * (record.total - record.done) / done)
        return f"{remaining // 60}:{remaining % 60:02d} left"
