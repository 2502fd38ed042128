"""Curves of trainings: what metrics.jsonl holds by update, drawn panel by panel."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from unispeech_cli.trainer.journal import read_lines

# by the names of metrics.jsonl, in the order of the panels; what is not here comes after them under its own name
TITLES = {
    "loss": "loss: sum of the terms",
    "loss_ctc": "CTC, weighted",
    "loss_contrastive": "contrastive, weighted",
    "loss_diversity": "diversity, weighted",
    "dev_per": "PER on dev, %",
    "dev_contrastive": "contrastive loss on dev",
    "code_perplexity": "codebook perplexity",
    "dead_codes": "share of entries that no frame takes",
    "same_code_share": "share of distractors with the positive's code",
    "positive_gap": "cosine: positive less distractors",
    "blank_share": "share of blanks",
    "rate": "learning rate",
    "temperature": "Gumbel temperature",
    "replace": "r",
    "gradient_norm": "gradient norm",
}
NO_CURVES = {"update", "speech_seconds"}
# a value this many times the least one would flatten the rest
WIDE = 50.0
COLUMNS = 4
PANEL_INCHES = (3.0, 1.9)
COLOURS = 64
MADE_FROM = "made-from"


@dataclass(frozen=True)
class Curve:
    """What one figure of a training was, update by update."""

    updates: list[int]
    values: list[float]


@dataclass(frozen=True)
class Run:
    """The curves of one training by the names of metrics.jsonl."""

    label: str
    curves: Mapping[str, Curve]


def read_run(metrics: Path, label: str) -> Run:
    """The curves in a metrics.jsonl, also of a training that goes on.

    Raises FileNotFoundError where there is no such file, ValueError where it is damaged or holds nothing yet.
    """
    if not metrics.is_file():
        raise FileNotFoundError(f"no {metrics}: give directories that pretrain or finetune made")
    try:
        lines = read_lines(metrics)
    except json.JSONDecodeError as error:
        raise ValueError(f"{metrics} is damaged: a line is no JSON ({error})") from None
    curves: dict[str, Curve] = {}
    for line in lines:
        for name in line.keys() - NO_CURVES:
            if isinstance(line[name], int | float):
                curve = curves.setdefault(name, Curve([], []))
                curve.updates.append(int(line["update"]))
                curve.values.append(float(line[name]))
    if not curves:
        raise ValueError(f"{metrics} holds nothing yet; the first update is logged when it is done")
    return Run(label, curves)


def panels(runs: Sequence[Run]) -> list[str]:
    """The names of all that has a curve in some run, in the order in which they are drawn.

    A loss of one term is drawn as that term alone.
    """
    there = {name for run in runs for name in run.curves}
    if sum(name.startswith("loss_") for name in there) == 1:
        there.discard("loss")
    return [name for name in TITLES if name in there] + sorted(there - TITLES.keys())


def draw(runs: Sequence[Run], path: Path, made_from: str) -> None:
    """Write a PNG with a panel for each figure, all runs in it; `made_from` is kept inside the file.

    Raises ValueError where matplotlib is missing.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from PIL import Image, PngImagePlugin
    except ImportError:
        raise ValueError("plot needs matplotlib: pip install 'unispeech[plot]'") from None
    names = panels(runs)
    columns = min(COLUMNS, len(names))
    rows = math.ceil(len(names) / columns)
    size = (PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows + 0.3)
    figure = Figure(size, dpi=100, layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    for number, name in enumerate(names):
        _panel(figure.add_subplot(rows, columns, number + 1), name, runs)
    handles = figure.axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=len(runs), fontsize=8, frameon=False)
    canvas.draw()
    kept = PngImagePlugin.PngInfo()
    kept.add_itxt(MADE_FROM, made_from)
    drawn = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba())
    # lines on white need no more, and are a third of the size
    drawn.convert("RGB").quantize(COLOURS).save(path, format="png", optimize=True, pnginfo=kept)


def made_from(path: Path) -> str | None:
    """What a PNG of `draw` was made from; None where it is another file."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            image.load()
            found = image.info.get(MADE_FROM)
    except (UnidentifiedImageError, OSError):
        return None
    return None if found is None else str(found)


def _panel(axes: Any, name: str, runs: Sequence[Run]) -> None:
    scale = 100 if name == "dev_per" else 1
    for number, run in enumerate(runs):
        curve = run.curves.get(name, Curve([], []))
        values = [scale * value for value in curve.values]
        mark = "o" if name.startswith("dev_") else None
        line = partial(axes.plot, curve.updates, values, color=f"C{number % 10}")
        line(label=run.label, linewidth=1, marker=mark, markersize=2.5)
    axes.set_title(TITLES.get(name, name), fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3, linewidth=0.5)
    axes.set_xlim(left=0)
    if _is_wide(name, runs):
        axes.set_yscale("log")


def _is_wide(name: str, runs: Sequence[Run]) -> bool:
    """Whether a loss or norm is told apart only on a logarithmic scale."""
    if not name.startswith(("loss", "gradient_norm")):
        return False
    values = [value for run in runs if name in run.curves for value in run.curves[name].values]
    finite = [value for value in values if math.isfinite(value)]
    return bool(finite) and min(finite) > 0 and max(finite) > WIDE * min(finite)
