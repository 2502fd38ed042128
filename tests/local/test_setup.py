"""setup.sh: builds upon a Python that has torch, does nothing the second time, names what a machine lacks."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
TOOLS = ("bash", "cat", "date", "dirname", "env", "flock", "realpath", "sed", "sha256sum", "stat", "uname")
ENVIRONMENT = "k2" if torch.__version__.startswith("1.") else "torch2"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What set-up reads, in a directory of its own."""
    root = tmp_path / "checkout"
    shutil.copytree(ROOT / "local", root / "local", ignore=shutil.ignore_patterns("mini_corpora"))
    (root / "unispeech_cli").mkdir()
    (root / "unispeech_cli" / "__init__.py").write_text("")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, root)
    return root


@pytest.fixture
def bare_machine(tmp_path: Path) -> Path:
    """A directory of programs, to be the whole PATH: no Python among them."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for tool in TOOLS:
        (programs / tool).symlink_to(shutil.which(tool) or tool)
    return programs


def add_python(programs: Path, customization: str) -> None:
    """Give a bare machine this interpreter, started with a line of Python."""
    (programs / "sitecustomize.py").write_text(f"import sys\n{customization}\n")
    python = programs / "python3"
    python.write_text(f'#!/usr/bin/env bash\nPYTHONPATH={programs} exec {sys.executable} "$@"\n')
    python.chmod(0o755)


def set_up(checkout: Path, path: str | Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(checkout / "local" / "setup.sh"), *options]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, env={**os.environ, "PATH": str(path)}
    )


def test_builds_upon_the_active_python_and_then_does_nothing(checkout: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    first = set_up(checkout, path, "--env", ENVIRONMENT)
    assert first.returncode == 0, first.stderr
    assert f"Using torch {torch.__version__}" in first.stderr

    python = Path(first.stdout.strip(), "python")
    code = "import torch, lhotse, unispeech_cli as u; print(torch.__file__, u.__file__, sep='\\n')"
    seen = subprocess.run(
        [python, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True, cwd="/"
    )
    assert seen.stdout.split() == [torch.__file__, str(checkout / "unispeech_cli" / "__init__.py")]

    started = time.monotonic()
    second = set_up(checkout, path, "--env", ENVIRONMENT)
    assert (second.returncode, second.stdout, second.stderr) == (0, first.stdout, "")
    assert time.monotonic() - started < 2


def test_a_missing_python_is_named(checkout: Path, bare_machine: Path) -> None:
    run = set_up(checkout, bare_machine)
    assert run.returncode == 1
    assert "apt-get install python3.11 python3.11-venv" in run.stderr


def test_a_missing_pip_is_named(checkout: Path, bare_machine: Path) -> None:
    add_python(bare_machine, "sys.modules['ensurepip'] = None")
    run = set_up(checkout, bare_machine, "--env", "torch2", "--active", "false")
    version = "{}.{}".format(*sys.version_info)
    assert run.returncode == 1
    assert f"apt-get install python{version}-venv" in run.stderr


def test_torch2_is_set_up_where_no_python_fits_k2(checkout: Path, bare_machine: Path) -> None:
    add_python(bare_machine, "sys.version_info = (3, 13, 0); sys.modules['ensurepip'] = None")
    run = set_up(checkout, bare_machine, "--active", "false")
    assert run.returncode == 1
    assert "setting up torch2" in run.stderr and "apt-get install python3.13-venv" in run.stderr


@pytest.mark.parametrize(
    "options, refusal",
    [
        (["--env", "k3"], "--env is k2 or torch2, not k3"),
        (["--k2", "k2.whl"], "--k2 goes with --env torch2"),
        (["--python", "/absent/python"], "--python /absent/python: no Python that runs"),
    ],
)
def test_refusals(checkout: Path, options: list[str], refusal: str) -> None:
    run = set_up(checkout, os.environ["PATH"], *options)
    assert run.returncode == 1
    assert refusal in run.stderr
