"""DECODE_DIRs in; icefall's reports, score.json and a table of error rates out."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unispeech_cli.atomic import write_text
from unispeech_cli.decoder.hypotheses import Decoded, read_decoded, read_hypotheses
from unispeech_cli.paths import DecodeDir
from unispeech_cli.records import Note, Progress, Records, Table
from unispeech_cli.scorer.bootstrap import BootstrapSettings, Interval
from unispeech_cli.scorer.icefall import error_report, summary
from unispeech_cli.scorer.measures import aligned
from unispeech_cli.scorer.rates import Rate
from unispeech_cli.scorer.results import GROUPS, Result, best, kaldi_line, measured, plain_result

MADE_OF = ("ins", "del", "sub", "ref", "utterances", "hours")
Row = tuple[str | int | float | None, ...]


@dataclass(frozen=True)
class ScoreSettings:
    """How hypotheses are held against references."""

    bootstrap: BootstrapSettings = field(default_factory=BootstrapSettings)


@dataclass(frozen=True)
class _Scored:
    """What a decode directory came to."""

    root: Path
    decoded: Decoded
    results: list[Result]


def score(
    decode_dirs: Sequence[Path],
    *,
    by: Sequence[str] = (),
    sclite: bool = False,
    settings: ScoreSettings | None = None,
) -> Records:
    """Write errs, wer-summary and score.json into each DECODE_DIR; yield one table, and one for each of `by`.

    Raises ValueError for a group that is not known, and where no utterance has a reference.
    """
    unknown = sorted(set(by) - set(GROUPS))
    if unknown:
        raise ValueError(f"cannot score by {unknown[0]}; known: {', '.join(GROUPS)}")
    settings = settings or ScoreSettings()
    scored: list[_Scored] = []
    for done, (root, decoded) in enumerate([(root, read_decoded(root)) for root in decode_dirs], start=1):
        scored.append(_Scored(root, decoded, list(_results(root, decoded, sclite, settings))))
        _write(scored[-1], sclite)
        yield from _notes(scored[-1])
        yield Progress("score", done, len(decode_dirs))
    if not any(some.results for some in scored):
        raise ValueError(f"nothing to score in {', '.join(map(str, decode_dirs))}: no cut has a transcript")
    yield _overview(scored)
    yield from (_grouped(scored, kind) for kind in by)


def _results(root: Path, decoded: Decoded, sclite: bool, settings: ScoreSettings) -> Iterator[Result]:
    for test_set in decoded.test_sets:
        for setting in decoded.settings:
            if result := _result(DecodeDir(root), decoded, test_set, setting, sclite, settings):
                yield result


def _result(
    place: DecodeDir, decoded: Decoded, test_set: str, setting: str, sclite: bool, settings: ScoreSettings
) -> Result | None:
    """Align, write the report of errors, and add up; None where nothing has a reference."""
    utterances = aligned(read_hypotheses(place.hypotheses(test_set, setting)), decoded.units, sclite=sclite)
    if not utterances:
        return None
    measures = {measure: measured(some, settings.bootstrap) for measure, some in utterances.items()}
    result = Result(test_set, setting, measures)
    report = error_report({some.hypothesis.id: some.pairs for some in utterances[result.first]})
    write_text(place.errs(test_set, setting), report)
    return result


def _write(scored: _Scored, sclite: bool) -> None:
    place, decoded = DecodeDir(scored.root), scored.decoded
    for test_set in decoded.test_sets:
        rates = {result.setting: result.rate for result in scored.results if result.test_set == test_set}
        if rates:
            write_text(place.summary(test_set, decoded.method), summary(rates))
    plain = {
        "method": decoded.method,
        "units": decoded.units,
        "checkpoint": decoded.checkpoint,
        "alignment": "sclite" if sclite else "edits",
        "results": [plain_result(result) for result in scored.results],
        "best": best(scored.results),
    }
    write_text(place.score, json.dumps(plain, ensure_ascii=False, indent=2) + "\n")


def _notes(scored: _Scored) -> Iterator[Note]:
    for result in scored.results:
        setting = f" {result.setting}" if len(scored.decoded.settings) > 1 else ""
        yield Note(f"{scored.root} {result.test_set}{setting}: {kaldi_line(result)}")
    silent = set(scored.decoded.test_sets) - {result.test_set for result in scored.results}
    yield from (
        Note(f"{scored.root} {name}: no reference transcripts, not scored") for name in sorted(silent)
    )
    if len(scored.decoded.settings) > 1 and scored.results:
        yield Note(f"{scored.root}: best is {best(scored.results)}")


def _overview(scored: Sequence[_Scored]) -> Table:
    measures, rows = _measures(scored), list[Row]()
    for some in scored:
        for result in some.results:
            rates = {measure: made.total for measure, made in result.measures.items()}
            head = (str(some.root), result.test_set, result.setting, some.decoded.units)
            drawn = _interval(result.measures[result.first].interval)
            rows.append((*head, *_percents(rates, measures), drawn, *_made_of(result.rate)))
    shown = [f"{measure} %" for measure in measures]
    return Table(
        "Error rates", ("decode dir", "test set", "setting", "units", *shown, "95 %", *MADE_OF), rows
    )


def _grouped(scored: Sequence[_Scored], kind: str) -> Table:
    measures = _measures(scored)
    rows = [
        row for some in scored for result in some.results for row in _group_rows(some, result, kind, measures)
    ]
    shown = [f"{measure} %" for measure in measures]
    head = ("decode dir", "test set", "setting", kind)
    return Table(f"Error rates by {kind}", (*head, *shown, *MADE_OF), rows)


def _measures(scored: Sequence[_Scored]) -> list[str]:
    found = {measure for some in scored for result in some.results for measure in result.measures}
    return [measure for measure in ("PER", "CER", "WER") if measure in found]


def _group_rows(scored: _Scored, result: Result, kind: str, measures: Sequence[str]) -> Iterator[Row]:
    groups = {measure: made.by[kind] for measure, made in result.measures.items()}
    for group, rate in groups[result.first].items():
        rates = {measure: rates[group] for measure, rates in groups.items() if group in rates}
        head = (str(scored.root), result.test_set, result.setting, group)
        yield (*head, *_percents(rates, measures), *_made_of(rate))


def _interval(drawn: Interval | None) -> str | None:
    return None if drawn is None else f"{100 * drawn.low:.2f}-{100 * drawn.high:.2f}"


def _percents(rates: Mapping[str, Rate], measures: Sequence[str]) -> list[float | None]:
    """A cell per measure: none where the units do not give it or an empty reference makes it infinite."""
    found = [rates[measure].percent if measure in rates else math.inf for measure in measures]
    return [percent if math.isfinite(percent) else None for percent in found]


def _made_of(rate: Rate) -> tuple[int | float, ...]:
    counts = rate.counts
    made = (counts.insertions, counts.deletions, counts.substitutions, counts.reference)
    return (*made, rate.utterances, rate.seconds / 3600)
