"""A training as a process of its own: the command, its log, its validations as they come, its end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from unispeech_cli.paths import ExpDir
from unispeech_cli.stopping import EXIT_AGAIN, Stopped, follow
from unispeech_cli.trainer.experiment import held
from unispeech_cli.trainer.journal import read_lines

# seconds between two looks at a training
LOOK_EVERY = 0.5
# times that a training killed from outside is taken up again
MOST_KILLS = 2


class Failed(Exception):
    """A training that cannot go on, in a line."""


class Pruned(Exception):
    """A training that is not worth going on with."""


@dataclass(frozen=True)
class Run:
    """One training: the command of it, and where it is."""

    stage: str
    exp: ExpDir
    arguments: Sequence[str]
    log: Path

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "unispeech_cli", self.stage, str(self.exp.root), *self.arguments]


def validations(exp: ExpDir) -> dict[int, float]:
    """Dev PER by update, of those validations that have one."""
    lines = read_lines(exp.metrics)
    return {line["update"]: float(line["dev_per"]) for line in lines if line.get("dev_per") is not None}


def finish(run: Run, hopeless: Callable[[], bool], asked_to_stop: Callable[[], bool]) -> None:
    """Train to the end, from where it stands.

    Raises Failed with the training's last line, Pruned once `hopeless` says so, and Stopped once asked to; the
    training has saved what was done. One that is killed from outside goes on from its last checkpoint, twice.
    """
    code = 0
    for _ in range(1 + MOST_KILLS):
        _wait_for(run.exp, asked_to_stop)
        code = _trained(run, hopeless, asked_to_stop)
        if code >= 0:
            break
    if code == EXIT_AGAIN or asked_to_stop():
        raise Stopped(f"{run.exp.root} was stopped; run the same command again to go on")
    if code < 0:
        raise Failed(f"{run.stage} was killed {1 + MOST_KILLS} times, by {signal.Signals(-code).name}")
    if code:
        raise Failed(_last_line(run.log) or f"{run.stage} ended with exit code {code}")


def _trained(run: Run, hopeless: Callable[[], bool], asked_to_stop: Callable[[], bool]) -> int:
    """The exit code, negative for a signal."""
    with _started(run) as process:
        while process.poll() is None:
            if asked_to_stop():
                _end(process)
                break
            if hopeless():
                _end(process)
                raise Pruned
            with suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_EVERY)
    return process.returncode


@contextmanager
def _started(run: Run) -> Iterator[subprocess.Popen[bytes]]:
    run.log.parent.mkdir(parents=True, exist_ok=True)
    parent = os.getpid()
    with run.log.open("ab") as log:
        process = subprocess.Popen(
            run.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # a search that is killed leaves no training behind
            preexec_fn=lambda: follow(parent),
        )
        try:
            yield process
        finally:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ask a training to save and end, and wait until it has."""
    if process.poll() is None:
        process.terminate()
    process.wait()


def _wait_for(exp: ExpDir, asked_to_stop: Callable[[], bool]) -> None:
    """A training whose search was killed may still be ending."""
    exp.root.parent.mkdir(parents=True, exist_ok=True)
    while not asked_to_stop():
        try:
            with held(exp):
                return
        except ValueError:
            time.sleep(LOOK_EVERY)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    told = [line.strip() for line in lines if line.strip()]
    return told[-1].removeprefix("unispeech: ") if told else ""
