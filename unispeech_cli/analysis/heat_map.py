"""P(phone | code) as a picture, a panel for each codebook group.

Legend: P phones, V codes.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unispeech_cli.analysis.observed import ALL, Frames, Ints

Floats = NDArray[np.float64]
INCHES_A_PHONE = 0.14
PANEL_INCHES = 9.0


def phone_given_code(frames: Frames, code_N: Ints) -> tuple[Floats, list[str], Ints]:
    """P(phone | code) (P, V), the phones of its rows and the codes of its columns.

    The commonest phone is first; codes stand by their likeliest phone, the surest first, those never used nowhere.
    """
    counts_PV = np.zeros((len(frames.phones), int(code_N.max()) + 1))
    np.add.at(counts_PV, (frames.phone_N, code_N), 1)
    rows = np.argsort(-counts_PV.sum(1), kind="stable")
    rows = rows[counts_PV[rows].sum(1) > 0]
    codes = np.flatnonzero(counts_PV.sum(0))
    share_PV = counts_PV[np.ix_(rows, codes)] / counts_PV[:, codes].sum(0)
    order = np.lexsort((-share_PV.max(0), share_PV.argmax(0)))
    return share_PV[:, order], [frames.phones[row] for row in rows], codes[order]


def draw_heat_maps(frames: Frames, title: str, path: Path) -> None:
    """Write a PNG. Raises ValueError where matplotlib is missing."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ValueError("analyze needs matplotlib: pip install 'unispeech[plot]'") from None
    maps = [phone_given_code(frames, code_N) for group, code_N in frames.columns.items() if group != ALL]
    height = 1.0 + INCHES_A_PHONE * max(len(phones) for _, phones, _ in maps)
    figure = Figure((PANEL_INCHES, 0.4 + height * len(maps)), dpi=100, layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    for number, (share_PV, phones, codes) in enumerate(maps):
        axes = figure.add_subplot(len(maps), 1, number + 1)
        image = axes.imshow(share_PV, aspect="auto", interpolation="nearest", cmap="Blues", vmin=0, vmax=1)
        axes.set_yticks(range(len(phones)), phones, fontsize=6)
        axes.set_xticks([])
        axes.set_xlabel(f"group {number}: {len(codes)} codes, by their likeliest phone", fontsize=8)
        axes.tick_params(length=0)
    figure.colorbar(image, ax=figure.axes, shrink=0.5, label="P(phone | code)")
    figure.suptitle(title, fontsize=9)
    canvas.print_png(path)
