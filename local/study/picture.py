"""The systems of a study with their intervals, as PNG."""

from collections.abc import Sequence
from pathlib import Path

from study.table import Row
from unispeech_cli.atomic import atomic_file

INCHES_A_ROW, INCHES_A_PART, WIDTH = 0.28, 0.9, 7.0
BAR, SEED = "#30638e", "#7fa6c9"


def draw(rows: Sequence[Row], speech: str, path: Path) -> None:
    """A panel a table: the pooled rate with its interval, those of single seeds as dots.

    Raises ValueError where matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ValueError("the picture needs matplotlib: pip install 'unispeech[plot]'") from None
    parts: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        parts.setdefault((row.part, row.labels), []).append(row)
    heights = [INCHES_A_PART + INCHES_A_ROW * len(own) for own in parts.values()]
    figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(parts), 1, squeeze=False, height_ratios=heights)[:, 0]
    for panel, ((part, labels), own) in zip(panels, parts.items(), strict=True):
        _panel(panel, own)
        panel.set_title(f"{speech}: {part}" + ("" if labels == "all" else f", {labels} labelled"), fontsize=9)
    with atomic_file(path) as fresh, fresh.open("wb") as stream:
        figure.savefig(stream, format="png", dpi=120, metadata={"Software": None})


def _panel(panel, rows: Sequence[Row]) -> None:
    for place, row in enumerate(reversed(rows)):
        for of_a_seed in row.by_seed.values():
            panel.plot(of_a_seed, place, ".", color=SEED, zorder=1)
        if row.pooled is not None and row.low is not None and row.high is not None:
            below, above = row.pooled - row.low, row.high - row.pooled
            panel.errorbar(row.pooled, place, xerr=[[below], [above]], fmt="s", ms=4, capsize=3, color=BAR)
    panel.set_yticks(range(len(rows)), [row.system for row in reversed(rows)], fontsize=8)
    panel.set_ylim(-0.6, len(rows) - 0.4)
    panel.set_xlabel("PER %: pooled with 95 % over speakers; dots are seeds", fontsize=8)
    panel.tick_params(axis="x", labelsize=8)
    panel.grid(axis="x", alpha=0.3)
