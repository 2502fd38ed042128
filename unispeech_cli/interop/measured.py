"""What was measured with a checkpoint: the scored decode directories that are of it and of no other."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from unispeech_cli.paths import CheckpointDir, DecodeDir
from unispeech_cli.provenance import hash_file
from unispeech_cli.scorer.report import Result, System
from unispeech_cli.scorer.scorefile import read_scores


def scored_dirs(place: CheckpointDir, given: Sequence[Path]) -> list[Path]:
    """Those given, else those in the checkpoint's directory and beside it.

    Raises ValueError for one that was given and is of another checkpoint, FileNotFoundError where it is not scored.
    """
    for root in given:
        if not _is_of(root, place):
            raise ValueError(f"--scores {root}: decoded with another checkpoint than {place.root}")
    return list(given) or [root for root in _beside(place) if _is_of(root, place)]


def files_of(scored: Sequence[Path]) -> list[Path]:
    """What is read of them."""
    return [path for root in scored for path in (DecodeDir(root).decoded, DecodeDir(root).score)]


def best_results(scored: Sequence[Path]) -> list[Result]:
    """Of each directory the best setting on each of its test sets. Raises as `scorefile.read_scores`."""
    found = []
    for root in scored:
        decoded = json.loads(DecodeDir(root).decoded.read_text(encoding="utf-8"))
        system = System(root.name, str(root), *(decoded[key] for key in ("method", "units", "checkpoint")))
        found += [result for result in read_scores(root, system).results if result.best]
    return found


def _beside(place: CheckpointDir) -> list[Path]:
    around = [*place.root.iterdir(), *place.root.parent.iterdir()]
    roots = sorted(path for path in around if path.is_dir())
    return [root for root in roots if DecodeDir(root).decoded.is_file() and DecodeDir(root).score.is_file()]


def _is_of(root: Path, place: CheckpointDir) -> bool:
    for path in (DecodeDir(root).decoded, DecodeDir(root).score):
        if not path.is_file():
            raise FileNotFoundError(f"{root} is not scored (no {path.name}); run `unispeech score {root}`")
    decoded: Mapping[str, Mapping[str, str]] = json.loads(DecodeDir(root).decoded.read_text(encoding="utf-8"))
    return hash_file(place.checksums) in decoded.get("inputs", {}).values()
