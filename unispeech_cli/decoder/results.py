"""The files of a decode directory: for each test set and setting hypotheses, recogs and CTM."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from unispeech_cli.decoder.hypotheses import Decoded, Hypothesis, Times, recogs, write_hypotheses
from unispeech_cli.decoder.timing import Timed, ctm
from unispeech_cli.lang.units import Units
from unispeech_cli.paths import DecodeDir
from unispeech_cli.provenance import record

Results = Mapping[str, Mapping[str, Sequence[Hypothesis]]]
"""By test set, then by setting."""


def write_results(place: DecodeDir, made: Decoded, results: Results, inputs: Mapping[str, Any]) -> None:
    """Write them all, decode.json last; in whichever order they come, the same."""
    for test_set, by_setting in results.items():
        for setting, hypotheses in by_setting.items():
            _write(place, test_set, setting, sorted(hypotheses, key=lambda found: found.id), made.units)
    record(place.decoded, {**inputs, **asdict(made)})


def _write(
    place: DecodeDir, test_set: str, setting: str, hypotheses: Sequence[Hypothesis], units: Units
) -> None:
    write_hypotheses(place.hypotheses(test_set, setting), hypotheses)
    place.recogs(test_set, setting).write_text(recogs(_shown(h) for h in hypotheses), "utf-8")
    tokens = _ctm([(h, h.tokens, h.times) for h in hypotheses])
    if all(h.words is None for h in hypotheses):
        place.ctm(test_set, setting).write_text(tokens, "utf-8")
        return
    place.units_ctm(test_set, setting, units).write_text(tokens, "utf-8")
    words = _ctm([(h, h.words or (), h.word_times) for h in hypotheses])
    place.ctm(test_set, setting).write_text(words, "utf-8")


def _shown(found: Hypothesis) -> tuple[str, Sequence[str] | None, Sequence[str]]:
    """Id, reference and hypothesis: words where there are words, else phones."""
    if found.words is None:
        return found.id, found.ref, found.tokens
    return found.id, found.ref_words, found.words


def _ctm(heard: Sequence[tuple[Hypothesis, Sequence[str], Times]]) -> str:
    """By recording and channel, in order of time: cuts of one recording stand together."""
    found: dict[tuple[str, int], list[Timed]] = defaultdict(list)
    for hypothesis, texts, times in heard:
        found[hypothesis.recording_id, hypothesis.channel] += [
            Timed(text, hypothesis.start + start, duration)
            for text, (start, duration) in zip(texts, times, strict=True)
        ]
    return "".join(ctm(name, items, str(channel + 1)) for (name, channel), items in sorted(found.items()))
