"""A search over tiny trainings: killed, taken up again, asked for more."""

import json
import os
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from unispeech_cli.cli import app
from unispeech_cli.records import Note, Table
from unispeech_cli.search_paths import SweepDir
from unispeech_cli.stages.sweep import Part, sweep
from unispeech_cli.stopping import Stopped
from unispeech_cli.trainer.average import dev_figures
from unispeech_cli.trainer.finetuning import read_settings
from unispeech_cli.trainer.pretraining import read_settings as read_pretraining

RATES = "optim.lr: {low: 1e-4, high: 1e-2, log: true}"


@pytest.fixture
def brief(minute: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    # trainings so small that several threads only wait for each other
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return [*minute, "run.updates=2", "run.validations=1"]


@pytest.fixture
def part(corpus: Any, brief: list[str]) -> Part:
    cuts = {"train": [corpus.train], "dev": [corpus.dev]}
    return Part("finetune", corpus.lang_dir, cuts, overrides=[*brief, "freeze.encoder=0"])


@pytest.fixture
def pretraining(corpus: Any, brief: list[str]) -> Part:
    cuts = {"labeled": [corpus.train], "dev": [corpus.dev]}
    return Part("pretrain", corpus.lang_dir, cuts, overrides=brief)


def space(path: Path, trials: int, ranges: str = f"finetune: {{{RATES}}}") -> Path:
    path.write_text(f"{ranges}\ntrials: {trials}\n")
    return path


def killed(work: Callable[[], None], once: Path) -> None:
    """Do this in a process of its own, which is killed once the file is there."""
    with warnings.catch_warnings():
        # this process may have threads; the other needs nothing that they hold
        warnings.simplefilter("ignore", DeprecationWarning)
        number = os.fork()
    if number == 0:
        try:
            work()
        finally:
            os._exit(1)
    while not once.is_file() and os.waitpid(number, os.WNOHANG) == (0, 0):
        time.sleep(0.01)
    os.kill(number, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(number, 0)[1]) == signal.SIGKILL


def test_a_killed_search_goes_on_and_its_best_can_be_trained(
    pretraining: Part, part: Part, tmp_path: Path
) -> None:
    """Each trial pre-trains and fine-tunes; the pre-training of the first is killed, that of the second fails."""
    place, parts = SweepDir(tmp_path / "sweep"), [pretraining, part]
    ranges = f"pretrain: {{model.encoder.heads: {{choices: [2, 3]}}}}\nfinetune: {{{RATES}}}\nseed: 2"
    file = space(tmp_path / "space.yaml", 2, ranges)
    killed(lambda: list(sweep(place.root, file, parts)), place.log(0, "pretrain"))
    records = list(sweep(place.root, file, parts))
    notes = [record.text for record in records if isinstance(record, Note)]
    assert notes[0].startswith("trial 0 again: model.encoder.heads=2, optim.lr=")
    done, failed = next(record for record in records if isinstance(record, Table)).rows
    assert done[:2] == (0, "done") and done[3] == 2
    assert done[2] == 100 * min(dev_figures(place.exp(0, "finetune").metrics).values())
    assert failed[0] == 1 and "sizes [3, -1]" in str(failed[1]) and failed[2] is None
    assert not place.exp(1, "finetune").root.exists()
    trained = json.loads(place.exp(0, "finetune").inputs.read_text("utf-8"))
    assert str(place.exp(0, "pretrain").root) in json.dumps(trained)
    assert read_pretraining("base", place.best("pretrain"), []).model.encoder.heads == 2
    best = read_settings("base", place.best("finetune"), [], None)
    assert best.optim.lr == done[4] and best.run.updates == 2
    # nothing is left, and nothing is begun anew: the command says what was found
    said = CliRunner().invoke(app, ["sweep", str(place.root), str(file), *words(pretraining, part), "--json"])
    assert said.exit_code == 0 and "no trial is left" in said.stderr
    table = json.loads(said.stdout)["trials"]
    assert [row["dev PER %"] for row in table] == [done[2], None]
    assert table[0]["finetune.optim.lr"] == best.optim.lr
    with pytest.raises(ValueError, match="was begun with others: finetune set"):
        list(sweep(place.root, file, [pretraining, Part("finetune", part.lang_dir, part.cuts)]))


def words(pretraining: Part, part: Part) -> list[str]:
    """Both parts, on the command line of a search."""
    first = pretraining.arguments("base", None, "cpu", [])
    options = {"--train": "--train", "--dev": "--finetune-dev", "--set": "--finetune-set"}
    second = part.arguments("base", None, "cpu", [])
    pairs = zip(second[::2], second[1::2], strict=True)
    return first + [word for name, value in pairs if name in options for word in (options[name], value)]


def test_one_that_is_asked_to_stop_leaves_its_trial_for_later(part: Part, tmp_path: Path) -> None:
    place, file = SweepDir(tmp_path / "sweep"), space(tmp_path / "space.yaml", 1)
    begun = place.exp(0, "finetune").lock.is_file
    with pytest.raises(Stopped, match="run the same command again"):
        list(sweep(place.root, file, [part], asked_to_stop=begun))
    assert not place.best("finetune").exists()


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
        list(sweep(tmp_path / "sweep", space(tmp_path / "space.yaml", 1, f"finetune: {{{ranges}}}"), [part]))
    assert not (tmp_path / "sweep").exists()
