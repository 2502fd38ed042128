"""Experiment directories in, one picture of their curves out."""

import json
from collections.abc import Sequence
from pathlib import Path

from unispeech_cli.analysis.curves import draw, made_from, panels, read_run
from unispeech_cli.atomic import atomic_file
from unispeech_cli.paths import ExpDir
from unispeech_cli.provenance import compare, describe
from unispeech_cli.records import Note, Records
from unispeech_cli.scorer.report import labels


def plot(experiments: Sequence[Path], out: Path | None = None) -> Records:
    """Draw the curves of one or several trainings into `out`, by default the directory of the only one.

    A training may be going on meanwhile: its whole lines are drawn. The same command again does nothing while no
    line has come. Raises FileNotFoundError naming an experiment without metrics.jsonl, ValueError where that is
    empty, where several are drawn and nobody says where to, or where the picture is somebody else's.
    """
    roots = list(dict.fromkeys(experiments))
    if out is None and len(roots) > 1:
        raise ValueError("several experiments in one picture: say where to with --out DIR")
    picture = ExpDir(out or roots[0]).curves
    metrics = [ExpDir(root).metrics for root in roots]
    runs = [
        read_run(path, label)
        for path, label in zip(metrics, labels([str(root) for root in roots]), strict=True)
    ]
    wanted = describe("plot", metrics, {"labels": [run.label for run in runs]}, ["matplotlib"])
    if _drawn_from(picture, wanted):
        yield Note(f"{picture} shows these metrics; nothing to do")
        return
    with atomic_file(picture) as fresh:
        draw(runs, fresh, json.dumps(wanted))
    updates = max(update for run in runs for curve in run.curves.values() for update in curve.updates)
    yield Note(f"{picture}: {len(panels(runs))} curves to update {updates}")


def _drawn_from(picture: Path, wanted: dict[str, object]) -> bool:
    """Whether the picture is there and up to date. Raises ValueError where it was not made here."""
    if not picture.exists():
        return False
    found = made_from(picture)
    if found is None:
        raise ValueError(f"{picture} exists and was not made by plot; choose another --out")
    return compare(json.loads(found), wanted) == []
