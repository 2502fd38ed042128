import os
import signal
import subprocess
from pathlib import Path

import pytest

JOBS = Path(__file__).parents[2] / "local" / "jobs.sh"
# what a training does: it hears the signal, needs a moment, and ends with 75
TRAINING = """
import signal, sys, time
asked = []
for number in (signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, lambda *_: asked.append(1))
print("begun", flush=True)
while not asked:
    time.sleep(0.01)
time.sleep(0.2)
print("saved", flush=True)
sys.exit(75)
"""


def script(tmp_path: Path, lines: str) -> list[str]:
    (tmp_path / "train.py").write_text(TRAINING)
    (tmp_path / "run.sh").write_text(
        f"set -euo pipefail\n. {JOBS}\ntrain() {{ python3 {tmp_path}/train.py; }}\nfail() {{ return 3; }}\n{lines}\n"
    )
    return ["bash", str(tmp_path / "run.sh")]


def begun(process: subprocess.Popen[str], times: int) -> str:
    """What is said until so many trainings have begun."""
    said = ""
    assert process.stderr is not None
    while said.count("begun") < times:
        said += process.stderr.readline()
    return said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
@pytest.mark.parametrize("to_all", [False, True])
def test_asked_to_stop_it_waits_for_its_trainings_and_ends_with_75(
    tmp_path: Path, number: signal.Signals, to_all: bool
) -> None:
    lines = "job 2 one train\njob 2 two train\nfinish_jobs\necho after"
    process = subprocess.Popen(
        script(tmp_path, lines),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    begun(process, 2)
    for pid in family(process.pid) if to_all else [process.pid]:
        os.kill(pid, number)
    out, said = process.communicate(timeout=20)
    assert (process.returncode, out) == (75, "")
    assert {"[one] saved", "[two] saved"} <= set(said.splitlines())
    assert said.splitlines()[-1].endswith("run.sh: stopped, run the same command again")


def family(pid: int) -> list[int]:
    """A process and all that it has started, as SLURM signals them."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


def test_a_training_with_the_terminal_is_waited_for_too(tmp_path: Path) -> None:
    process = subprocess.Popen(
        script(tmp_path, "job 1 one train 1>&2\necho after"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    begun(process, 1)
    os.killpg(process.pid, signal.SIGTERM)
    out, said = process.communicate(timeout=20)
    assert (process.returncode, out) == (75, "")
    assert said.startswith("saved\n")


@pytest.mark.parametrize(
    ("lines", "code", "says"),
    [
        ("job 2 one again\njob 2 two true", 75, "one was stopped, run the same command again"),
        ("job 2 one again\njob 2 two fail", 1, "two failed; its last lines are above"),
        ("job 2 one true\njob 2 two true", 0, ""),
        ("job 1 one again", 75, ""),
        ("job 1 one fail", 3, ""),
    ],
)
def test_what_jobs_end_with(tmp_path: Path, lines: str, code: int, says: str) -> None:
    done = subprocess.run(
        script(tmp_path, f"again() {{ return 75; }}\n{lines}\nfinish_jobs"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert says in done.stderr
