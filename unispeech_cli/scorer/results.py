"""Error rates of one decoding of one test set, whole and by group; their form in score.json."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from unispeech_cli.decoder.hypotheses import Hypothesis
from unispeech_cli.paths import DecodeDir
from unispeech_cli.scorer.bootstrap import BootstrapSettings, Interval, interval
from unispeech_cli.scorer.classes import Confusions, plain_confusions
from unispeech_cli.scorer.measures import Aligned
from unispeech_cli.scorer.rates import Rate, by_group, total

# bounds of the groups by length, in seconds
LENGTHS = (2, 4, 6, 8, 10, 15, 20)
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Measured:
    """One error rate of a result: the whole with its interval, and group kind -> group -> rate."""

    total: Rate
    interval: Interval | None
    by: Mapping[str, Mapping[str, Rate]]


@dataclass(frozen=True)
class Result:
    """One setting of decoding on one test set; the first measure is that of the detailed reports.

    `confusions` of phone classes where they were asked for and there are phones.
    """

    test_set: str
    setting: str
    measures: Mapping[str, Measured]
    confusions: Confusions | None = None

    @property
    def first(self) -> str:
        return next(iter(self.measures))

    @property
    def rate(self) -> Rate:
        """The total of the first measure."""
        return self.measures[self.first].total


def _length(hypothesis: Hypothesis) -> str:
    """`2-4 s`, `20- s`: seconds from, up to and without."""
    bounds = (0, *LENGTHS, "")
    above = sum(hypothesis.duration >= bound for bound in LENGTHS)
    return f"{bounds[above]}-{bounds[above + 1]} s"


GROUPS: dict[str, Callable[[Hypothesis], str]] = {
    "language": lambda hypothesis: hypothesis.language or UNKNOWN,
    "speaker": lambda hypothesis: hypothesis.speaker or UNKNOWN,
    "domain": lambda hypothesis: hypothesis.domain or UNKNOWN,
    "length": _length,
}


def measured(utterances: Sequence[Aligned], settings: BootstrapSettings) -> Measured:
    """The error rate over `utterances`, its interval, and the rate of each group."""
    items = [(utterance.hypothesis, utterance.rate) for utterance in utterances]
    rates, speakers = [rate for _, rate in items], [hypothesis.speaker for hypothesis, _ in items]
    groups = {kind: by_group(items, group) for kind, group in GROUPS.items()}
    groups["length"] = dict(sorted(groups["length"].items(), key=lambda item: int(item[0].split("-")[0])))
    return Measured(total(rates), interval(rates, speakers, settings), groups)


def best(results: Sequence[Result]) -> str | None:
    """The setting with the least errors in the first measure over all test sets, the earlier one of equals."""
    rates: dict[str, Rate] = {}
    for result in results:
        rates[result.setting] = rates.get(result.setting, Rate()) + result.rate
    return min(rates, key=lambda setting: rates[setting].fraction, default=None)


def kaldi_line(result: Result) -> str:
    """`%WER 6.67 [ 3508 / 52576, 432 ins, 300 del, 2776 sub ]`, as Kaldi and icefall write it."""
    rate, counts = result.rate, result.rate.counts
    made = f"{counts.insertions} ins, {counts.deletions} del, {counts.substitutions} sub"
    return f"%{result.first} {rate.percent:.2f} [ {counts.errors} / {counts.reference}, {made} ]"


def plain_result(result: Result) -> dict[str, Any]:
    """The form of a result in score.json."""
    measures = {name: _plain_measured(measured) for name, measured in result.measures.items()}
    plain = {"test_set": result.test_set, "setting": result.setting, "measures": measures}
    if result.confusions is None:
        return plain
    return {**plain, "phones": plain_confusions(result.confusions)}


def _plain_measured(measured: Measured) -> dict[str, Any]:
    groups = {
        kind: {group: plain_rate(rate) for group, rate in rates.items()}
        for kind, rates in measured.by.items()
    }
    drawn = None if measured.interval is None else asdict(measured.interval)
    return {"total": {**plain_rate(measured.total), "interval": drawn}, "by": groups}


def plain_rate(rate: Rate) -> dict[str, float | int | None]:
    """The form of a rate in score.json; an infinite one is null."""
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


def read_best(root: Path) -> str:
    """The best setting of a scored decode directory. Raises FileNotFoundError or ValueError where it is not scored."""
    path = DecodeDir(root).score
    if not path.is_file():
        raise FileNotFoundError(f"{root} is not scored (no {path.name}); run `unispeech score {root}`")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["best"]
    except (KeyError, TypeError, ValueError):
        found = None
    if not isinstance(found, str):
        raise ValueError(f"{path} names no best setting; run `unispeech score {root}` again")
    return found
