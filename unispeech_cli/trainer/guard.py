"""What an update could not use: dumped, counted, and after too many in a row the end, with a diagnosis."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from unispeech_cli.atomic import write_text
from unispeech_cli.batches.batch import Batch
from unispeech_cli.batches.reading import LOUDEST
from unispeech_cli.frames import SAMPLE_RATE
from unispeech_cli.paths import ExpDir
from unispeech_cli.trainer.alarms import AlarmSettings


@dataclass(frozen=True)
class GuardSettings:
    """When training stops by itself, and when it raises an alarm."""

    # updates in a row without a finite loss and gradient after which it stops
    most_skipped: int = 10
    # whether batches as large as they come are tried before the first update; null: on a GPU
    try_batches: bool | None = None
    alarms: AlarmSettings = field(default_factory=AlarmSettings)

    def __post_init__(self) -> None:
        if self.most_skipped < 1:
            raise ValueError(f"most_skipped is at least 1, not {self.most_skipped}")

    def tries_batches(self, device: torch.device) -> bool:
        """Whether batches are tried on a device before the first update."""
        return device.type == "cuda" if self.try_batches is None else self.try_batches


@dataclass(frozen=True)
class Heard:
    """One utterance of a batch, as far as it may be at fault."""

    cut: str
    seconds: float
    # None: unlabelled
    labels: int | None
    # the largest sample; inf where samples are not numbers
    peak: float

    @property
    def is_sound(self) -> bool:
        return self.peak <= LOUDEST


@dataclass(frozen=True)
class Fault:
    """A batch that could not be used, and why: `loss ctc is nan`, `gradient of head.weight is inf`."""

    what: str
    heard: tuple[Heard, ...]

    @property
    def cuts(self) -> tuple[str, ...]:
        return tuple(row.cut for row in self.heard)


def heard(batch: Batch) -> tuple[Heard, ...]:
    """The rows of a batch."""
    seconds_B = (batch.wave_lengths_B / SAMPLE_RATE).tolist()
    labels_B, labelled_B = batch.token_lengths_B.tolist(), batch.labelled_B.tolist()
    peak_B = batch.wave_BS.abs().amax(1).nan_to_num(nan=math.inf, posinf=math.inf).tolist()
    rows = zip(batch.cut_ids, seconds_B, labels_B, labelled_B, peak_B, strict=True)
    return tuple(
        Heard(cut, seconds, labels if labelled else None, peak)
        for cut, seconds, labels, labelled, peak in rows
    )


class Guard:
    """Counts the updates that were skipped; all ranks count the same, and each dumps its own batches."""

    def __init__(self, settings: GuardSettings, experiment: ExpDir, rank: int = 0) -> None:
        self._settings, self._experiment, self._rank = settings, experiment, rank
        self._skipped: list[int] = []

    def dump(self, update: int, faults: Sequence[Fault]) -> str:
        """Write down what was at fault in an update, and say so in a line.

        Where nothing can be written the line has all that there is.
        """
        place = self._experiment.fault(update, self._rank)
        told = [_plain(fault) for fault in faults]
        line = "; ".join(f"{fault.what} in {_shown(fault.cuts)}" for fault in faults)
        try:
            write_text(place, json.dumps({"update": update, "faults": told}, indent=2) + "\n")
        except OSError as error:
            return f"{line} (not written to {place}: {error.strerror})"
        return f"{line}; all of it in {place}"

    def count(self, update: int, faulty: bool, weights_are_finite: Callable[[], bool]) -> None:
        """Take notice of an update. Raises ValueError with a diagnosis after `most_skipped` faulty in a row."""
        self._skipped = [*self._skipped, update] if faulty else []
        if len(self._skipped) < self._settings.most_skipped:
            return
        faults = [fault for update in self._skipped for fault in read_faults(self._experiment, update)]
        raise ValueError(
            f"{self._experiment.root}: {len(self._skipped)} updates in a row had no finite loss and gradient "
            f"({self._skipped[0]} to {update}): {diagnosis(faults, weights_are_finite())}; "
            f"what was heard is in {self._experiment.faults}"
        )


def read_faults(experiment: ExpDir, update: int) -> list[Fault]:
    """What any rank dumped of an update; [] where nothing was."""
    places = sorted(experiment.faults.glob(experiment.fault(update, 0).name.replace("rank-0", "rank-*")))
    told = [fault for place in places for fault in json.loads(place.read_text("utf-8"))["faults"]]
    return [
        Fault(fault["what"], tuple(Heard(**{**row, "peak": float(row["peak"])}) for row in fault["heard"]))
        for fault in told
    ]


def diagnosis(faults: Sequence[Fault], weights_finite: bool = True) -> str:
    """What is likely wrong where these were the faults of updates in a row, and what to do about it."""
    elsewhere = "start another directory with --init, the last sound checkpoint, and"
    if not weights_finite:
        return f"the weights are no longer numbers; {elsewhere} a lower optim.lr"
    unsound = {row.cut for fault in faults for row in fault.heard if not row.is_sound}
    if faults and all(unsound & set(fault.cuts) for fault in faults):
        shown = _shown(sorted(unsound))
        return f"audio of {shown} holds samples that are not sound; repair or remove it, then the same command again"
    terms = {fault.what for fault in faults}
    if terms and all("gradient" in term for term in terms):
        return f"losses are finite, gradients are not; {elsewhere} a lower optim.lr or optim.clip, or float32"
    return f"it has diverged; {elsewhere} a lower optim.lr, a longer rate.warmup or a smaller optim.clip"


def _plain(fault: Fault) -> dict[str, Any]:
    rows = [asdict(row) for row in fault.heard]
    # JSON knows no infinity
    return {"what": fault.what, "heard": [{**row, "peak": f"{row['peak']:g}"} for row in rows]}


def _shown(cuts: Sequence[str], most: int = 5) -> str:
    more = f" and {len(cuts) - most} more" if len(cuts) > most else ""
    return f"{', '.join(cuts[:most])}{more}"
