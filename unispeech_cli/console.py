"""The one terminal: progress and notes on stderr, results on stdout."""

import json
import sys

from rich.console import Console
from rich.table import Table as Drawn

from unispeech_cli.live import drawing
from unispeech_cli.records import Note, Progress, Records, Table, Text


def show(records: Records, as_json: bool = False) -> None:
    """Draw the records of a stage: bars and notes on stderr, text and tables on stdout (or as one JSON document)."""
    stderr = Console(stderr=True, highlight=False, soft_wrap=True)
    tables = []
    # rich would take what is printed for a file or pipe to itself, onto stderr
    with drawing(stderr, redirect_stdout=sys.stdout.isatty()) as draw:
        for record in records:
            if isinstance(record, Note):
                stderr.print(record.text, markup=False)
            elif isinstance(record, Progress):
                draw(record)
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
    # a probability of 0.003 is not 0.00, a rate of 0.0015 not 0.002
    return f"{value:.2g}" if 0 < abs(value) < 0.1 else f"{value:,.2f}"
