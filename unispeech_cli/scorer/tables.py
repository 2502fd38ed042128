"""Tables of error rates."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from unispeech_cli.records import Table
from unispeech_cli.scorer.bootstrap import Interval
from unispeech_cli.scorer.classes import NOTHING, ClassErrors, confused_row
from unispeech_cli.scorer.phones import CLASSES
from unispeech_cli.scorer.rates import Rate
from unispeech_cli.scorer.results import Result

MADE_OF = ("ins", "del", "sub", "ref", "utterances", "hours")
_HEAD = ("decode dir", "test set", "setting")
Row = tuple[str | int | float | None, ...]


@dataclass(frozen=True)
class Shown:
    """A result and where it is from."""

    root: str
    units: str
    result: Result

    @property
    def head(self) -> Row:
        return self.root, self.result.test_set, self.result.setting


def overview(shown: Sequence[Shown]) -> Table:
    """A row a result: its error rates, the interval of the first, and what that is made of."""
    measures, rows = _measures(shown), list[Row]()
    for some in shown:
        rates = {measure: made.total for measure, made in some.result.measures.items()}
        drawn = _interval(some.result.measures[some.result.first].interval)
        rows.append(
            (*some.head, some.units, *_percents(rates, measures), *drawn, *_made_of(some.result.rate))
        )
    columns = (*_HEAD, "units", *(f"{measure} %" for measure in measures), "95 %", "drawn", *MADE_OF)
    return Table("Error rates", columns, rows)


def grouped(shown: Sequence[Shown], kind: str) -> Table:
    """A row a result and group: language, speaker, domain or length."""
    measures = _measures(shown)
    rows = [row for some in shown for row in _group_rows(some, kind, measures)]
    columns = (*_HEAD, kind, *(f"{measure} %" for measure in measures), *MADE_OF)
    return Table(f"Error rates by {kind}", columns, rows)


def class_tables(shown: Sequence[Shown]) -> list[Table]:
    """Errors by class of phone, and how often which class was heard as which. Raises ValueError without phones."""
    if not any(some.result.confusions for some in shown):
        raise ValueError("by class: nothing here was decoded into phones")
    errors = [row for some in shown for row in _class_rows(some)]
    confused = [row for some in shown for row in _confused_rows(some)]
    columns = ("PER %", "weighted PER %", "ins", "del", "sub", "sub within", "ref")
    heard = (*CLASSES, "nothing")
    return [
        Table("Error rates by class", (*_HEAD, "class", *columns), errors),
        Table("Classes said (rows) and heard", (*_HEAD, "class", *heard), confused),
    ]


def _class_rows(some: Shown) -> Iterator[Row]:
    if (found := some.result.confusions) is None:
        return
    for name, errors in {**found.classes, "all": found.total}.items():
        yield (*some.head, name, *_class_cells(errors))


def _class_cells(errors: ClassErrors) -> Row:
    counts = errors.counts
    weighted = None if errors.weighted is None else 100 * errors.weighted
    percent = 100 * counts.errors / counts.reference if counts.reference else None
    made = (counts.insertions, counts.deletions, counts.substitutions, errors.within, counts.reference)
    return (percent, weighted, *made)


def _confused_rows(some: Shown) -> Iterator[Row]:
    if (found := some.result.confusions) is None:
        return
    for said in (*CLASSES, NOTHING):
        counts = confused_row(found, said, (*CLASSES, NOTHING))
        if any(counts):
            yield (*some.head, said or "nothing", *counts)


def _measures(shown: Sequence[Shown]) -> list[str]:
    found = {measure for some in shown for measure in some.result.measures}
    return [measure for measure in ("PER", "CER", "WER") if measure in found]


def _group_rows(some: Shown, kind: str, measures: Sequence[str]) -> Iterator[Row]:
    groups = {measure: made.by[kind] for measure, made in some.result.measures.items()}
    for group, rate in groups[some.result.first].items():
        rates = {measure: rates[group] for measure, rates in groups.items() if group in rates}
        yield (*some.head, group, *_percents(rates, measures), *_made_of(rate))


def _interval(drawn: Interval | None) -> tuple[str | None, str | None]:
    """Its bounds in %, and what was drawn for it."""
    if drawn is None:
        return None, None
    return f"{100 * drawn.low:.2f}-{100 * drawn.high:.2f}", f"{drawn.size} {drawn.over}"


def _percents(rates: Mapping[str, Rate], measures: Sequence[str]) -> list[float | None]:
    """A cell per measure: none where the units do not give it or an empty reference makes it infinite."""
    found = [rates[measure].percent if measure in rates else math.inf for measure in measures]
    return [percent if math.isfinite(percent) else None for percent in found]


def _made_of(rate: Rate) -> tuple[int | float, ...]:
    counts = rate.counts
    made = (counts.insertions, counts.deletions, counts.substitutions, counts.reference)
    return (*made, rate.utterances, rate.seconds / 3600)
