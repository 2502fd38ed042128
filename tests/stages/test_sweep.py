"""A search over tiny trainings: killed, taken up again, asked for more."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from unispeech_cli.records import Note, Table
from unispeech_cli.search_paths import SweepDir
from unispeech_cli.stages.sweep import Part, sweep
from unispeech_cli.stopping import Stopped
from unispeech_cli.trainer.average import dev_figures
from unispeech_cli.trainer.finetuning import read_settings


@pytest.fixture
def part(corpus: Any, minute: list[str]) -> Part:
    cuts = {"train": [corpus.train], "dev": [corpus.dev]}
    return Part("finetune", corpus.lang_dir, cuts, overrides=[*minute, "run.updates=4", "freeze.encoder=0"])


def space(path: Path, trials: int, ranges: str = "optim.lr: {low: 1e-4, high: 1e-2, log: true}") -> Path:
    path.write_text(f"finetune: {{{ranges}}}\ntrials: {trials}\n")
    return path


def test_a_killed_search_goes_on_and_its_best_can_be_trained(part: Part, tmp_path: Path) -> None:
    place, file = SweepDir(tmp_path / "sweep"), tmp_path / "space.yaml"
    words = ["sweep", place.root, space(file, 2), *part.arguments("base", None, "cpu", [])]
    words = ["--finetune-set" if word == "--set" else word for word in words]
    command = [sys.executable, "-m", "unispeech_cli", *map(str, words)]
    began = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while began.poll() is None and not place.exp(0, "finetune").metrics.is_file():
        time.sleep(0.05)
    began.kill()
    assert began.wait() == -signal.SIGKILL
    records = list(sweep(place.root, file, [part]))
    notes = [record.text for record in records if isinstance(record, Note)]
    assert notes[0].startswith("trial 0 again: optim.lr=")
    table = next(record for record in records if isinstance(record, Table))
    values = [min(dev_figures(place.exp(number, "finetune").metrics).values()) for number in range(2)]
    assert [row[:3] for row in table.rows] == [
        (number, "done", pytest.approx(100 * value)) for number, value in enumerate(values)
    ]
    best = read_settings("base", place.best("finetune"), [], None)
    assert best.optim.lr == table.rows[values.index(min(values))][3]
    assert best.run.updates == 4
    # nothing is left, and nothing is begun anew
    assert "no trial is left" in next(r.text for r in sweep(place.root, file, [part]) if isinstance(r, Note))
    with pytest.raises(ValueError, match="was begun with others: finetune set"):
        list(sweep(place.root, file, [Part("finetune", part.lang_dir, part.cuts)]))


def test_one_that_is_asked_to_stop_leaves_its_trial_for_later(part: Part, tmp_path: Path) -> None:
    place, file = SweepDir(tmp_path / "sweep"), space(tmp_path / "space.yaml", 1)
    begun = place.exp(0, "finetune").lock.is_file
    with pytest.raises(Stopped, match="run the same command again"):
        list(sweep(place.root, file, [part], asked_to_stop=begun))
    assert not place.best("finetune").exists()


def test_a_training_that_fails_is_told_by_its_line(part: Part, corpus: Any, tmp_path: Path) -> None:
    place = SweepDir(tmp_path / "sweep")
    file = space(tmp_path / "space.yaml", 1, "model.encoder.heads: {choices: [3]}")
    records = list(sweep(place.root, file, [part]))
    (row,) = next(record for record in records if isinstance(record, Table)).rows
    assert row[0] == 0 and "sizes [3, -1]" in str(row[1]) and row[2] is None
    assert records[-1] == Note("no trial is finished: no best settings")


@pytest.mark.parametrize(
    ("ranges", "complaint"),
    [
        ("optim.lrr: {low: 1, high: 2}", "space.yaml: finetune: .*unknown setting optim.lrr; did you mean optim.lr"),
        ("run.keep: {low: 0, high: 4}", "space.yaml: finetune: .*keep is at least 1, not 0"),
        ("}\npretrain: {optim.lr: {low: 1, high: 2}", "ranges under pretrain, but no cuts for it are given"),
    ],
)  # fmt: skip
def test_a_space_that_no_training_takes_is_refused(
    part: Part, tmp_path: Path, ranges: str, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        list(sweep(tmp_path / "sweep", space(tmp_path / "space.yaml", 1, ranges), [part]))
    assert not (tmp_path / "sweep").exists()
