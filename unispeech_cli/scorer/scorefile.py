"""score.json read back: rates with their intervals, and how both sides were written and aligned."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unispeech_cli.paths import DecodeDir
from unispeech_cli.provenance import hash_file
from unispeech_cli.scorer.alignment import Counts
from unispeech_cli.scorer.glm import Glm, read_glm
from unispeech_cli.scorer.measures import Manner
from unispeech_cli.scorer.normalization import TextSettings
from unispeech_cli.scorer.rates import Rate
from unispeech_cli.scorer.report import Rated, Result, System
from unispeech_cli.settings import build


@dataclass(frozen=True)
class Scores:
    """What `unispeech score` found in one decode directory; `best` is a setting."""

    manner: Manner
    results: list[Result]
    best: str


def read_scores(root: Path, system: System) -> Scores:
    """Read score.json.

    Raises FileNotFoundError where score has not run, ValueError where the file is not its, or where the global map
    that it was scored with has gone or changed.
    """
    path = DecodeDir(root).score
    if not path.is_file():
        raise FileNotFoundError(f"{root} is not scored (no {path.name}); run `unispeech score {root}`")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        text, sclite, best = build(TextSettings, found["text"]), found["alignment"] == "sclite", found["best"]
        results = [_result(result, system, best) for result in found["results"]]
        glm = found["glm"]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ValueError(
            f"{path} is not as `unispeech score` writes it; run `unispeech score {root}` again"
        ) from None
    return Scores(Manner(text, _glm(glm, root), sclite), results, best)


def _glm(found: Mapping[str, str] | None, root: Path) -> Glm | None:
    if found is None:
        return None
    path = Path(found["file"])
    if not path.is_file() or hash_file(path) != found["sha256"]:
        raise ValueError(
            f"{root} was scored with the global map {path}, which has gone or changed; score it again"
        )
    return read_glm(path)


def _result(found: Mapping[str, Any], system: System, best: str) -> Result:
    measures = found["measures"]
    rates = {name: _rated(measured["total"]) for name, measured in measures.items()}
    first = measures[next(iter(rates))]["by"]
    groups = {kind: {name: _rated(rate) for name, rate in some.items()} for kind, some in first.items()}
    return Result(system, found["test_set"], found["setting"], found["setting"] == best, rates, groups)


def _rated(found: Mapping[str, Any]) -> Rated:
    substitutions, deletions, insertions = (found[k] for k in ("substitutions", "deletions", "insertions"))
    correct = found["reference"] - substitutions - deletions
    counts = Counts(correct, substitutions, deletions, insertions)
    drawn = found.get("interval")
    interval = None if drawn is None else (float(drawn["low"]), float(drawn["high"]))
    return Rated(Rate(counts, found["utterances"], found["seconds"]), interval)
