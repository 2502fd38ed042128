import json
import math
from pathlib import Path

import pytest
import torch

from unispeech_cli.batches.batch import Batch, Example, collate
from unispeech_cli.paths import ExpDir
from unispeech_cli.trainer.guard import Fault, Guard, GuardSettings, Heard, diagnosis, heard, read_faults


def batch(*peaks: float) -> Batch:
    """Utterances of half a second, a second …, every second one labelled, with one sample of each peak."""
    examples = []
    for number, peak in enumerate(peaks, 1):
        wave_S = torch.full((8000 * number,), 0.1)
        wave_S[7] = peak
        examples.append(Example(f"cut-{number}", "es", wave_S, torch.tensor([1, 2]) if number % 2 else None))
    return collate(examples)


def fault(what: str, *peaks: float) -> Fault:
    return Fault(what, heard(batch(*peaks)))


def test_what_a_batch_held() -> None:
    rows = heard(batch(0.5, -0.75, math.nan, -math.inf, 1e30))
    assert rows[:2] == (Heard("cut-1", 0.5, 2, 0.5), Heard("cut-2", 1.0, None, 0.75))
    assert [row.is_sound for row in rows] == [True, True, False, False, False]


def test_a_dump_comes_back_and_names_the_cuts(tmp_path: Path) -> None:
    exp = ExpDir(tmp_path)
    mine, theirs = fault("loss ctc is nan", 0.5, math.inf), fault("gradient of head.weight is inf", 0.5)
    line = Guard(GuardSettings(), exp, rank=0).dump(12, [mine])
    Guard(GuardSettings(), exp, rank=1).dump(12, [theirs])
    assert line == f"loss ctc is nan in cut-1, cut-2; all of it in {exp.fault(12, 0)}"
    assert read_faults(exp, 12) == [mine, theirs]
    assert read_faults(exp, 1) == []
    told = json.loads(exp.fault(12, 0).read_text(), parse_constant=pytest.fail)
    assert told["faults"][0]["heard"][1] == {"cut": "cut-2", "seconds": 1.0, "labels": None, "peak": "inf"}


def test_where_no_dump_can_be_written_the_line_is_all(tmp_path: Path) -> None:
    exp = ExpDir(tmp_path)
    exp.faults.write_text("in the way")
    line = Guard(GuardSettings(), exp).dump(3, [fault("loss ctc is nan", *[0.5] * 7)])
    start = "loss ctc is nan in cut-1, cut-2, cut-3, cut-4, cut-5 and 2 more (not written to "
    assert line.startswith(start)


def test_after_some_in_a_row_it_stops_and_says_why(tmp_path: Path) -> None:
    guard = Guard(GuardSettings(most_skipped=3), ExpDir(tmp_path))
    for update, skipped in enumerate([True, True, False, True, True], 1):
        guard.dump(update, [fault("loss ctc is nan", 0.5)])
        guard.count(update, skipped, lambda: True)
    guard.dump(6, [fault("loss ctc is inf", 0.5)])
    with pytest.raises(ValueError, match=r"3 updates in a row had no finite .* \(4 to 6\): it has diverged"):
        guard.count(6, True, lambda: True)
    with pytest.raises(ValueError, match="most_skipped is at least 1, not 0"):
        GuardSettings(most_skipped=0)


@pytest.mark.parametrize(
    ("faults", "weights_finite", "says"),
    [
        ([fault("loss ctc is nan", 0.5)], False, "weights are no longer numbers"),
        (
            [fault("loss ctc is nan", 0.5, math.nan)] * 2,
            True,
            "audio of cut-2 holds samples that are not sound",
        ),
        (
            [fault("loss ctc is nan", 0.5, math.nan), fault("loss ctc is nan", 0.5)],
            True,
            "it has diverged",
        ),
        ([fault("gradient of head.weight is inf", 0.5)], True, "losses are finite, gradients are not"),
        ([fault("loss contrastive is nan", 0.5), fault("loss ctc is nan", 0.5)], True, "it has diverged"),
        ([], True, "it has diverged"),
    ],
)
def test_a_diagnosis_fits_its_faults(faults: list[Fault], weights_finite: bool, says: str) -> None:
    assert says in diagnosis(faults, weights_finite)
