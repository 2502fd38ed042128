"""DECODE_DIRs in; icefall's reports, score.json and a table of error rates out."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from unispeech_cli.atomic import write_text
from unispeech_cli.decoder.hypotheses import Decoded, read_decoded, read_hypotheses
from unispeech_cli.paths import DecodeDir
from unispeech_cli.provenance import hash_file
from unispeech_cli.records import Note, Progress, Records, Table
from unispeech_cli.scorer.bootstrap import BootstrapSettings, Interval
from unispeech_cli.scorer.glm import read_glm
from unispeech_cli.scorer.icefall import error_report, summary
from unispeech_cli.scorer.measures import Manner, aligned
from unispeech_cli.scorer.normalization import NOT_SCORED, TextSettings, described, is_scored
from unispeech_cli.scorer.rates import Rate
from unispeech_cli.scorer.results import GROUPS, Result, best, kaldi_line, measured, plain_result

MADE_OF = ("ins", "del", "sub", "ref", "utterances", "hours")
Row = tuple[str | int | float | None, ...]


@dataclass(frozen=True)
class ScoreSettings:
    """How words are written before they are counted, and how intervals are made."""

    text: TextSettings = field(default_factory=TextSettings)
    bootstrap: BootstrapSettings = field(default_factory=BootstrapSettings)


@dataclass(frozen=True)
class _Scored:
    """What a decode directory came to; `left_out`: by test set, utterances that are not to be scored."""

    root: Path
    decoded: Decoded
    results: list[Result]
    left_out: dict[str, int]


@dataclass(frozen=True)
class _Scorer:
    """The options of one run."""

    settings: ScoreSettings
    manner: Manner
    glm: Path | None

    @property
    def plain(self) -> dict[str, Any]:
        """Their form in score.json."""
        return {
            "alignment": "sclite" if self.manner.sclite else "edits",
            "text": asdict(self.settings.text),
            "glm": None if self.glm is None else {"file": str(self.glm), "sha256": hash_file(self.glm)},
            "bootstrap": asdict(self.settings.bootstrap),
        }


def score(
    decode_dirs: Sequence[Path],
    *,
    by: Sequence[str] = (),
    sclite: bool = False,
    glm: Path | None = None,
    settings: ScoreSettings | None = None,
) -> Records:
    """Write errs, wer-summary and score.json into each DECODE_DIR; yield one table, and one for each of `by`.

    `glm` is a global map of NIST's for both sides. Raises ValueError for a group that is not known, and where no
    utterance has a reference.
    """
    unknown = sorted(set(by) - set(GROUPS))
    if unknown:
        raise ValueError(f"cannot score by {unknown[0]}; known: {', '.join(GROUPS)}")
    settings = settings or ScoreSettings()
    manner = Manner(settings.text, None if glm is None else read_glm(glm), sclite)
    scorer, scored = _Scorer(settings, manner, glm), list[_Scored]()
    for done, (root, decoded) in enumerate([(root, read_decoded(root)) for root in decode_dirs], start=1):
        scored.append(_score(root, decoded, scorer))
        yield from _notes(scored[-1])
        yield Progress("score", done, len(decode_dirs))
    if not any(some.results for some in scored):
        raise ValueError(f"nothing to score in {', '.join(map(str, decode_dirs))}: no cut has a transcript")
    if any("WER" in result.measures for some in scored for result in some.results):
        yield Note(f"words as scored: {described(settings.text, None if glm is None else str(glm))}")
    yield _overview(scored)
    yield from (_grouped(scored, kind) for kind in by)


def _score(root: Path, decoded: Decoded, scorer: _Scorer) -> _Scored:
    """Align every result of a decode directory and write the reports."""
    place, scored = DecodeDir(root), _Scored(root, decoded, [], {})
    for test_set in decoded.test_sets:
        rates = {}
        for setting in decoded.settings:
            hypotheses = read_hypotheses(place.hypotheses(test_set, setting))
            scored.left_out[test_set] = sum(not is_scored(hypothesis) for hypothesis in hypotheses)
            utterances = aligned(hypotheses, decoded.units, scorer.manner)
            if utterances:
                measures = {
                    name: measured(some, scorer.settings.bootstrap) for name, some in utterances.items()
                }
                result = Result(test_set, setting, measures)
                scored.results.append(result)
                rates[setting] = result.rate
                pairs = {some.hypothesis.id: some.pairs for some in utterances[result.first]}
                write_text(place.errs(test_set, setting), error_report(pairs))
        if rates:
            write_text(place.summary(test_set, decoded.method), summary(rates))
    write_text(place.score, json.dumps(_plain(scored, scorer), ensure_ascii=False, indent=2) + "\n")
    return scored


def _plain(scored: _Scored, scorer: _Scorer) -> dict[str, Any]:
    return {
        "method": scored.decoded.method,
        "units": scored.decoded.units,
        "checkpoint": scored.decoded.checkpoint,
        **scorer.plain,
        "left_out": scored.left_out,
        "results": [plain_result(result) for result in scored.results],
        "best": best(scored.results),
    }


def _notes(scored: _Scored) -> Iterator[Note]:
    for result in scored.results:
        setting = f" {result.setting}" if len(scored.decoded.settings) > 1 else ""
        yield Note(f"{scored.root} {result.test_set}{setting}: {kaldi_line(result)}")
    for name, left_out in scored.left_out.items():
        if left_out:
            yield Note(f"{scored.root} {name}: {left_out} utterances are marked {NOT_SCORED} and left out")
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
