"""Scales of a language model, as they are given: numbers, or a scored decode directory whose best one is taken."""

import json
from pathlib import Path

from unispeech_cli.paths import DecodeDir

PREFIX = "lm_scale_"


def read_scales(given: str) -> tuple[float, ...]:
    """`0.2,0.4,0.6`, or the path of a decode directory. Raises ValueError, FileNotFoundError in one line."""
    if Path(given).is_dir():
        return (_best(Path(given)),)
    try:
        scales = tuple(float(number) for number in given.split(","))
    except ValueError:
        raise ValueError(
            f"--lm-scales {given}: neither numbers parted by commas nor a decode directory"
        ) from None
    if not all(0 <= scale < float("inf") for scale in scales):
        raise ValueError(f"--lm-scales {given}: scales are from 0 on")
    return scales


def setting(scale: float) -> str:
    """What the result of a scale is called, as icefall does."""
    return f"{PREFIX}{scale:g}"


def _best(root: Path) -> float:
    path = DecodeDir(root).score
    if not path.is_file():
        raise FileNotFoundError(f"--lm-scales {root}: not scored yet; `unispeech score {root}`")
    try:
        best = str(json.loads(path.read_text(encoding="utf-8"))["best"])
        return float(best.removeprefix(PREFIX))
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"--lm-scales {root}: its best setting is not a scale of a language model") from None
