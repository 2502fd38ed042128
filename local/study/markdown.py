"""The study's tables as markdown; `-` is what was not run."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from study.paper import MEAN
from study.table import Codes, Comparison, Row, Study, spread

Line = Sequence[str]


def document(found: Study, speech: str) -> str:
    """All tables, a heading each."""
    parts = [f"## {speech}", _CAPTION]
    comparisons = {
        key: list(of) for key, of in groupby(found.comparisons, lambda one: (one.part, one.labels))
    }
    for (part, labels), rows in groupby(found.rows, lambda row: (row.part, row.labels)):
        parts += [f"### {part}, {labels} labelled" if labels != "all" else f"### {part}"]
        parts += [errors(list(rows))]
        if (part, labels) in comparisons:
            parts += [differences(comparisons[part, labels])]
    if found.codes:
        parts += ["### Phones in the codebook", codebooks(found.codes)]
    return "\n\n".join(parts) + "\n"


_CAPTION = (
    "Phone error rates in %, means over seeds with their standard deviation. *Pooled* is over all speakers of all "
    "targets and seeds, with its 95 % bootstrap interval over speakers. *Paper*: Table 1, Base, languages of "
    "CommonVoice after one labelled hour each, and the mean of its eight: for the order of the systems, not to be "
    "held against ours number by number. `-`: not run."
)


def errors(rows: Sequence[Row]) -> str:
    """A row a system."""
    languages = list(dict.fromkeys(language for row in rows for language in row.per))
    papers = [name for name in (*languages, MEAN) if any(name in row.paper for row in rows)]
    header = ("system", *languages, "average", "pooled [95 %]", "seeds", "updates", "hours of audio")
    of_paper = (f"paper: {name}" for name in papers)
    return markdown((*header, *of_paper), (_errors(row, languages, papers) for row in rows))


def differences(comparisons: Sequence[Comparison]) -> str:
    """A row a pair of systems."""
    header = (
        *("system", "against", "pooled difference [95 %]", "p", "average difference [95 %]"),
        *("p, seeds drawn too", "better in seeds"),
    )
    return markdown(header, map(_difference, comparisons))


def codebooks(codes: Sequence[Codes]) -> str:
    """A row a system and group of codebooks."""
    header = (
        "system",
        "group",
        "PNMI",
        "by chance",
        "[95 %], widest of seeds",
        "phone purity",
        "code purity",
        "codes",
        "perplexity",
    )
    return markdown(header, map(_codes, codes))


def markdown(header: Line, rows: Iterator[Line]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _errors(row: Row, languages: Sequence[str], papers: Sequence[str]) -> Line:
    per = [spread(_values(row.per.get(language, {}))) for language in languages]
    pooled = _between(row.pooled, row.low, row.high)
    cost = (" + ".join(map(str, row.updates)), f"{row.hours:.1f}")
    seeds = " ".join(map(str, sorted(row.average))) or "-"
    paper = (f"{row.paper[name]:.1f}" if name in row.paper else "" for name in papers)
    return (row.system, *per, spread(_values(row.average)), pooled, seeds, *cost, *paper)


def _difference(one: Comparison) -> Line:
    found = one.tested
    if found is None:
        return (one.system, one.other, *("-" * 5))
    pooled = found.pooled
    drawn = ("-", "-")
    if pooled is not None:
        bounds = (100 * pooled.interval.low, 100 * pooled.interval.high)
        drawn = (_between(100 * pooled.difference, *bounds, signed=True), f"{pooled.p:.2g}")
    average = _between(100 * found.average, 100 * found.low, 100 * found.high, signed=True)
    return (one.system, one.other, *drawn, average, f"{found.p:.2g}", f"{found.better} of {found.seeds}")


def _codes(codes: Codes) -> Line:
    bounds = "-" if codes.interval is None else f"{codes.interval[0]:.3f} to {codes.interval[1]:.3f}"
    chance = "-" if codes.chance is None else f"{codes.chance:.3f}"
    shares = (codes.phone_purity, codes.code_purity)
    counts = (codes.codes_used, codes.perplexity)
    return (
        *(codes.system, codes.group, spread(codes.pnmi, 3), chance, bounds),
        *("-" if share is None else f"{share:.3f}" for share in shares),
        *("-" if count is None else f"{count:.1f}" for count in counts),
    )


def _between(value: float | None, low: float | None, high: float | None, signed: bool = False) -> str:
    if value is None:
        return "-"
    sign = "+" if signed else ""
    bounds = "" if low is None or high is None else f" [{low:{sign}.1f}, {high:{sign}.1f}]"
    return f"{value:{sign}.1f}{bounds}"


def _values(by_seed: Mapping[int, float]) -> list[float]:
    return [by_seed[seed] for seed in sorted(by_seed)]
