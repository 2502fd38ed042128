import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unispeech_cli.paths import CheckpointDir, ExpDir
from unispeech_cli.records import Note, Progress
from unispeech_cli.stages.finetune import FinetuneInputs, finetune
from unispeech_cli.trainer.journal import read_lines
from unispeech_cli.trainer.session import RunSettings

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(corpus: Any, minute: list[str]) -> Start:
    """Begin the real command in its own process: pre-training with dropout, masks, noise and mixing on."""

    def begin(exp: Path, *more: str, limit: int | None = None) -> subprocess.Popen[str]:
        data = ["--labeled", corpus.train, "--unlabeled", corpus.unlabelled, "--dev", corpus.dev]
        given = [f"--set={setting}" for setting in [*minute, "model.encoder.layerdrop=0.2", *more]]
        command = [sys.executable, "-m", "unispeech_cli", "pretrain", exp, "--lang-dir", corpus.lang_dir]
        return subprocess.Popen(
            [str(part) for part in [*command, *data, *given]],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            preexec_fn=None if limit is None else lambda: _limit_files(limit),
        )

    return begin


def _limit_files(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 300
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.002)


def notes(corpus: Any, exp: Path, settings: list[str]) -> list[str]:
    inputs = FinetuneInputs([corpus.train], [corpus.dev])
    records = finetune(exp, corpus.lang_dir, inputs, overrides=settings)
    return [record.text for record in records if isinstance(record, Note)]


def checkpoint_files(place: CheckpointDir) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in place.root.iterdir()}


def test_no_room_for_a_checkpoint_is_one_line_and_costs_only_that_checkpoint(
    start: Start, tmp_path: Path
) -> None:
    exp = ExpDir(tmp_path / "exp")
    process = start(exp.root, "run.updates=500", "run.validations=1")
    wait_for(exp.checkpoint(4).root)
    process.kill()
    process.communicate()
    for stump in exp.root.glob(".fresh-*"):
        shutil.rmtree(stump)
    last = exp.checkpoint(exp.checkpoints()[-1])
    before = checkpoint_files(last)
    process = start(exp.root, "run.updates=500", "run.validations=1", limit=last.weights.stat().st_size // 2)
    out, said = process.communicate()
    assert (process.returncode, out) == (1, "")
    (line,) = [line for line in said.splitlines() if line.startswith("unispeech: ")]
    assert "could not be written (" in line and "make room and run the same command again" in line
    assert said.splitlines()[-1] == line
    assert "Traceback" not in said
    assert checkpoint_files(last) == before
    assert not [path.name for path in exp.root.iterdir() if path.name.startswith(".")]


def test_the_same_command_after_the_end_does_nothing_and_says_so(
    corpus: Any, minute: list[str], tmp_path: Path
) -> None:
    exp = tmp_path / "exp"
    notes(corpus, exp, minute)
    before = {path: path.stat().st_mtime_ns for path in exp.rglob("*")}
    assert notes(corpus, exp, minute)[-1] == f"{exp} is trained: 6 updates; nothing to do"
    assert {path: path.stat().st_mtime_ns for path in exp.rglob("*")} == before
    with pytest.raises(ValueError, match=r"exp was made with other settings: run.updates 6, now 7"):
        notes(corpus, exp, [*minute, "run.updates=7"])


def test_an_abandoned_run_goes_on_from_its_last_sound_checkpoint(
    corpus: Any, minute: list[str], tmp_path: Path
) -> None:
    whole, broken = ExpDir(tmp_path / "whole"), ExpDir(tmp_path / "broken")
    notes(corpus, whole.root, minute)
    notes(corpus, broken.root, minute)
    assert broken.checkpoints() == [4, 6]
    weights = broken.checkpoint(6).weights
    weights.write_bytes(weights.read_bytes()[:-1])
    said = notes(corpus, broken.root, minute)
    warning = f"{weights} is damaged: its checksum differs; remove {weights.parent}"
    assert f"warning: {warning}; trying the checkpoint before" in said
    assert f"continuing {broken.root} from update 4" in said
    assert checkpoint_files(broken.checkpoint(6)) == checkpoint_files(whole.checkpoint(6))
    assert broken.metrics.read_bytes() == whole.metrics.read_bytes()


def test_when_no_checkpoint_is_sound_it_stops(corpus: Any, minute: list[str], tmp_path: Path) -> None:
    exp = ExpDir(tmp_path / "exp")
    notes(corpus, exp.root, minute)
    for update in exp.checkpoints():
        exp.checkpoint(update).state.write_text("{}")
    with pytest.raises(ValueError, match="exp: none of its checkpoints can be read; remove it to train anew"):
        notes(corpus, exp.root, minute)


def test_best_is_the_validation_with_the_least_error(corpus: Any, minute: list[str], tmp_path: Path) -> None:
    exp = ExpDir(tmp_path / "exp")
    settings = ["run.updates=30", "run.validations=10", "optim.lr=0.01", "run.keep=30"]
    said = notes(corpus, exp.root, [*minute, *settings])
    measured = {line["update"]: line["dev_per"] for line in read_lines(exp.metrics) if "dev_per" in line}
    assert list(measured) == list(range(3, 31, 3))
    least = min(measured.values())
    first = next(update for update, value in measured.items() if value == least)
    position = json.loads(exp.best.state.read_text())["position"]
    assert (position["update"], position["best"], position["best_update"]) == (first, least, first)
    assert exp.best.weights.read_bytes() == exp.checkpoint(first).weights.read_bytes()
    assert f"finetune update {first}: dev per {least:.4f} (best so far)" in said
    assert len(set(measured.values())) > 1


def test_dev_audio_that_cannot_be_read_is_told_once(
    corpus: Any, minute: list[str], tones: Callable[..., Path], tmp_path: Path
) -> None:
    dev = tones(tmp_path / "dev.jsonl", ["a e", "i o"])
    (tmp_path / "dev-1.wav").unlink()
    records = finetune(
        tmp_path / "exp", corpus.lang_dir, FinetuneInputs([corpus.train], [dev]), overrides=minute
    )
    said = [record.text for record in records if isinstance(record, Note)]
    assert [line for line in said if line.startswith("warning: dev: dev-1 left out: ")] == [
        f"warning: dev: dev-1 left out: no audio file {tmp_path / 'dev-1.wav'}"
    ]


def test_a_run_leaves_curves_clock_and_log(corpus: Any, minute: list[str], tmp_path: Path) -> None:
    exp = ExpDir(tmp_path / "exp")
    records = list(
        finetune(exp.root, corpus.lang_dir, FinetuneInputs([corpus.train], [corpus.dev]), overrides=minute)
    )
    assert [record.done for record in records if isinstance(record, Progress)] == [1, 2, 3, 4, 5, 6]
    logged = [line for line in read_lines(exp.metrics) if "loss" in line]
    assert [line["update"] for line in logged] == [1, 2, 3, 4, 5, 6]
    assert {"loss", "loss_ctc", "gradient_norm", "rate", "speech_seconds"} <= set(logged[0])
    seconds = [line["seconds"] for line in read_lines(exp.timing)]
    assert seconds == sorted(seconds) and seconds[0] > 0
    assert "update 6: loss " in exp.log_file("finetune").read_text()
    assert list(exp.tensorboard.glob("events.*"))


def test_validations_are_spread_evenly_and_one_is_at_the_end() -> None:
    run = RunSettings(updates=100, validations=3, save_every=40, log_every=30)
    assert [update for update in range(1, 101) if run.validates(update)] == [34, 67, 100]
    assert [update for update in range(1, 101) if run.saves(update)] == [34, 40, 67, 80, 100]
    assert [update for update in range(1, 101) if run.logs(update)] == [1, 30, 60, 90, 100]
    with pytest.raises(ValueError, match="save_every is at least 1, not 0"):
        RunSettings(save_every=0)
