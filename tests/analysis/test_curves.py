import json
from pathlib import Path
from typing import Any

import pytest

from unispeech_cli.analysis.curves import Curve, Run, draw, made_from, panels, read_run


def metrics(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_curves_are_read_by_name_and_what_is_no_number_is_left_out(tmp_path: Path) -> None:
    path = metrics(
        tmp_path / "metrics.jsonl",
        {"update": 1, "loss": 7.0, "rate": 0.1, "speech_seconds": 16.0},
        {"update": 50, "loss": None, "rate": 0.2, "speech_seconds": 16.0},
        {"update": 50, "dev_per": 1.0},
        {"update": 100, "loss": 5.0, "rate": 0.1, "speech_seconds": 16.0},
    )
    run = read_run(path, "one")
    assert run.curves == {
        "loss": Curve([1, 100], [7.0, 5.0]),
        "rate": Curve([1, 50, 100], [0.1, 0.2, 0.1]),
        "dev_per": Curve([50], [1.0]),
    }


def test_the_line_that_is_being_written_is_left_for_later(tmp_path: Path) -> None:
    path = metrics(tmp_path / "metrics.jsonl", {"update": 1, "loss": 7.0})
    with path.open("a") as stream:
        stream.write('{"update": 2, "lo')
    assert read_run(path, "one").curves["loss"].updates == [1]


def test_panels_are_of_all_runs_and_unknown_figures_come_last() -> None:
    curve = Curve([1], [1.0])
    runs = [
        Run("a", {"a_new_figure": curve, "rate": curve, "loss": curve}),
        Run("b", {"dev_per": curve, "loss": curve}),
    ]
    assert panels(runs) == ["loss", "dev_per", "rate", "a_new_figure"]


def test_a_loss_of_one_term_is_drawn_once() -> None:
    curve = Curve([1], [1.0])
    alone = Run("a", {"loss": curve, "loss_ctc": curve})
    assert panels([alone]) == ["loss_ctc"]
    assert panels([alone, Run("b", {"loss_contrastive": curve})]) == ["loss", "loss_ctc", "loss_contrastive"]


def rows_of(path: Path, columns: range) -> tuple[list[int], list[int]]:
    """The rows of a picture that have something blue, and something orange, in these columns; without the legend."""
    from PIL import Image

    with Image.open(path) as image:
        seen = image.convert("RGB")
    pixels = [(row, *seen.getpixel((column, row))) for row in range(60, seen.height) for column in columns]
    return [row for row, r, _, b in pixels if b > r + 50], [row for row, r, _, b in pixels if r > b + 50]


def test_what_falls_is_drawn_falling_and_each_run_has_its_colour(tmp_path: Path) -> None:
    updates = list(range(100))
    falling = Run("falling", {"loss": Curve(updates, [100.0 - n for n in updates])})
    rising = Run("rising", {"loss": Curve(updates, [1.0 + n for n in updates])})
    path = tmp_path / "curves.png"
    draw([falling, rising], path, "inputs")
    # of a panel 300 wide, left and right
    (first_blue, first_orange), (last_blue, last_orange) = (
        rows_of(path, columns) for columns in (range(70, 90), range(250, 270))
    )
    assert max(first_blue) < min(last_blue)
    assert min(first_orange) > max(last_orange)


def test_a_picture_says_what_it_was_made_from(tmp_path: Path) -> None:
    path = tmp_path / "curves.png"
    draw([Run("ky/ñ", {"rate": Curve([1, 2], [0.0, float("nan")])})], path, '{"labels": "ñ"}')
    assert made_from(path) == '{"labels": "ñ"}'
    path.write_bytes(b"not a picture")
    assert made_from(path) is None


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"update": 1, "loss": 7.0}\nxyz\n')
    with pytest.raises(ValueError, match=r"metrics\.jsonl is damaged: a line is no JSON"):
        read_run(path, "one")
