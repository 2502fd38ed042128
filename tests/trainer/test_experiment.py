import multiprocessing
from pathlib import Path

import pytest

from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.paths import CheckpointDir, ExpDir
from unispeech_cli.trainer.checkpoint import Identity
from unispeech_cli.trainer.experiment import claim, held

SETTINGS = "optim:\n  lr: 0.001\nmodel:\n  quantizer: null\nrun:\n  updates: 10\n"
MINE = Identity(SETTINGS, TokenTable(("<blk>", "a", "b")))


@pytest.fixture
def train(tmp_path: Path) -> Path:
    (tmp_path / "train.jsonl").write_text("cuts")
    return tmp_path / "train.jsonl"


@pytest.fixture
def exp(tmp_path: Path, train: Path) -> ExpDir:
    claim(ExpDir(tmp_path / "exp"), MINE, {"train": [train], "dev": []}, None)
    return ExpDir(tmp_path / "exp")


def test_the_same_again_is_this_very_experiment(exp: ExpDir, train: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in exp.root.iterdir()}
    assert set(before) == {exp.settings, exp.tokens, exp.inputs}
    claim(exp, MINE, {"train": [train], "dev": []}, None)
    assert {path: path.stat().st_mtime_ns for path in exp.root.iterdir()} == before


@pytest.mark.parametrize(
    ("settings", "difference"),
    [
        (SETTINGS.replace("0.001", "0.002"), "other settings: optim.lr 0.001, now 0.002"),
        (
            SETTINGS.replace(": null", ":\n    groups: 2"),
            "other settings: model.quantizer none, now none|groups",
        ),
        (SETTINGS.replace("updates: 10", "updates: 20"), "other settings: run.updates 10, now 20"),
    ],
)
def test_other_settings_are_named(exp: ExpDir, train: Path, settings: str, difference: str) -> None:
    with pytest.raises(ValueError, match=difference):
        claim(exp, Identity(settings, MINE.tokens), {"train": [train], "dev": []}, None)
    assert exp.settings.read_text() == SETTINGS


def test_how_it_is_computed_may_change_but_not_in_what_precision(exp: ExpDir, train: Path) -> None:
    # written by a version that had none of them
    run = "updates: 10\n  precision: float32\n  recompute: false\n  compile: false"
    defaults, inputs = SETTINGS.replace("updates: 10", run), {"train": [train], "dev": []}
    spared = defaults.replace("false", "true")
    claim(exp, Identity(spared, MINE.tokens), inputs, None, defaults)
    coarse = Identity(spared.replace("float32", "bf16"), MINE.tokens)
    with pytest.raises(ValueError, match=r"other settings: run.precision float32, now bf16; give the former"):
        claim(exp, coarse, inputs, None, defaults)


def test_how_audio_is_read_ahead_may_change(exp: ExpDir, train: Path) -> None:
    elsewhere = (
        SETTINGS.replace("updates: 10", "updates: 10\n  keep: 5") + "data:\n  workers: 8\n  prefetch: 4\n"
    )
    claim(exp, Identity(elsewhere, MINE.tokens), {"train": [train], "dev": []}, None)


def test_a_setting_that_did_not_exist_then_counts_with_its_default(exp: ExpDir, train: Path) -> None:
    newer = SETTINGS.replace("  lr: 0.001\n", "  lr: 0.001\n  decay: all\n") + "guard:\n  most_skipped: 10\n"
    inputs = {"train": [train], "dev": []}
    claim(exp, Identity(newer, MINE.tokens), inputs, None, newer)
    # it stays what it was made as
    assert exp.settings.read_text() == SETTINGS
    other = newer.replace("skipped: 10", "skipped: 3")
    with pytest.raises(ValueError, match=r"other settings: guard.most_skipped 10, now 3"):
        claim(exp, Identity(other, MINE.tokens), inputs, None, newer)
    # what was switched off has not the defaults of what is on
    on = newer.replace("quantizer: null", "quantizer:\n    groups: 2")
    with pytest.raises(ValueError, match=r"other settings: model.quantizer.groups none, now 2"):
        claim(exp, Identity(on, MINE.tokens), inputs, None, on)
    # and what has gone since is no default
    with pytest.raises(ValueError, match=r"other settings: run.updates 10, now none"):
        claim(exp, Identity(newer.replace("run:\n  updates: 10\n", ""), MINE.tokens), inputs, None, newer)


def test_other_tokens_are_named(exp: ExpDir, train: Path) -> None:
    other = Identity(SETTINGS, TokenTable(("<blk>", "a", "c")))
    with pytest.raises(ValueError, match=r"other tokens .*only in the first: b; only in the second: c"):
        claim(exp, other, {"train": [train], "dev": []}, None)


def test_other_inputs_are_named(exp: ExpDir, train: Path) -> None:
    encoder = CheckpointDir(train.parent / "en")
    encoder.root.mkdir()
    encoder.checksums.write_text("{}")
    with pytest.raises(ValueError, match=r"other inputs: init.*en none, now [0-9a-f]{12}…"):
        claim(exp, MINE, {"train": [train], "dev": []}, encoder)
    with pytest.raises(ValueError, match=r"other inputs: dev.*train\.jsonl none, now "):
        claim(exp, MINE, {"train": [train], "dev": [train]}, None)
    train.write_text("other cuts")
    with pytest.raises(
        ValueError, match=r"other inputs: train.*train\.jsonl [0-9a-f]{12}…, now [0-9a-f]{12}…"
    ):
        claim(exp, MINE, {"train": [train], "dev": []}, None)


def test_a_directory_of_something_else_is_refused_and_stays(tmp_path: Path, train: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("x")
    for root, complaint in ((tmp_path / "thesis", "exists and is not an experiment"), (train, "is a file")):
        with pytest.raises(ValueError, match=f"{root.name} {complaint}.*choose another directory"):
            claim(ExpDir(root), MINE, {"train": [train]}, None)
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter1.tex"]


def test_an_empty_directory_and_one_left_half_made_are_taken(tmp_path: Path, train: Path) -> None:
    exp = ExpDir(tmp_path / "new")
    exp.root.mkdir()
    claim(exp, MINE, {"train": [train]}, None)
    exp.inputs.rename(exp.root / ".12-fresh-inputs.json")
    with held(exp):
        claim(exp, MINE, {"train": [train]}, None)
    assert exp.inputs.is_file()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_one_process_at_a_time_and_the_second_writes_nothing(tmp_path: Path) -> None:
    exp = ExpDir(tmp_path / "new" / "exp")
    with held(exp):
        pass
    with held(exp):
        second = multiprocessing.get_context("fork").Process(target=refused, args=(exp,))
        second.start()
        second.join()
        assert second.exitcode == 0
        assert list(exp.root.iterdir()) == [exp.lock]


def refused(exp: ExpDir) -> None:
    with pytest.raises(ValueError, match="is being trained by another process"), held(exp):
        raise AssertionError


def test_what_is_no_experiment_is_not_held(tmp_path: Path) -> None:
    (tmp_path / "chapter1.tex").write_text("x")
    with pytest.raises(ValueError, match="exists and is not an experiment"), held(ExpDir(tmp_path)):
        raise AssertionError
    assert [path.name for path in tmp_path.iterdir()] == ["chapter1.tex"]
