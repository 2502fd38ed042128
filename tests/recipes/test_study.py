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
# of two systems one: the other one's row is empty
OPTIONS = ("--config", "local/ci/study.sh", "--only", "system=unispeech")
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
def out_of_time(checkout) -> tuple[int, str, str]:
    """Corpora are made and phonemized, and there is no minute left for a cell."""
    return finish(start(checkout, "--minutes", "0"))


@pytest.fixture(scope="module")
def told_to_stop(checkout, out_of_time) -> tuple[int, str, str]:
    """Stopped as soon as the first training has begun."""
    running = start(checkout, "--stage", "3")
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
    assert numbers(out)["pretrain"] == (1, 0) and numbers(out)["all"] == (4, 0)
    code, out, _ = finish(start(checkout, "--list", "true"))
    assert [line.split(" kind=")[1].split()[0] for line in out.splitlines()] == [
        *("pretrain", "finetune", "decode", "score")
    ]
    assert set(checkout.iterdir()) == before


def test_without_time_no_cell_is_begun(checkout, out_of_time):
    code, out, err = out_of_time
    assert code == 75, err[-3000:]
    assert "4 cells are left, run the same command again" in err
    assert "| unispeech | - | - | - | - | 30 + 8 |" in out


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


def test_what_is_done_is_not_run_again(checkout, finished):
    before = {path: path.stat().st_mtime_ns for path in (checkout / "exp" / "study").rglob("*/seed-1/**/*")}
    code, _, err = finish(start(checkout, "--stage", "3", "--stop-stage", "3"))
    assert code == 0 and numbers(err)["all"] == (4, 4)
    assert "[" not in err.split("Stage 3:")[1]
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_cell_that_fails_is_named_and_the_others_go_on(checkout, finished, tmp_path):
    """Other settings in the same place: refused by the training itself."""
    conf = tmp_path / "ci" / "conf"
    conf.mkdir(parents=True)
    (conf.parent / "systems.yaml").write_text('unispeech: ""\n')
    for name in ("pretrain", "finetune", "scratch"):
        text = (ROOT / "local" / "ci" / "study" / "conf" / f"{name}.yaml").read_text()
        (conf / f"{name}.yaml").write_text(text.replace("updates: 30", "updates: 31"))
    code, _, err = finish(start(checkout, "--stage", "3", "--conf", str(conf)))
    assert code == 1
    assert "was made with other settings: run.updates 30, now 31" in err
    assert err.splitlines()[-1].endswith("en unispeech seed-1 pretrain failed; its last lines are above")
