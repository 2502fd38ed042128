"""Several checkpoints of a training in, one checkpoint with the mean of their weights out."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from unispeech_cli.lang.tokens import read as read_tokens
from unispeech_cli.paths import CheckpointDir, ExpDir
from unispeech_cli.provenance import hash_file
from unispeech_cli.records import Note, Records
from unispeech_cli.trainer.average import dev_figures, least_of, mean_weights, newest
from unispeech_cli.trainer.checkpoint import Identity, read_position, save_averaged


def average(exp: Path, out: Path, *, last: int | None = None, best: int | None = None) -> Records:
    """Write one checkpoint directory of the `last` or the `best` best checkpoints of an experiment.

    Weights are averaged in float64; tokens and settings are those of the newest. The same command again does
    nothing; an average of others is never overwritten. Raises ValueError where too few are kept, one is damaged, or
    `out` is something else, FileNotFoundError where there is no experiment.
    """
    experiment, place = ExpDir(exp), CheckpointDir(out)
    if not experiment.inputs.is_file():
        raise FileNotFoundError(f"{exp} is no experiment (no {experiment.inputs.name})")
    chosen = _chosen(experiment, last, best)
    wanted = _made(chosen, dev_figures(experiment.metrics))
    if _is_made(place, wanted):
        yield Note(f"{out} is the average of these checkpoints; nothing to do")
        return
    end = chosen[max(chosen)]
    identity = Identity(end.settings.read_text(encoding="utf-8"), read_tokens(end.tokens))
    position = replace(read_position(end), best=None, best_update=None)
    save_averaged(place, mean_weights(list(chosen.values())), position, identity, wanted)
    yield Note(f"{out}: the mean of {len(chosen)} checkpoints, updates {', '.join(map(str, chosen))}")


def _chosen(experiment: ExpDir, last: int | None, best: int | None) -> dict[int, CheckpointDir]:
    number = last if best is None else best
    if number is None or (last is not None and best is not None):
        raise ValueError("say which checkpoints: --last N or --best N")
    if number < 1:
        raise ValueError(f"an average is of 1 checkpoint or more, not {number}")
    return newest(experiment, number) if best is None else least_of(experiment, number)


def _made(chosen: Mapping[int, CheckpointDir], figures: Mapping[int, float]) -> dict[str, Any]:
    """By update: what was averaged."""
    return {
        f"update {update}": {
            "directory": str(place.root),
            "dev": figures.get(update),
            "sha256": hash_file(place.weights),
        }
        for update, place in chosen.items()
    }


def _is_made(place: CheckpointDir, wanted: Mapping[str, Any]) -> bool:
    if not place.root.exists():
        return False
    state = json.loads(place.state.read_text(encoding="utf-8")) if place.state.is_file() else {}
    if "averaged" not in state:
        raise ValueError(f"{place.root} exists and is no average: name another --out")
    found = state["averaged"]
    if found != wanted:
        raise ValueError(
            f"{place.root} is an average of others ({', '.join(found)}): remove it or name another --out"
        )
    return True
