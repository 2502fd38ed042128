"""The study end to end at the size of CI: stopped, gone on with, and made into a table."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# of three systems two: the row of the other one is empty
OPTIONS = ("--config", "local/ci/study.sh", "--only", "system=unispeech,unispeech+")
EXP = Path("exp", "study", "synthetic")
TRAINED = EXP / "en" / "unispeech" / "seed-1" / "pretrain"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("study")
    for name in ("recipes", "local"):
        (place / name).symlink_to(ROOT / name)
    return place


def start(checkout: Path, *options: str) -> subprocess.Popen[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = [str(checkout / "recipes" / "study" / "run.sh"), *OPTIONS, *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, env={**os.environ, "PATH": path}, cwd="/", **pipes)


def finish(running: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = running.communicate(timeout=300)
    return running.returncode, out, err


def numbers(table: str) -> dict[str, tuple[int, int]]:
    """Of a forecast: runs and how many are done, by kind."""
    rows = [
        [word.strip() for word in line.strip("│ ").split("│")] for line in table.splitlines() if "│" in line
    ]
    return {row[0]: (int(row[1]), int(row[2])) for row in rows}


@pytest.fixture(scope="module")
def told_to_stop(checkout) -> tuple[int, str, str]:
    """Stopped as soon as the first training has begun."""
    running = start(checkout)
    while running.poll() is None and not (checkout / TRAINED / "metrics.jsonl").is_file():
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    return finish(running)


@pytest.fixture(scope="module")
def finished(checkout, told_to_stop) -> tuple[int, str, str]:
    return finish(start(checkout, "--stage", "3"))


def test_a_plan_that_is_told_makes_nothing(checkout):
    before = set(checkout.iterdir())
    code, out, err = finish(start(checkout, "--dry-run", "true"))
    assert code == 0, err
    assert numbers(out)["pretrain"] == (1, 0) and numbers(out)["all"] == (8, 0)
    assert set(checkout.iterdir()) == before


def test_a_stopped_training_is_saved(checkout, told_to_stop):
    code, _, err = told_to_stop
    assert code == 75, err[-3000:]
    assert "stopped, run the same command again" in err
    assert any((checkout / TRAINED).glob("checkpoint-*"))


def test_the_same_command_goes_on_to_the_table(checkout, finished):
    code, out, err = finished
    assert code == 0, err[-3000:]
    # no update twice
    lines = [json.loads(line) for line in (checkout / TRAINED / "metrics.jsonl").read_text().splitlines()]
    logged = [line["update"] for line in lines if "loss" in line]
    assert logged == sorted(set(logged)) and logged[-1] == 30
    assert "continuing exp/study/synthetic/en/unispeech/seed-1/pretrain from update" in err
    score = json.loads((checkout / TRAINED.parent / "it-0.5min" / "decode" / "score.json").read_text())
    per = 100 * score["results"][0]["measures"]["PER"]["total"]["fraction"]
    found = json.loads((checkout / EXP / "study.json").read_text())
    rows = {row["system"]: row for row in found["rows"]}
    assert rows["unispeech"]["per"]["it"]["1"] == pytest.approx(per)
    assert rows["scratch"]["per"] == {"it": {}}
    assert f"| unispeech | {per:.1f} | {per:.1f} | {per:.1f} [" in out
    assert out == (checkout / EXP / "study.md").read_text()
    assert (checkout / EXP / "study.png").is_file()


def test_what_goes_on_hears_the_source_with_labels_and_the_target_without(checkout, finished):
    _, _, err = finished
    told = [line for line in err.splitlines() if line.startswith("[en unispeech+ seed-1 continue-it]")]
    heard = [line.split("] ")[1].split(":")[0] for line in told if " cuts, " in line]
    assert heard == ["labelled", "unlabelled"]


def test_what_is_done_is_known_by_its_marks(checkout, finished):
    _, out, _ = finish(start(checkout, "--dry-run", "true"))
    assert numbers(out)["pretrain"] == (1, 1) and numbers(out)["all"] == (8, 8)


def test_outcomes_brought_from_another_machine_are_not_run_again(checkout, finished):
    """There the corpora are prepared, and nothing was trained."""
    elsewhere = ("--exp", "exp/elsewhere", "--outcomes", str(EXP / "outcomes.jsonl"))
    _, out, err = finish(start(checkout, *elsewhere, "--dry-run", "true"))
    assert numbers(out)["all"] == (0, 0), err
    code, out, err = finish(start(checkout, *elsewhere, "--stage", "3"))
    assert code == 0, err[-3000:]
    assert out == (checkout / EXP / "study.md").read_text()
    assert "study: 2 of 2 outcomes in exp/study/synthetic/outcomes.jsonl have these settings" in err
    assert not (checkout / "exp" / "elsewhere" / "en").exists()
