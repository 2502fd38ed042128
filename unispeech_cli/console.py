"""The one terminal: progress and notes on stderr, results on stdout."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table as Drawn

from unispeech_cli.records import Note, Progress, Records, Table

# a pipe or log file gets one line per task and this many seconds
PLAIN_INTERVAL = 15.0


def show(records: Records, as_json: bool = False) -> None:
    """Draw the records of a stage: bars and notes on stderr, tables on stdout (or as one JSON document)."""
    stderr = Console(stderr=True, highlight=False, soft_wrap=True)
    tables = []
    with _progress(stderr) as draw:
        for record in records:
            if isinstance(record, Note):
                stderr.print(record.text, markup=False)
            elif isinstance(record, Progress):
                draw.send(record)
            else:
                tables.append(record)
    _print_tables(tables, as_json)


def _print_tables(tables: list[Table], as_json: bool) -> None:
    if as_json:
        results = {table.title: [dict(zip(table.columns, row, strict=True)) for row in table.rows] for table in tables}
        print(json.dumps(results, ensure_ascii=False, indent=2))
        return
    stdout = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    for table in tables:
        stdout.print(_drawn(table))


def _drawn(table: Table) -> Drawn:
    drawn = Drawn(title=table.title, title_justify="left")
    for index, column in enumerate(table.columns):
        numeric = all(isinstance(row[index], int | float | None) for row in table.rows)
        drawn.add_column(column, justify="right" if numeric and table.rows else "left")
    for row in table.rows:
        drawn.add_row(*(_cell(value) for value in row))
    return drawn


def _cell(value: str | int | float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


@contextmanager
def _progress(stderr: Console) -> "Iterator[_Drawer]":
    if stderr.is_terminal:
        columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
        times = [TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.fields[rate]} {task.fields[status]}")]
        with Bars(*columns, *times, console=stderr, transient=False) as bars:
            yield _Drawer(stderr, bars)
    else:
        yield _Drawer(stderr, None)


class _Drawer:
    def __init__(self, stderr: Console, bars: Bars | None) -> None:
        self._stderr, self._bars = stderr, bars
        self._ids: dict[str, int] = {}
        self._started: dict[str, float] = {}
        self._printed: dict[str, float] = {}

    def send(self, record: Progress) -> None:
        started = self._started.setdefault(record.task, time.monotonic())
        seconds = time.monotonic() - started
        rate = f"{record.done / seconds:,.1f}/s" if seconds > 0.5 else ""
        if self._bars is not None:
            self._draw(self._bars, record, rate)
        else:
            self._line(record, rate, seconds)

    def _draw(self, bars: Bars, record: Progress, rate: str) -> None:
        if record.task not in self._ids:
            self._ids[record.task] = bars.add_task(record.task, total=record.total, rate="", status="")
        bars.update(
            self._ids[record.task], completed=record.done, total=record.total, rate=rate, status=record.status
        )  # type: ignore[arg-type]

    def _line(self, record: Progress, rate: str, seconds: float) -> None:
        due = seconds - self._printed.get(record.task, 0.0) >= PLAIN_INTERVAL
        last = record.done == record.total and seconds > 1
        if due or last:
            self._printed[record.task] = seconds
            left = f", {_left(record, seconds)} left" if record.total and record.done else ""
            of = f"/{record.total}" if record.total else ""
            self._stderr.print(f"{record.task} {record.done}{of} {rate}{left} {record.status}".rstrip(), markup=False)


def _left(record: Progress, seconds: float) -> str:
    remaining = seconds * ((record.total or 0) - record.done) / record.done
    return f"{int(remaining) // 60}:{int(remaining) % 60:02d}"
