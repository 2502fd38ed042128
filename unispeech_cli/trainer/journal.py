"""What a training leaves to read: metrics.jsonl, timing.jsonl, TensorBoard and a log file.

metrics.jsonl holds only functions of data and weights, so that two equal runs write equal files.
"""

import json
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

        for path in (experiment.metrics, experiment.timing):
            _keep_until(path, resumed_at)
        experiment.log.mkdir(parents=True, exist_ok=True)
        self._metrics: TextIO = experiment.metrics.open("a", encoding="utf-8")
        self._timing: TextIO = experiment.timing.open("a", encoding="utf-8")
        self._log: TextIO = experiment.log_file(stage).open("a", encoding="utf-8")
        self._board = SummaryWriter(str(experiment.tensorboard), purge_step=resumed_at + 1)

    def metrics(self, update: int, values: Mapping[str, float]) -> None:
        """One line of metrics, and the same on TensorBoard."""
        _line(self._metrics, {"update": update, **values})
        for name, value in values.items():
            self._board.add_scalar(name, value, update)

    def timing(self, update: int, values: Mapping[str, float]) -> None:
        """One line of seconds and memory."""
        _line(self._timing, {"update": update, **values})

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


def _line(stream: TextIO, values: Mapping[str, Any]) -> None:
    stream.write(json.dumps(dict(values)) + "\n")
    stream.flush()
