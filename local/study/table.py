"""The study's tables: error rates with their spread and intervals, tests of differences, phones in codes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean, stdev
from typing import Any

from study import paper
from study.cells import Cell, encoder, tuned
from study.forecast import Work
from study.ledger import Ledger, Outcome
from study.outcomes import analyses, by_target, outcomes, speakers_of
from study.plan import Part, Plan
from study.significance import Tested, average, tested
from unispeech_cli.scorer.bootstrap import BootstrapSettings, interval
from unispeech_cli.scorer.rates import total


@dataclass(frozen=True)
class Row:
    """A system at one size of labels. PER in %, by language and seed; `average` over languages, by seed.

    `pooled` with its interval is over all speakers of all languages and seeds, `by_seed` over those of one. `updates`
    of each training on the way.
    `paper` by language, with their mean; empty where the paper's Table 1 has no such row.
    """

    part: str
    system: str
    labels: str
    per: Mapping[str, Mapping[int, float]]
    average: Mapping[int, float]
    by_seed: Mapping[int, float]
    pooled: float | None
    low: float | None
    high: float | None
    over: str
    updates: Sequence[int]
    hours: float
    paper: Mapping[str, float]


@dataclass(frozen=True)
class Comparison:
    """`system` against `other`."""

    part: str
    labels: str
    system: str
    other: str
    tested: Tested | None


@dataclass(frozen=True)
class Codes:
    """What the codes of a group say of phones, over seeds; `interval` from the least to the greatest bound."""

    system: str
    group: str
    pnmi: Sequence[float]
    # what it would be without any relation
    chance: float | None
    interval: tuple[float, float] | None
    phone_purity: float | None
    code_purity: float | None
    codes_used: float | None
    perplexity: float | None


@dataclass(frozen=True)
class Study:
    """All tables."""

    rows: Sequence[Row]
    comparisons: Sequence[Comparison]
    codes: Sequence[Codes]


def study(plan: Plan, work: Work, ledger: Ledger, settings: BootstrapSettings) -> Study:
    """Of what the ledger knows; what it does not is empty."""
    rows: list[Row] = []
    comparisons: list[Comparison] = []
    for part in plan.parts:
        for labels in part.labels:
            found = {system: outcomes(plan, part, ledger, system, labels) for system in part.systems}
            rows += [
                _row(plan, part, work, ledger, system, labels, found[system], settings) for system in found
            ]
            comparisons += [
                Comparison(part.name, labels, system, other, tested(found[system], found[other], settings))
                for system, others in part.compare.items()
                for other in others
            ]
    return Study(
        rows, comparisons, [codes for system in plan.analyze for codes in _codes(plan, ledger, system)]
    )


def _row(
    plan: Plan,
    part: Part,
    work: Work,
    ledger: Ledger,
    system: str,
    labels: str,
    found: Mapping[int, Outcome],
    settings: BootstrapSettings,
) -> Row:
    rates, speakers = speakers_of(found)
    drawn = interval(rates, speakers, settings) if rates else None
    updates, hours = _cost(plan, part, work, system, labels)
    per = by_target(plan, part, ledger, system, labels)
    return Row(
        part.name,
        system,
        labels,
        {language: _percent(seeds) for language, seeds in per.items()},
        _percent({seed: average(outcome) for seed, outcome in found.items()}),
        {seed: total(speakers_of({seed: outcome})[0]).percent for seed, outcome in found.items()},
        total(rates).percent if rates else None,
        None if drawn is None else 100 * drawn.low,
        None if drawn is None else 100 * drawn.high,
        "" if drawn is None else f"{drawn.size} {drawn.over}",
        updates,
        hours,
        paper.found(system) if part.paper else {},
    )


def _percent(rates: Mapping[int, float]) -> dict[int, float]:
    return {seed: 100 * rate for seed, rate in rates.items()}


def _cost(plan: Plan, part: Part, work: Work, system: str, labels: str) -> tuple[list[int], float]:
    """Updates of the trainings on the way to one target, and the hours of audio that they hear together."""
    seed, target, fold = plan.seeds[0], part.targets[0], (plan.folds or (0,))[0]
    way: list[Cell] = encoder(plan, part, system, seed, target, fold)
    way.append(tuned(plan, part, system, seed, target, labels, fold))
    lengths = [work.settings(cell) for cell in way]
    return [length.updates for length in lengths], sum(s.updates * s.audio for s in lengths) / 3600


def _codes(plan: Plan, ledger: Ledger, system: str) -> list[Codes]:
    """One of each group and of all together; one without figures where nothing was analysed."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for found in analyses(plan, ledger, system):
        for group in found:
            groups.setdefault(str(group["group"]), []).append(group)
    if not groups:
        return [Codes(system, "all", (), *[None] * 6)]
    return [_of_group(system, name, seeds) for name, seeds in groups.items()]


def _of_group(system: str, name: str, seeds: Sequence[Mapping[str, Any]]) -> Codes:
    bounds = [group["pnmi_interval"] for group in seeds if group.get("pnmi_interval")]
    wide = (min(low for low, _ in bounds), max(high for _, high in bounds)) if bounds else None
    pnmi = [float(group["pnmi"]) for group in seeds]
    shares = (_mean(seeds, key) for key in ("phone_purity", "code_purity", "codes_used", "perplexity"))
    return Codes(system, name, pnmi, _mean(seeds, "pnmi_chance"), wide, *shares)


def _mean(seeds: Sequence[Mapping[str, Any]], key: str) -> float | None:
    known = [float(group[key]) for group in seeds if group.get(key) is not None]
    return mean(known) if known else None


def plain(found: Study) -> dict[str, Any]:
    """The form of the tables as JSON."""
    return asdict(found)


def spread(values: Sequence[float], digits: int = 1) -> str:
    """`25.3 (1.2)`: mean and standard deviation over seeds; `-` without any."""
    if not values:
        return "-"
    around = f" ({stdev(values):.{digits}f})" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{around}"
