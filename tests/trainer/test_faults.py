"""What goes wrong while a training runs, and what becomes of it; kills are tried by bench/faults.py."""

import math
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from lhotse.cut import Cut

from unispeech_cli.manifests import read_cuts
from unispeech_cli.paths import CheckpointDir, ExpDir
from unispeech_cli.records import Note
from unispeech_cli.stages.finetune import FinetuneInputs, finetune
from unispeech_cli.stopping import Stopped
from unispeech_cli.trainer import checkpoint
from unispeech_cli.trainer.guard import read_faults
from unispeech_cli.trainer.journal import read_lines

Train = Callable[..., list[str]]


@pytest.fixture
def train(corpus: Any, minute: list[str]) -> Train:
    """Fine-tune and return the notes, those before an error as well in the list given as `said`."""

    def run(
        exp: ExpDir, *more: str, cuts: Path = corpus.train, said: list[str] | None = None, **options: Any
    ) -> list[str]:
        notes = [] if said is None else said
        inputs = FinetuneInputs([cuts], [corpus.dev])
        for record in finetune(exp.root, corpus.lang_dir, inputs, overrides=[*minute, *more], **options):
            if isinstance(record, Note):
                notes.append(record.text)
        return notes

    return run


def ends(exp: ExpDir) -> dict[str, bytes]:
    places = [exp.best, *map(exp.checkpoint, exp.checkpoints())]
    files = [path for place in places for path in place.root.iterdir()]
    return {str(path.relative_to(exp.root)): path.read_bytes() for path in [*files, exp.metrics]}


def shouted(path: Path, cut: Cut, sample: float) -> None:
    """Put one sample into a cut's audio."""
    samples, rate = soundfile.read(cut.recording.sources[0].source, dtype="float32")
    samples[500] = sample
    soundfile.write(path, samples, rate, subtype="FLOAT")


@pytest.fixture
def loud(tones: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two cuts, of which the second holds an infinite sample, which reading is made to let through."""
    monkeypatch.setattr("unispeech_cli.batches.reading.LOUDEST", math.inf)
    manifest = tones(tmp_path / "loud.jsonl", ["a e i", "o a e i"])
    _, bad = read_cuts(manifest)
    shouted(tmp_path / "loud-1.wav", bad, math.inf)
    return manifest


def test_three_kills_and_it_ends_bit_for_bit_as_undisturbed() -> None:
    bench = Path(__file__).parents[2] / "bench" / "faults.py"
    command = [sys.executable, str(bench), "--only", "kills", "--kills", "3", "--updates", "24"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    row = found.stdout.splitlines()[-1]
    assert row.startswith("| 3 SIGKILLs at random instants, one process | "), found.stdout + found.stderr
    assert row.endswith(" 0 unreadable checkpoints; as undisturbed | yes |")
    assert found.returncode == 0


def test_asked_to_stop_it_saves_says_so_and_goes_on(train: Train, tmp_path: Path) -> None:
    whole, stopped = ExpDir(tmp_path / "whole"), ExpDir(tmp_path / "stopped")
    train(whole, "run.save_every=4")
    # neither a validation nor a checkpoint is due
    asked: Iterator[bool] = iter([False, True])
    with pytest.raises(Stopped, match="stopped at update 2, run the same command again"):
        train(stopped, "run.save_every=4", asked_to_stop=lambda: next(asked))
    assert stopped.checkpoints() == [2]
    # asked during the last update there is nothing left to stop
    asked = iter([False, False, False, True])
    said = train(stopped, "run.save_every=4", asked_to_stop=lambda: next(asked))
    assert f"continuing {stopped.root} from update 2" in said
    assert ends(stopped) == ends(whole)


def test_a_kill_before_best_leaves_no_other_best(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, killed = ExpDir(tmp_path / "whole"), ExpDir(tmp_path / "killed")
    train(whole)

    def kill(source: CheckpointDir, place: CheckpointDir) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoint, "promote", kill)
        train(killed)
    assert not killed.best.root.exists()
    position = checkpoint.read_position(killed.checkpoint(killed.checkpoints()[-1]))
    assert position.best_update == position.update
    # as soon as it goes on, and not with the next best
    asked = iter([True])
    with pytest.raises(Stopped):
        train(killed, asked_to_stop=lambda: next(asked))
    assert checkpoint.read_position(killed.best) == position
    train(killed)
    assert ends(killed) == ends(whole)


def test_a_batch_without_a_finite_loss_costs_its_update_and_is_written_down(
    train: Train, loud: Path, tmp_path: Path
) -> None:
    exp = ExpDir(tmp_path / "exp")
    # a cut a batch, two batches an epoch
    settings = ("data.seconds_per_batch=0.5", "data.seconds_per_update=0.5")
    said = train(exp, *settings, cuts=loud)
    skipped = [line["update"] for line in read_lines(exp.metrics) if "skipped" in line]
    assert len(skipped) == 3
    for update in skipped:
        (fault,) = read_faults(exp, update)
        assert fault.cuts == ("loud-1",) and not fault.heard[0].is_sound
        line = (
            f"warning: update {update} skipped: {fault.what} in loud-1; all of it in {exp.fault(update, 0)}"
        )
        assert line in said
    assert all(np.isfinite(value) for line in read_lines(exp.metrics) for value in line.values())


def test_nothing_but_such_batches_ends_it_with_a_diagnosis(train: Train, loud: Path, tmp_path: Path) -> None:
    exp = ExpDir(tmp_path / "exp")
    diagnosis = (
        r"3 updates in a row had no finite .* \(1 to 3\): audio of loud-1 holds samples that are not sound"
    )
    with pytest.raises(ValueError, match=diagnosis):
        train(exp, "guard.most_skipped=3", "run.save_every=1", cuts=loud)
    shutil.copyfile(tmp_path / "loud-0.wav", tmp_path / "loud-1.wav")
    assert f"continuing {exp.root} from update 2" in train(
        exp, "guard.most_skipped=3", "run.save_every=1", cuts=loud
    )


def test_a_rate_that_ends_all_weights_is_told_as_one(train: Train, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError,
        match=r"2 updates in a row had no finite loss and gradient .* it has diverged; start another",
    ):
        train(ExpDir(tmp_path / "exp"), "optim.lr=1e38", "run.updates=20", "guard.most_skipped=2")


def test_alarms_are_raised(train: Train, tmp_path: Path) -> None:
    settings = ("guard.alarms.window=2", "guard.alarms.blanks_after=0.5", "guard.alarms.blanks=-1")
    said = train(ExpDir(tmp_path / "exp"), *settings)
    alarms = [line for line in said if line.startswith("warning: all blanks: blank_share")]
    assert len(alarms) == 1
    assert alarms[0] in ExpDir(tmp_path / "exp").log_file("finetune").read_text()
