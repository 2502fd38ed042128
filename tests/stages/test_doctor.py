"""doctor: a healthy environment is called so, and a fault is a record with its mend, never a traceback."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from unispeech_cli.stages.doctor import Check, ctc_by_enumeration, examine, has_kernels, healthy

BUILT_FOR_AMPERE = ["sm_37", "sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86"]


def by_name(directory: Path) -> dict[str, Check]:
    return {check.name: check for check in examine(directory)}


def test_this_environment_is_healthy(tmp_path: Path) -> None:
    checks = by_name(tmp_path)
    assert healthy(list(checks.values()))
    assert torch.__version__ in checks["torch"].found
    recipes = {f"voice {language}" for language in "en es fr it ky nl ru sv tt".split()}
    assert recipes | {"audio flac", "audio mp3", "audio sph"} <= {
        name for name, check in checks.items() if check.ok
    }


@pytest.mark.k2
def test_k2_computes(tmp_path: Path) -> None:
    assert by_name(tmp_path)["k2"].found.endswith("CTC loss right")


def test_a_full_disk_is_a_fault() -> None:
    disk = by_name(Path("/proc"))["disk"]
    assert not disk.ok and disk.found.startswith("0.0 GB free") and "larger disk" in disk.mend


def test_an_absent_directory_is_a_fault(tmp_path: Path) -> None:
    assert not by_name(tmp_path / "absent")["disk"].ok


def with_broken(library: str, folder: Path) -> dict[str, list[bool | str]]:
    """What doctor finds where importing a library fails in an unlikely way: ok, found, mend, needed."""
    (folder / f"{library}.py").write_text("raise OSError('lib.so.1: cannot open shared object file')\n")
    code = (
        "import json; from pathlib import Path; from unispeech_cli.stages.doctor import examine;"
        "print(json.dumps({c.name: [c.ok, c.found, c.mend, c.needed] for c in examine(Path('.'))}))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stderr) == (0, "")
    return json.loads(run.stdout)


def test_a_broken_soundfile_is_needed(tmp_path: Path) -> None:
    ok, found, mend, needed = with_broken("soundfile", tmp_path)["audio mp3"]
    assert (ok, found, needed) == (False, "lib.so.1: cannot open shared object file", True)
    assert str(mend).endswith("pip install -U soundfile")


def test_a_broken_k2_costs_torch_2_a_few_methods_only(tmp_path: Path) -> None:
    ok, found, mend, needed = with_broken("k2", tmp_path)["k2"]
    assert (ok, found) == (False, "lib.so.1: cannot open shared object file")
    assert "local/setup.sh" in str(mend)
    assert needed is torch.__version__.startswith("1.")


@pytest.mark.parametrize(
    "capability, architectures, runs",
    [
        ((8, 6), BUILT_FOR_AMPERE, True),
        ((8, 9), BUILT_FOR_AMPERE, True),
        ((7, 2), BUILT_FOR_AMPERE, True),
        ((9, 0), BUILT_FOR_AMPERE, False),
        ((3, 5), BUILT_FOR_AMPERE, False),
        ((12, 0), ["sm_90a", "compute_90"], True),
        ((12, 0), ["sm_100", "sm_120"], True),
        ((9, 0), [], False),
    ],
)
def test_which_gpus_a_build_of_torch_runs_on(
    capability: tuple[int, int], architectures: list[str], runs: bool
) -> None:
    assert has_kernels(capability, architectures) is runs


def test_enumeration_counts_paths() -> None:
    # two different labels in four frames: 15 of the 81 equally likely paths
    assert ctc_by_enumeration([[1 / 3] * 3] * 4, [1, 2]) == pytest.approx(-math.log(15 / 81))


def test_enumeration_equals_torch_with_repeats() -> None:
    log_probs = torch.randn(5, 4, generator=torch.manual_seed(1), dtype=torch.float64).log_softmax(-1)
    loss = torch.nn.functional.ctc_loss(log_probs, torch.tensor([2, 2, 1]), [5], [3], reduction="sum")
    assert ctc_by_enumeration(log_probs.exp().tolist(), [2, 2, 1]) == pytest.approx(loss.item())
