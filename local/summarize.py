#!/usr/bin/env python3
"""What a recipe came to: trained and scored systems in, summary.json and a table out.

Example: python local/summarize.py exp/summary.json --seed 1 \
    --system unispeech exp/unispeech exp/unispeech/decode --system scratch exp/scratch exp/scratch/decode
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
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
COST = ("labelled minutes", "updates", "training seconds")
Row = tuple[str | int | float | None, ...]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("summary", type=Path, help="JSON file to write")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument(
        "--system",
        nargs="+",
        action="append",
        required=True,
        metavar="NAME EXP DECODE_DIR",
        help="a system, its experiment, one or more decode directories of it; repeatable",
    )
    given = parser.parse_args(arguments)
    if any(len(system) < 3 for system in given.system):
        parser.error("--system is NAME EXP DECODE_DIR...")
    try:
        systems = {
            name: summarize(ExpDir(Path(exp)), [DecodeDir(Path(path)) for path in decoded])
            for name, exp, *decoded in given.system
        }
    except (OSError, ValueError) as error:
        print(f"summarize.py: {error}", file=sys.stderr)
        return 1
    write_text(given.summary, json.dumps({"seed": given.seed, "systems": systems}, indent=2) + "\n")
    show(iter([table(given.seed, systems)]))
    return 0


def summarize(exp: ExpDir, decoded: Sequence[DecodeDir]) -> dict[str, Any]:
    """Error rates, labelled minutes of the last training, updates and seconds."""
    stages = lineage(exp)
    updates, seconds = Counter[str](), Counter[str]()
    for stage, trained in stages:
        updates[stage] += max((line["update"] for line in read_lines(trained.timing)), default=0)
        seconds[stage] += clock(trained)
    return {
        **error_rates(decoded),
        "labelled_minutes": labelled_minutes(exp),
        "updates": sum(updates.values()),
        "updates_by_stage": dict(updates),
        "seconds": {stage: round(time, 1) for stage, time in seconds.items()},
    }


def error_rates(decoded: Sequence[DecodeDir]) -> dict[str, Any]:
    """`wer`, by method and test set, of what was decoded into words; of the rest `per`, over all test sets."""
    scores = [best_results(place) for place in decoded]
    measured = [result["measures"] for _, results in scores for result in results]
    totals = [measures["PER"]["total"] for measures in measured if "WER" not in measures]
    errors, reference = (sum(total[name] for total in totals) for name in ("errors", "reference"))
    words = word_error_rates(scores)
    return ({"per": errors / reference} if totals else {}) | ({"wer": words} if words else {})


def best_results(decoded: DecodeDir) -> tuple[str, list[dict[str, Any]]]:
    """The method, and what it came to on each test set in its best setting."""
    scores = read_json(decoded.score)
    results = [result for result in scores.get("results", []) if result["setting"] == scores["best"]]
    if not any(result["measures"] for result in results):
        raise ValueError(f"{decoded.score} holds no error rate; run `unispeech score` on {decoded.root}")
    return scores["method"], results


def word_error_rates(scores: Sequence[tuple[str, list[dict[str, Any]]]]) -> dict[str, dict[str, Any]]:
    rates: dict[str, dict[str, Any]] = {}
    for method, results in scores:
        for result in results:
            if "WER" not in result["measures"]:
                continue
            total = result["measures"]["WER"]["total"]
            rate = {
                "fraction": total["fraction"],
                "interval": total["interval"],
                "setting": result["setting"],
            }
            rates.setdefault(method, {})[result["test_set"]] = rate
    return rates


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


def table(seed: int, systems: dict[str, dict[str, Any]]) -> Table:
    if any("wer" in found for found in systems.values()):
        return word_table(f"Word error rates in %, with intervals of 95 %, seed {seed}", systems)
    return phone_table(f"Phone error rates, seed {seed}", systems)


def phone_table(title: str, systems: dict[str, dict[str, Any]]) -> Table:
    baseline = systems.get(BASELINE, {}).get("per")
    rows: list[Row] = []
    for name, found in systems.items():
        relative = found["per"] / baseline if baseline else None
        rows.append((name, 100 * found["per"], relative, *cost(found)))
    return Table(title, ("system", "PER %", f"of {BASELINE}", *COST), rows)


def word_table(title: str, systems: dict[str, dict[str, Any]]) -> Table:
    """A row a system and test set, a column a method of decoding."""
    methods = list(dict.fromkeys(method for found in systems.values() for method in found["wer"]))
    rows: list[Row] = []
    for name, found in systems.items():
        sets = dict.fromkeys(test_set for rates in found["wer"].values() for test_set in rates)
        for test_set in sets:
            rates = [shown(found["wer"].get(method, {}).get(test_set)) for method in methods]
            rows.append((name, test_set, *rates, *cost(found)))
    return Table(title, ("system", "test set", *methods, *COST), rows)


def shown(rate: dict[str, Any] | None) -> str | None:
    """`12.34 [11.2, 13.4]`, in %; the interval is absent where one speaker or utterance is all there is."""
    if rate is None or rate["fraction"] is None:
        return None
    interval = rate["interval"]
    bounds = f" [{100 * interval['low']:.1f}, {100 * interval['high']:.1f}]" if interval else ""
    return f"{100 * rate['fraction']:.2f}{bounds}"


def cost(found: dict[str, Any]) -> Row:
    return found["labelled_minutes"], added_up(found["updates_by_stage"]), added_up(found["seconds"])


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
