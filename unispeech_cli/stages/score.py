"""DECODE_DIRs in; icefall's reports, score.json and a table of error rates out."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unispeech_cli.atomic import write_text
from unispeech_cli.decoder.hypotheses import (
    Decoded,
    Hypothesis,
    read_decoded,
    read_hypotheses,
    text_of,
)
from unispeech_cli.lang.units import Units
from unispeech_cli.paths import DecodeDir
from unispeech_cli.records import Note, Progress, Records, Table
from unispeech_cli.scorer.alignment import align, count
from unispeech_cli.scorer.icefall import Pairs, error_report, summary
from unispeech_cli.scorer.rates import Rate, by_group, total

# of each kind of units: the error rates that mean something, the one of the detailed reports first
MEASURES: dict[Units, tuple[str, ...]] = {
    "phones": ("PER",),
    "letters": ("WER", "CER"),
    "bpe": ("WER", "CER"),
}
MADE_OF = ("ins", "del", "sub", "ref", "utterances", "hours")
GROUPS = ("language", "speaker", "domain")


@dataclass(frozen=True)
class Scored:
    """One test set of one decode directory: its labelled utterances and, by measure, the rate of each."""

    root: Path
    test_set: str
    decoded: Decoded
    hypotheses: list[Hypothesis]
    rates: dict[str, list[Rate]]

    @property
    def measure(self) -> str:
        """The measure of the detailed reports."""
        return MEASURES[self.decoded.units][0]

    def groups(self, name: str, measure: str) -> dict[str, Rate]:
        """The rate per language, speaker or domain."""
        items = zip(self.hypotheses, self.rates[measure], strict=True)
        return by_group(items, lambda hypothesis: getattr(hypothesis, name) or "unknown")


def score(decode_dirs: Sequence[Path], *, by: Sequence[str] = ()) -> Records:
    """Write errs, wer-summary and score.json into each DECODE_DIR; yield one table, and one for each of `by`.

    Raises ValueError for a group that is not known, and where no utterance has a reference.
    """
    unknown = sorted(set(by) - set(GROUPS))
    if unknown:
        raise ValueError(f"cannot score by {unknown[0]}; known: {', '.join(GROUPS)}")
    scored: list[Scored] = []
    for done, (root, decoded) in enumerate([(root, read_decoded(root)) for root in decode_dirs], start=1):
        results = [result for test_set in decoded.test_sets if (result := _score(root, decoded, test_set))]
        _write_scores(root, decoded, results)
        yield from _notes(root, decoded, results)
        yield Progress("score", done, len(decode_dirs))
        scored += results
    if not scored:
        raise ValueError(f"nothing to score in {', '.join(map(str, decode_dirs))}: no cut has a transcript")
    yield _overview(scored)
    yield from (_grouped(scored, name) for name in by)


def _score(root: Path, decoded: Decoded, test_set: str) -> Scored | None:
    """Align and write the reports; None where nothing has a reference."""
    directory = DecodeDir(root)
    hypotheses = read_hypotheses(directory.hypotheses(test_set, decoded.settings[0]))
    hypotheses = [hypothesis for hypothesis in hypotheses if hypothesis.ref is not None]
    if not hypotheses:
        return None
    rates = {}
    for measure in MEASURES[decoded.units]:
        aligned = {h.id: _align(h, decoded.units, measure) for h in hypotheses}
        rates[measure] = [Rate(count(aligned[h.id]), 1, h.duration) for h in hypotheses]
        if measure == MEASURES[decoded.units][0]:
            write_text(directory.errs(test_set, decoded.settings[0]), error_report(aligned))
            overall = summary({decoded.method: total(rates[measure])})
            write_text(directory.summary(test_set, decoded.settings[0]), overall)
    return Scored(root, test_set, decoded, hypotheses, rates)


def _align(hypothesis: Hypothesis, units: Units, measure: str) -> Pairs:
    ref, hyp = (_sequence(tokens, units, measure) for tokens in (hypothesis.ref or (), hypothesis.tokens))
    return align(ref, hyp)


def _sequence(tokens: Sequence[str], units: Units, measure: str) -> Sequence[str]:
    """What a measure counts: phones; words; characters, the spaces between words among them."""
    if measure == "PER":
        return tokens
    text = text_of(tokens, units)
    return text.split() if measure == "WER" else list(text)


def _write_scores(root: Path, decoded: Decoded, results: Sequence[Scored]) -> None:
    sets = {result.test_set: {m: _measured(result, m) for m in result.rates} for result in results}
    plain = {
        "method": decoded.method,
        "units": decoded.units,
        "checkpoint": decoded.checkpoint,
        "test_sets": sets,
    }
    write_text(DecodeDir(root).score, json.dumps(plain, ensure_ascii=False, indent=2) + "\n")


def _measured(result: Scored, measure: str) -> dict[str, Any]:
    groups = {
        name: {group: _plain(rate) for group, rate in result.groups(name, measure).items()} for name in GROUPS
    }
    return {"total": _plain(total(result.rates[measure])), "by": groups}


def _plain(rate: Rate) -> dict[str, float | int | None]:
    return {
        "fraction": rate.fraction if math.isfinite(rate.fraction) else None,
        "errors": rate.counts.errors,
        "insertions": rate.counts.insertions,
        "deletions": rate.counts.deletions,
        "substitutions": rate.counts.substitutions,
        "reference": rate.counts.reference,
        "utterances": rate.utterances,
        "seconds": round(rate.seconds, 3),
    }


def _notes(root: Path, decoded: Decoded, results: Sequence[Scored]) -> Iterator[Note]:
    yield from (Note(f"{root} {result.test_set}: {_kaldi_line(result)}") for result in results)
    silent = set(decoded.test_sets) - {result.test_set for result in results}
    yield from (Note(f"{root} {name}: no reference transcripts, not scored") for name in sorted(silent))


def _kaldi_line(result: Scored) -> str:
    rate = total(result.rates[result.measure])
    made = f"{rate.counts.insertions} ins, {rate.counts.deletions} del, {rate.counts.substitutions} sub"
    return f"%{result.measure} {rate.percent:.2f} [ {rate.counts.errors} / {rate.counts.reference}, {made} ]"


def _overview(scored: Sequence[Scored]) -> Table:
    measures = _measures(scored)
    rows = []
    for result in scored:
        totals = {measure: total(rates) for measure, rates in result.rates.items()}
        head = (str(result.root), result.test_set, result.decoded.method, result.decoded.units)
        rows.append((*head, *_percents(totals, measures), *_made_of(totals[result.measure])))
    shown = [f"{measure} %" for measure in measures]
    return Table("Error rates", ("decode dir", "test set", "method", "units", *shown, *MADE_OF), rows)


def _grouped(scored: Sequence[Scored], name: str) -> Table:
    measures = _measures(scored)
    rows = [row for result in scored for row in _group_rows(result, name, measures)]
    shown = [f"{measure} %" for measure in measures]
    return Table(f"Error rates by {name}", ("decode dir", "test set", name, *shown, *MADE_OF), rows)


def _measures(scored: Sequence[Scored]) -> list[str]:
    return [measure for measure in ("PER", "CER", "WER") if any(measure in result.rates for result in scored)]


def _group_rows(
    result: Scored, name: str, measures: Sequence[str]
) -> Iterator[tuple[str | int | float | None, ...]]:
    groups = {measure: result.groups(name, measure) for measure in result.rates}
    for group, rate in groups[result.measure].items():
        percents = _percents({measure: rates[group] for measure, rates in groups.items()}, measures)
        yield (str(result.root), result.test_set, group, *percents, *_made_of(rate))


def _percents(rates: dict[str, Rate], measures: Sequence[str]) -> list[float | None]:
    """A cell per measure: none where the units do not give it or an empty reference makes it infinite."""
    found = [rates[measure].percent if measure in rates else math.inf for measure in measures]
    return [percent if math.isfinite(percent) else None for percent in found]


def _made_of(rate: Rate) -> tuple[int | float, ...]:
    counts = rate.counts
    made = (counts.insertions, counts.deletions, counts.substitutions, counts.reference)
    return (*made, rate.utterances, rate.seconds / 3600)
