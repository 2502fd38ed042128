"""The command line: a plan in; its cells, a forecast, tables or folds out."""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from study.cells import Cell, cells, choose, without
from study.forecast import Work, forecast
from study.marks import marks
from study.plan import Plan, in_folds, read_plan
from unispeech_cli.atomic import write_text
from unispeech_cli.console import show

if TYPE_CHECKING:
    from study.ledger import Line

EXAMPLES = """examples:
  python local/study cells recipes/study/plan/reduced.yaml --conf recipes/study/conf/mini --exp exp --data data
  python local/study folds /corpora/cv it --number 5 --out data/study/folds/it"""


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line; exits 2 on a usage error."""
    parser = argparse.ArgumentParser(
        prog="study",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    _add_plan(commands.add_parser("cells", help="print a line a cell, NAME=VALUE, in the order to run them"))
    asked = commands.add_parser("forecast", help="print how much there is to run, and how long it takes")
    _add_plan(asked)
    asked.add_argument("--jobs", type=int, default=1)
    asked.add_argument(
        "--speed", default="", help="pretrain=45 decode=20: audio s a second of trainings, else s"
    )
    table = commands.add_parser(
        "table", help="write study.json, study.md, study.png and outcomes.jsonl to EXP"
    )
    _add_plan(table)
    table.add_argument("--speech", default="Speech", help="what was spoken, for the heading")
    table.add_argument("--replications", type=int, default=10_000)
    folds = commands.add_parser("folds", help="deal the clips of a language out")
    folds.add_argument("corpus", type=Path)
    folds.add_argument("language")
    folds.add_argument("--number", type=int, default=5)
    folds.add_argument("--out", type=Path, required=True)
    return parser.parse_args(arguments)


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("plan", type=Path)
    parser.add_argument(
        "--conf", type=Path, required=True, help="folder of settings; systems.yaml is above it"
    )
    parser.add_argument("--exp", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", default="", help="in place of the plan's")
    parser.add_argument("--targets", default="", help="in place of the plan's")
    parser.add_argument("--folds", default="", help="folds of the targets to test on: 1 2 3 4 5")
    parser.add_argument("--unlabeled", default="", help="languages that NAME+ hears; else its target")
    parser.add_argument("--languages", default="", help="all that are there; parts with others are left out")
    parser.add_argument("--only", default="", help="seed=1 system=unispeech,r0: these, and what they need")
    parser.add_argument("--options", default="", help="what else the trainings depend on")
    parser.add_argument(
        "--outcomes", default="", help="outcomes.jsonl of other machines: what is in them is not run"
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    given = parse(arguments)
    try:
        COMMANDS[given.command](given)
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        print(f"study: {error}", file=sys.stderr)
        return 1
    return 0


def _plan(given: argparse.Namespace) -> Plan:
    seeds = [int(seed) for seed in given.seeds.split()]
    systems = given.conf.parent / "systems.yaml"
    plan = read_plan(given.plan, systems, seeds=seeds, targets=given.targets.split())
    if given.folds:
        plan = in_folds(plan, [int(fold) for fold in given.folds.split()], given.unlabeled.split())
    return plan.spoken_in(given.languages.split())


def _work(given: argparse.Namespace, plan: Plan) -> Work:
    found = cells(plan)
    made = marks(found, given.exp, given.conf, given.data, given.options)
    known = {line.mark for line in _elsewhere(given)}
    chosen = choose(found, given.only) if given.only else found
    left = without(chosen, {name for name, mark in made.items() if mark.name in known})
    return Work(left, made, given.exp, given.conf)


def _elsewhere(given: argparse.Namespace) -> "list[Line]":
    if not given.outcomes:
        return []
    # numpy and what reads scores: most calls do without
    from study.ledger import read_lines

    return [line for path in given.outcomes.split() for line in read_lines(Path(path))]


def _cells(given: argparse.Namespace) -> None:
    work = _work(given, _plan(given))
    for cell in work.cells:
        print(" ".join(_line(cell, work)))


def _line(cell: Cell, work: Work) -> Iterator[str]:
    yield f"mark={work.marks[cell.id]}"
    yield f"needs={','.join(str(work.marks[name]) for name in cell.needs)}"
    yield f"settings={cell.conf}"
    yield from (f"{f.name}={getattr(cell, f.name)}" for f in fields(cell) if f.name != "needs")


def _forecast(given: argparse.Namespace) -> None:
    work = _work(given, _plan(given))
    speeds = {name: float(value) for name, _, value in (word.partition("=") for word in given.speed.split())}
    show(iter(forecast(work, speeds, given.jobs)))


def _table(given: argparse.Namespace) -> None:
    # numpy and what reads scores: the other commands do without
    from study.ledger import ledger, text_of
    from study.markdown import document
    from study.picture import draw
    from study.table import plain, study
    from unispeech_cli.scorer.bootstrap import BootstrapSettings

    plan = _plan(given)
    work = _work(given, plan)
    brought = _elsewhere(given)
    known = ledger(work, brought)
    if given.outcomes:
        fitting = sum(line.mark in known.lines for line in brought)
        print(
            f"study: {fitting} of {len(brought)} outcomes in {given.outcomes} have these settings and corpora",
            file=sys.stderr,
        )
    found = study(plan, work, known, BootstrapSettings(given.replications, speakers=1))
    text = document(found, given.speech)
    write_text(
        given.exp / "study.json", json.dumps({"speech": given.speech, **plain(found)}, indent=1) + "\n"
    )
    write_text(given.exp / "study.md", text)
    write_text(given.exp / "outcomes.jsonl", text_of(list(known.lines.values())))
    draw(found.rows, given.speech, given.exp / "study.png")
    print(text, end="")


def _folds(given: argparse.Namespace) -> None:
    # reads audio
    from study.folds import write_folds

    seconds = write_folds(given.corpus, given.language, given.number, given.out)
    told = " ".join(f"{each:.0f}" for each in seconds)
    print(f"{given.out}: seconds in {len(seconds)} parts: {told}", file=sys.stderr)


COMMANDS = {"cells": _cells, "forecast": _forecast, "table": _table, "folds": _folds}
