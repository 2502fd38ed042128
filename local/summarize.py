#!/usr/bin/env python3
"""What a recipe came to: trained and scored systems in, summary.json and a table out.

Example: python local/summarize.py exp/summary.json --seed 1 \
    --system unispeech exp/unispeech exp/unispeech/decode --system scratch exp/scratch exp/scratch/decode
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from unispeech_cli.atomic import write_text
from unispeech_cli.console import show
from unispeech_cli.manifests import read_cuts
from unispeech_cli.paths import DecodeDir, ExpDir
from unispeech_cli.records import Table
from unispeech_cli.trainer.journal import read_lines

# the system that others are held against, where it is there
BASELINE = "scratch"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("summary", type=Path, help="JSON file to write")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument(
        "--system",
        nargs=3,
        action="append",
        required=True,
        metavar=("NAME", "EXP", "DECODE_DIR"),
        help="repeatable",
    )
    given = parser.parse_args(arguments)
    try:
        systems = {
            name: summarize(ExpDir(Path(exp)), DecodeDir(Path(decoded)))
            for name, exp, decoded in given.system
        }
    except (OSError, ValueError) as error:
        print(f"summarize.py: {error}", file=sys.stderr)
        return 1
    write_text(given.summary, json.dumps({"seed": given.seed, "systems": systems}, indent=2) + "\n")
    show(iter([table(f"Phone error rates, seed {given.seed}", systems)]))
    return 0


def summarize(exp: ExpDir, decoded: DecodeDir) -> dict[str, Any]:
    """PER (a fraction) over all test sets, labelled minutes of the last training, updates and seconds."""
    stages = lineage(exp)
    updates, seconds = Counter[str](), Counter[str]()
    for stage, trained in stages:
        updates[stage] += max((line["update"] for line in read_lines(trained.timing)), default=0)
        seconds[stage] += clock(trained)
    return {
        "per": phone_error_rate(decoded),
        "labelled_minutes": labelled_minutes(exp),
        "updates": sum(updates.values()),
        "updates_by_stage": dict(updates),
        "seconds": {stage: round(time, 1) for stage, time in seconds.items()},
    }


def phone_error_rate(decoded: DecodeDir) -> float:
    scores = read_json(decoded.score)
    results = [
        result["measures"] for result in scores.get("results", []) if result["setting"] == scores["best"]
    ]
    totals = [measures["PER"]["total"] for measures in results if "PER" in measures]
    references = sum(total["reference"] for total in totals)
    if not references:
        raise ValueError(
            f"{decoded.score} holds no phone error rate; run `unispeech score` on {decoded.root}"
        )
    return sum(total["errors"] for total in totals) / references


def lineage(exp: ExpDir) -> list[tuple[str, ExpDir]]:
    """The trainings that led here, first one first, each with the name of its stage."""
    inputs = read_json(exp.inputs)
    stage = "pretrain" if "labeled" in inputs else "finetune"
    # a checkpoint directory lies in its experiment, unless it came from elsewhere
    parents = [ExpDir(Path(checkpoint).parent) for checkpoint in inputs["init"]]
    before = [part for parent in parents if parent.inputs.is_file() for part in lineage(parent)]
    return [*before, (stage, exp)]


def labelled_minutes(exp: ExpDir) -> float:
    inputs = read_json(exp.inputs)
    manifests = inputs["train"] if "train" in inputs else inputs["labeled"]
    return round(sum(cut.duration for path in manifests for cut in read_cuts(Path(path))) / 60, 2)


def clock(exp: ExpDir) -> float:
    """Wall seconds of training, validation and resumed runs included: the last line holds the total."""
    lines = read_lines(exp.timing)
    return float(lines[-1]["seconds"]) if lines else 0.0


def table(title: str, systems: dict[str, dict[str, Any]]) -> Table:
    baseline = systems.get(BASELINE, {}).get("per")
    columns = ("system", "PER %", f"of {BASELINE}", "labelled minutes", "updates", "training seconds")
    rows: list[tuple[str | int | float | None, ...]] = []
    for name, found in systems.items():
        relative = found["per"] / baseline if baseline else None
        updates, seconds = added_up(found["updates_by_stage"]), added_up(found["seconds"])
        rows.append((name, 100 * found["per"], relative, found["labelled_minutes"], updates, seconds))
    return Table(title, columns, rows)


def added_up(by_stage: dict[str, float]) -> str:
    return " + ".join(f"{number:.0f}" for number in by_stage.values())


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"no {path}") from None
    except ValueError:
        raise ValueError(f"{path} is not JSON") from None


if __name__ == "__main__":
    sys.exit(main())
