"""DECODE_DIRs in; icefall's reports, score.json and a table of error rates out."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from unispeech_cli.atomic import write_text
from unispeech_cli.decoder.hypotheses import Decoded, read_decoded, read_hypotheses
from unispeech_cli.paths import DecodeDir
from unispeech_cli.provenance import hash_file
from unispeech_cli.records import Note, Progress, Records
from unispeech_cli.scorer.bootstrap import BootstrapSettings
from unispeech_cli.scorer.classes import Confusions, confusions
from unispeech_cli.scorer.glm import read_glm
from unispeech_cli.scorer.icefall import error_report, summary
from unispeech_cli.scorer.measures import Aligned, Manner, aligned
from unispeech_cli.scorer.normalization import NOT_SCORED, TextSettings, described, is_scored
from unispeech_cli.scorer.phones import phones
from unispeech_cli.scorer.results import GROUPS, Result, best, kaldi_line, measured, plain_result
from unispeech_cli.scorer.tables import Shown, class_tables, grouped, overview

# what phones may be grouped by, beside the groups of utterances
CLASS = "class"


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
    by_class: bool

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

    By `class` there are two: errors by class of phone, and which classes are taken for which. `glm` is a global
    map of NIST's for both sides. Raises ValueError for a group that is not known, and where no utterance has a
    reference.
    """
    unknown = sorted(set(by) - {*GROUPS, CLASS})
    if unknown:
        raise ValueError(f"cannot score by {unknown[0]}; known: {', '.join([*GROUPS, CLASS])}")
    settings = settings or ScoreSettings()
    manner = Manner(settings.text, None if glm is None else read_glm(glm), sclite)
    scorer, scored = _Scorer(settings, manner, glm, CLASS in by), list[_Scored]()
    for done, (root, decoded) in enumerate([(root, read_decoded(root)) for root in decode_dirs], start=1):
        scored.append(_score(root, decoded, scorer))
        yield from _notes(scored[-1])
        yield Progress("score", done, len(decode_dirs))
    if not any(some.results for some in scored):
        raise ValueError(f"nothing to score in {', '.join(map(str, decode_dirs))}: no cut has a transcript")
    if any("WER" in result.measures for some in scored for result in some.results):
        yield Note(f"words as scored: {described(settings.text, None if glm is None else str(glm))}")
    shown = [Shown(str(some.root), some.decoded.units, result) for some in scored for result in some.results]
    yield overview(shown)
    for kind in by:
        yield from class_tables(shown) if kind == CLASS else [grouped(shown, kind)]


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
                result = Result(test_set, setting, measures, _confusions(utterances, scorer))
                scored.results.append(result)
                rates[setting] = result.rate
                pairs = {some.hypothesis.id: some.pairs for some in utterances[result.first]}
                write_text(place.errs(test_set, setting), error_report(pairs))
        if rates:
            write_text(place.summary(test_set, decoded.method), summary(rates))
    write_text(place.score, json.dumps(_plain(scored, scorer), ensure_ascii=False, indent=2) + "\n")
    return scored


def _confusions(utterances: Mapping[str, Sequence[Aligned]], scorer: _Scorer) -> Confusions | None:
    if not scorer.by_class or "PER" not in utterances:
        return None
    return confusions([utterance.pairs for utterance in utterances["PER"]], phones())


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
