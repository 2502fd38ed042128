import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from unispeech_cli.manifests import cut_writer
from unispeech_cli.paths import DecodeDir, ExpDir

SCRIPT = Path(__file__).parents[2] / "local" / "summarize.py"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def cuts(path: Path, seconds: list[float]) -> Path:
    """Cuts of these lengths; nobody reads their audio."""
    with cut_writer(path) as write:
        for number, duration in enumerate(seconds):
            write(cut(str(number), duration))
    return path


def cut(name: str, duration: float) -> dict[str, Any]:
    source = {"type": "file", "channels": [0], "source": "none.wav"}
    samples = int(duration * 16_000)
    recording = {
        "id": name,
        "sources": [source],
        "sampling_rate": 16_000,
        "num_samples": samples,
        "duration": duration,
    }
    plain = {
        "id": name,
        "start": 0.0,
        "duration": duration,
        "channel": 0,
        "supervisions": [],
        "type": "MonoCut",
    }
    return {**plain, "recording": recording}


def trained(
    root: Path, manifests: dict[str, list[Path]], init: Path | None, timing: list[tuple[int, float]]
) -> Path:
    exp = ExpDir(root)
    exp.root.mkdir()
    inputs = {name: {str(path): "hash" for path in paths} for name, paths in manifests.items()}
    exp.inputs.write_text(json.dumps({**inputs, "init": {} if init is None else {str(init): "hash"}}))
    lines = [json.dumps({"update": update, "seconds": seconds}) + "\n" for update, seconds in timing]
    exp.timing.write_text("".join(lines))
    return root


def scored(root: Path, **sets: tuple[int, int]) -> Path:
    root.mkdir()
    results = [
        {
            "test_set": name,
            "setting": "greedy",
            "measures": {"PER": {"total": {"errors": e, "reference": r}}},
        }
        for name, (e, r) in sets.items()
    ]
    score = {"method": "greedy", "results": results, "best": "greedy"}
    DecodeDir(root).score.write_text(json.dumps(score))
    return root


def scored_in_words(root: Path, method: str, best: str, **rates: dict[str, float]) -> Path:
    """score.json with the WER of each setting on each test set; its interval a tenth on either side."""
    results = [
        {
            "test_set": test_set,
            "setting": setting,
            "measures": {
                "WER": {"total": {"fraction": rate, "interval": {"low": 0.9 * rate, "high": 1.1 * rate}}},
                "CER": {"total": {"fraction": 0.5, "interval": None}},
            },
        }
        for test_set, settings in rates.items()
        for setting, rate in settings.items()
    ]
    root.mkdir()
    DecodeDir(root).score.write_text(json.dumps({"method": method, "results": results, "best": best}))
    return root


def test_systems_are_summed_over_their_trainings_and_test_sets(tmp_path: Path) -> None:
    few = cuts(tmp_path / "few.jsonl", [90.0, 60.0])
    before = trained(tmp_path / "pre", {"labeled": [few], "unlabeled": []}, None, [(300, 50.0), (600, 101.0)])
    after = trained(
        tmp_path / "fine", {"train": [few]}, before / "best", [(100, 8.0), (200, 16.0), (300, 23.0)]
    )
    alone = trained(tmp_path / "alone", {"train": [few]}, None, [(900, 70.0)])
    good, bad = scored(tmp_path / "good", a=(10, 100), b=(20, 100)), scored(tmp_path / "bad", a=(60, 100))
    systems = ("--system", "unispeech", after, good, "--system", "scratch", alone, bad)
    done = run(tmp_path / "summary.json", "--seed", 7, *systems)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "summary.json").read_text()) == {
        "seed": 7,
        "systems": {
            "unispeech": {
                "per": 0.15,
                "labelled_minutes": 2.5,
                "updates": 900,
                "updates_by_stage": {"pretrain": 600, "finetune": 300},
                "seconds": {"pretrain": 101.0, "finetune": 23.0},
            },
            "scratch": {
                "per": 0.6,
                "labelled_minutes": 2.5,
                "updates": 900,
                "updates_by_stage": {"finetune": 900},
                "seconds": {"finetune": 70.0},
            },
        },
    }
    (row,) = [line.split("│")[1:-1] for line in done.stdout.splitlines() if "unispeech" in line]
    assert [cell.strip() for cell in row] == ["unispeech", "15.00", "0.25", "2.50", "600 + 300", "101 + 23"]


def test_words_are_told_by_method_and_test_set_in_the_best_setting(tmp_path: Path) -> None:
    exp = trained(tmp_path / "exp", {"train": [cuts(tmp_path / "few.jsonl", [60.0])]}, None, [(9, 7.0)])
    greedy = scored_in_words(
        tmp_path / "greedy", "greedy", "greedy", clean={"greedy": 0.3}, other={"greedy": 0.4}
    )
    hlg = scored_in_words(
        tmp_path / "hlg", "hlg", "lm_scale_0.6", other={"lm_scale_0.2": 0.9, "lm_scale_0.6": 0.2}
    )
    done = run(tmp_path / "summary.json", "--seed", 1, "--system", "x", exp, greedy, hlg)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "summary.json").read_text())["systems"]["x"]
    assert "per" not in found
    assert found["wer"]["hlg"] == {
        "other": {
            "fraction": 0.2,
            "interval": {"low": 0.9 * 0.2, "high": 1.1 * 0.2},
            "setting": "lm_scale_0.6",
        }
    }
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│ x" in line
    ]
    assert rows == [
        ["x", "clean", "30.00 [27.0, 33.0]", "-", "1.00", "9", "7"],
        ["x", "other", "40.00 [36.0, 44.0]", "20.00 [18.0, 22.0]", "1.00", "9", "7"],
    ]


@pytest.mark.parametrize("missing", ["exp", "decode"])
def test_what_is_missing_is_named_in_one_line(tmp_path: Path, missing: str) -> None:
    exp = trained(tmp_path / "exp", {"train": []}, None, [])
    decoded = scored(tmp_path / "decode", a=(1, 2))
    (tmp_path / "none").mkdir()
    given = {"exp": exp, "decode": decoded} | {missing: tmp_path / "none"}
    done = run(tmp_path / "summary.json", "--seed", 1, "--system", "x", given["exp"], given["decode"])
    assert (done.returncode, done.stderr.count("\n"), (tmp_path / "summary.json").exists()) == (1, 1, False)
    assert f"no {tmp_path / 'none'}/" in done.stderr
