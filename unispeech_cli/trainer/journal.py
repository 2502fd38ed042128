"""What a training leaves to read: metrics.jsonl, timing.jsonl, TensorBoard and a log file.

metrics.jsonl holds only functions of data and weights, so that two equal runs write equal files.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from unispeech_cli.atomic import write_text
from unispeech_cli.paths import ExpDir


class Journal:
    """The open log files of one experiment; a resumed run first takes back what came after its checkpoint."""

    def __init__(self, experiment: ExpDir, stage: str, resumed_at: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        experiment.log.mkdir(parents=True, exist_ok=True)
        self._log: TextIO = experiment.log_file(stage).open("a", encoding="utf-8")
        for path in (experiment.metrics, experiment.timing):
            _keep_until(path, resumed_at)
        self._started = time.monotonic() - _seconds_so_far(experiment)
        self._metrics: TextIO = experiment.metrics.open("a", encoding="utf-8")
        self._timing: TextIO = experiment.timing.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(experiment.tensorboard), purge_step=resumed_at + 1)

    def metrics(self, update: int, values: Mapping[str, float]) -> None:
        """One line of metrics, and the same on TensorBoard."""
        _line(self._metrics, {"update": update, **values})
        for name, value in values.items():
            self._board.add_scalar(name, value, update)

    def timing(self, update: int, values: Mapping[str, float]) -> None:
        """One line: wall seconds of the training so far, resumed runs added up, memory, and `values`."""
        seconds = round(time.monotonic() - self._started, 3)
        _line(self._timing, {"update": update, "seconds": seconds, **values, "peak_memory_mb": peak_memory()})
        self._board.flush()

    def sync(self) -> None:
        """Have the curves on disk before a checkpoint is that says they are."""
        for stream in (self._metrics, self._timing):
            os.fsync(stream.fileno())

    def say(self, text: str) -> None:
        """One line of the log file, dated."""
        print(time.strftime("%Y-%m-%d %H:%M:%S"), text, file=self._log, flush=True)

    def close(self) -> None:
        for stream in (self._metrics, self._timing, self._log):
            stream.close()
        self._board.close()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a metrics or timing file; [] where there is none."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def _keep_until(path: Path, update: int) -> None:
    kept = [line for line in read_lines(path) if line["update"] <= update]
    if path.is_file():
        write_text(path, "".join(json.dumps(line) + "\n" for line in kept))


def _seconds_so_far(experiment: ExpDir) -> float:
    lines = read_lines(experiment.timing)
    return float(lines[-1]["seconds"]) if lines else 0.0


def _line(stream: TextIO, values: Mapping[str, Any]) -> None:
    stream.write(json.dumps(dict(values)) + "\n")
    stream.flush()


def peak_memory() -> int:
    """MB that this process has had at most."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(kilobytes / (1 if sys.platform == "linux" else 1024) / 1024)
