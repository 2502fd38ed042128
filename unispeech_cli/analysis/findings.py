"""All that is measured of a codebook, as the plain values of analysis.json.

Legend: N frames, G codebook groups.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from unispeech_cli.analysis.invariance import Agreement, agreement, in_noise, other_voices
from unispeech_cli.analysis.observed import ALL, Frames, Group, Ints, Utterance, pool
from unispeech_cli.analysis.quality import measure, spread
from unispeech_cli.analysis.sharing import language_overlaps, shared_phones
from unispeech_cli.analysis.voices import same_phone
from unispeech_cli.scorer.bootstrap import BootstrapSettings

Plain = dict[str, Any]
# of a phone in a language: fewer frames say nothing of its codes
LEAST_FRAMES = 20


def findings(
    utterances: Sequence[Utterance], snrs: Sequence[float], nearest: int, settings: BootstrapSettings
) -> Plain:
    """Every measure of at least one utterance. Raises ValueError where no frame is a phone's."""
    frames = pool(utterances)
    speakers = [utterance.speaker for utterance in utterances]
    return {
        "cuts": len(utterances),
        "frames": len(frames.phone_N),
        "frames_without_phone": int(sum((~utterance.labelled_T).sum() for utterance in utterances)),
        "groups": _qualities(frames, speakers, settings),
        "by_language": [
            {"language": language, **quality}
            for language, some in frames.by_language()
            if len(some.phone_N)
            for quality in _qualities(some, speakers, settings)
        ],
        "languages": _languages(frames),
        "noise": [
            {"snr": snr, **plain}
            for snr in snrs
            for plain in _agreements(agreement(in_noise(utterances, snr), settings))
        ],
        "voices": _agreements(agreement(other_voices(utterances), settings)),
        "same_phone": [{"group": group, **asdict(some)} for group, some in same_phone(utterances).items()],
        "phones": [_phone(frames, number, nearest) for number in _by_frequency(frames)],
    }


def _qualities(frames: Frames, speakers: Sequence[str | None], settings: BootstrapSettings) -> list[Plain]:
    """One a group, and one of all groups together."""
    return [_quality(frames, group, code_N, speakers, settings) for group, code_N in frames.columns.items()]


def _quality(
    frames: Frames, group: Group, code_N: Ints, speakers: Sequence[str | None], settings: BootstrapSettings
) -> Plain:
    found = spread(frames, code_N, speakers, settings)
    intervals = {f"{name}_interval": [some.low, some.high] for name, some in found.intervals.items()}
    drawn = found.intervals["pnmi"]
    return {
        "group": group,
        **asdict(measure(frames.phone_N, code_N)),
        **intervals,
        "pnmi_chance": found.pnmi_chance,
        "drawn": {"over": drawn.over, "size": drawn.size},
    }


def _languages(frames: Frames) -> Plain:
    columns = frames.columns.items()
    return {
        "names": list(frames.languages),
        "overlap": {str(group): language_overlaps(frames, code_N).tolist() for group, code_N in columns},
        "phones": [
            {"group": group, **asdict(shared)}
            for group, code_N in columns
            for shared in shared_phones(frames, code_N, LEAST_FRAMES)
        ],
    }


def _agreements(found: dict[Group, Agreement]) -> list[Plain]:
    return [
        {
            "group": group,
            "equal": some.equal,
            "equal_interval": [some.interval.low, some.interval.high],
            "chance": some.chance,
            "frames": some.frames,
        }
        for group, some in found.items()
    ]


def _by_frequency(frames: Frames) -> list[int]:
    counts = np.bincount(frames.phone_N, minlength=len(frames.phones))
    return [int(number) for number in np.argsort(-counts, kind="stable") if counts[number]]


def _phone(frames: Frames, number: int, nearest: int) -> Plain:
    """A phone, and its likeliest codes of each group with P(code | phone) and P(phone | code)."""
    own_N, codes = frames.phone_N == number, list[Plain]()
    for group, code_N in frames.columns.items():
        whole = np.bincount(code_N)
        own = np.bincount(code_N[own_N], minlength=len(whole))
        for code in np.argsort(-own, kind="stable")[:nearest]:
            if own[code]:
                named = frames.tuples[code].tolist() if group == ALL else int(code)
                shares = {"p_code": own[code] / own.sum(), "p_phone": own[code] / whole[code]}
                codes.append({"group": group, "code": named, **{k: float(v) for k, v in shares.items()}})
    return {"phone": frames.phones[number], "frames": int(own_N.sum()), "codes": codes}
