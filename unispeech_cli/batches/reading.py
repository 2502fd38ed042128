"""Cuts -> one batch: their audio read into it row by row, their labels, and a line for each that cannot be used.

Legend: B cuts, S samples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from lhotse.cut import Cut

from unispeech_cli.audio import Wave, num_samples, read_cut
from unispeech_cli.batches.batch import Batch, Row, batch_of
from unispeech_cli.frames import RECEPTIVE_FIELD, ctc_frames_needed, num_frames
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.manifests import units

# samples are from -1 to 1; what is this far beyond would spoil the batch
LOUDEST = 1e3

# samples of a cut and its id -> as it is heard
Heard = Callable[[Wave, str], Wave]


@dataclass(frozen=True)
class Loaded:
    """A batch, None where nothing of it could be read, and what was left out of it and why."""

    batch: Batch | None
    faults: tuple[str, ...]


def load(
    cuts: Sequence[Cut],
    tokens: TokenTable | None,
    speeds: Sequence[float] = (),
    heard: Heard | None = None,
) -> Loaded:
    """Read at least one cut, each at its speed; labelled where there are `tokens` and it is transcribed.

    A cut whose audio cannot be read, is under 400 samples or too short for its labels is left out.
    """
    played = list(zip(cuts, speeds or [1.0] * len(cuts), strict=True))
    # read into place: samples are touched once, not gathered and then padded
    wave_BS = torch.zeros(len(cuts), max(num_samples(cut.duration / speed) for cut, speed in played))
    rows, places, faults = [], [], []
    for place, (cut, speed) in enumerate(played):
        try:
            wave = _wave(cut, speed, heard)
            rows.append(_row(cut, tokens, len(wave), speed))
        except (ValueError, OSError) as error:
            faults.append(f"{cut.id} left out: {str(error).removeprefix(f'cut {cut.id}: ')}")
            continue
        wave_BS[place, : len(wave)] = torch.from_numpy(wave)
        places.append(place)
    if not rows:
        return Loaded(None, tuple(faults))
    if faults:
        wave_BS = wave_BS[places, : max(row.samples for row in rows)]
    return Loaded(batch_of(wave_BS, rows), tuple(faults))


def _wave(cut: Cut, speed: float, heard: Heard | None) -> Wave:
    wave = read_cut(cut, speed)
    if len(wave) < RECEPTIVE_FIELD:
        raise ValueError(f"{len(wave)} samples at 16 kHz; the model needs {RECEPTIVE_FIELD}")
    # NaN and overflow survive the sum
    with np.errstate(all="ignore"):
        power = float(np.dot(wave, wave)) / len(wave)
    if not power <= LOUDEST**2:
        raise ValueError(f"its samples are no sound, which is from -1 to 1: their mean square is {power:g}")
    return wave if heard is None else heard(wave, cut.id)


def _row(cut: Cut, tokens: TokenTable | None, samples: int, speed: float) -> Row:
    supervision = cut.supervisions[0] if cut.supervisions else None
    language = (supervision.language if supervision else None) or ""
    labels = None
    if tokens is not None and supervision is not None and (spoken := units(supervision)):
        labels = tokens.encode(spoken, language)
        _check_room(labels, num_frames(samples), speed)
    return Row(cut.id, language, samples, None if labels is None else torch.tensor(labels))


def _check_room(labels: Sequence[int], frames: int, speed: float) -> None:
    if ctc_frames_needed(labels) > frames:
        faster, setting = (f" at speed {speed:g}", " with max_speed as large") if speed != 1 else ("", "")
        needed = f"{len(labels)} labels need {ctc_frames_needed(labels)} frames, not {frames}{faster}"
        raise ValueError(f"{needed}; `unispeech phonemize`{setting} drops such cuts")
