from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unispeech_cli.analysis.heat_map import draw_heat_maps, phone_given_code
from unispeech_cli.analysis.observed import pool


def test_codes_stand_by_their_likeliest_phone(spoken: Callable[..., Any]) -> None:
    # b is commoner; code 5 is b for sure, 1 twice of three times, 3 is a
    frames = pool([spoken("bbbabaa", [(5,), (1,), (1,), (1,), (5,), (3,), (3,)])])
    share_PV, phones, codes = phone_given_code(frames, frames.columns[0])
    assert (phones, codes.tolist()) == (["b", "a"], [5, 1, 3])
    assert share_PV == pytest.approx(np.array([[1, 2 / 3, 0], [0, 1 / 3, 1]]))


def test_a_picture_has_a_panel_a_group(spoken: Callable[..., Any], tmp_path: Path) -> None:
    from PIL import Image

    heights = []
    for groups in (1, 3):
        frames = pool([spoken("abʎ", [(code,) * groups for code in range(3)])])
        draw_heat_maps(frames, "codes", tmp_path / f"{groups}.png")
        with Image.open(tmp_path / f"{groups}.png") as image:
            pixels = np.asarray(image.convert("RGB"), int)
            heights.append(image.height)
            # a code of one phone is dark blue
            dark = ((pixels[:, :, 2] > 80) & (pixels[:, :, 0] < 20) & (pixels[:, :, 1] < 60)).sum()
            assert dark > 1000 * groups
    assert heights[1] > 2 * heights[0]
