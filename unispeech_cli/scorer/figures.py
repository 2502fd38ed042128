"""The pictures of a report, made of HTML: rates with intervals, bars, alignments, confusions."""

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite, sqrt

from unispeech_cli.scorer.alignment import Pairs
from unispeech_cli.scorer.markup import Markup, Node, tag
from unispeech_cli.scorer.report import Heard, PairCounts, Rated, errors, most_confused

# what stands for the missing side of a deletion or insertion
GAP = "∅"
# a region that scrolls must be reachable by keyboard
SCROLLS = {"tabindex": "0"}
# class of an alignment's column, its mark, and what it is called
KINDS = {"sub": ("S", "substitution"), "del": ("D", "deletion"), "ins": ("I", "insertion")}


def rate_cell(rated: Rated | None, scale: float) -> Markup:
    """A table cell: the rate in percent, its interval, and both drawn on a line of length `scale` (a fraction)."""
    if rated is None:
        return tag("td.rate", "–", attributes={"data-sort": ""})
    if not isfinite(rated.fraction):
        return tag("td.rate", "∞", attributes={"data-sort": "1e9", "title": "nothing was said"})
    inner: list[Node] = [tag("b", f"{100 * rated.fraction:.1f}")]
    if rated.interval is not None:
        low, high = rated.interval
        inner += [" ", tag("span.interval", f"{100 * low:.1f}–{100 * high:.1f}")]
    return tag("td.rate", *inner, _line(rated, scale), attributes={"data-sort": f"{rated.fraction:.6f}"})


def scale_of(rates: Iterable[Rated]) -> float:
    """The length of the lines on which rates are drawn beside one another: the largest that there is."""
    ends = [end for rated in rates for end in (rated.fraction, *(rated.interval or ()))]
    return max(filter(isfinite, ends), default=0.0) or 1.0


def _line(rated: Rated, scale: float) -> Markup:
    low, high = rated.interval or (rated.fraction, rated.fraction)
    drawn = {"--low": low, "--high": high, "--at": rated.fraction}
    return tag("span.line", attributes={"style": _style(drawn, scale), "aria-hidden": "true"})


def bar(part: float) -> Markup:
    """A bar of `part` (0 to 1) of its cell."""
    return tag("span.bar", attributes={"style": _style({"--part": part}, 1.0), "aria-hidden": "true"})


def _style(values: dict[str, float], scale: float) -> str:
    return ";".join(f"{name}:{min(1.0, value / scale):.4f}" for name, value in values.items())


def alignment(heard: Heard) -> Markup:
    """Reference over hypothesis, pair by pair; what is wrong is coloured, marked S, D or I, and said."""
    starts = iter(heard.times)
    columns = [_column(ref, hyp, None if hyp is None else next(starts, None)) for ref, hyp in heard.pairs]
    return tag("p.alignment", *columns)


def _column(ref: str | None, hyp: str | None, start: float | None) -> Markup:
    kind = kind_of(ref, hyp)
    attributes = {"data-at": None if start is None else f"{start:.3f}"}
    sides: list[Node] = [tag("span.ref", _shown(ref)), " ", tag("span.hyp", _shown(hyp))]
    if kind:
        mark, name = KINDS[kind]
        sides += [" ", tag("abbr", mark, attributes={"title": name})]
    return tag(f"span.pair.{kind or 'same'}", *sides, " ", attributes=attributes)


def kind_of(ref: str | None, hyp: str | None) -> str | None:
    """sub, del or ins; None where both are the same."""
    if ref is None:
        return "ins"
    if hyp is None:
        return "del"
    return None if ref == hyp else "sub"


def counted(pairs: Pairs) -> str:
    """`2 sub, 1 del`."""
    kinds = [kind_of(ref, hyp) for ref, hyp in pairs]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in KINDS if kind in kinds) or "no errors"


def matrix(counts: PairCounts, shown: Sequence[str], caption: str) -> Markup:
    """A table of what was said (rows) against what was heard (columns), with deletions and insertions."""
    columns: list[str | None] = [*shown, None]
    head = [tag("th", _shown(name), attributes={"scope": "col"}) for name in columns]
    rows = [_row(counts, ref, columns) for ref in columns]
    table = tag(
        "table.matrix",
        tag("thead", tag("tr", tag("td.corner", "said ↓ heard →"), *head)),
        tag("tbody", *rows),
    )
    output = tag("output", "Point at a cell, or tap it, to read it.")
    return tag(
        "figure.picture", tag("figcaption", caption), tag("div.scroll", table, attributes=SCROLLS), output
    )


def _shown(token: str | None) -> str:
    """Space is a character too."""
    return GAP if token is None else "␣" if token == " " else token


def _row(counts: PairCounts, ref: str | None, columns: Sequence[str | None]) -> Markup:
    whole = sum(number for (said, _), number in counts.items() if said == ref)
    cells = [_cell(ref, hyp, counts.get((ref, hyp), 0), whole) for hyp in columns]
    return tag("tr", tag("th", _shown(ref), attributes={"scope": "row"}), *cells)


def _cell(ref: str | None, hyp: str | None, number: int, whole: int) -> Markup:
    if not number:
        return tag("td")
    part = number / whole
    kind = "same" if kind_of(ref, hyp) is None else "wrong"
    # by the root: a few per cent are to be seen beside ninety
    attributes = {"style": f"--part:{sqrt(part):.3f}", "data-say": _said(ref, hyp, number, part)}
    return tag(f"td.{kind}", str(number), attributes=attributes)


def _said(ref: str | None, hyp: str | None, number: int, part: float) -> str:
    times = f"{number:,} time{'s' if number > 1 else ''}"
    if ref is None:
        return f"{_shown(hyp)} inserted {times}, {part:.1%} of all insertions"
    what = "deleted" if hyp is None else f"heard as {_shown(hyp)}"
    return f"{_shown(ref)} {what} {times}, {part:.1%} of {_shown(ref)}"


def chosen(counts: PairCounts, number: int, classes: Mapping[str, str]) -> list[str]:
    """The `number` tokens that take part in most errors, those of one class beside one another."""
    order = list(dict.fromkeys(classes.values()))
    place = {token: order.index(kind) for token, kind in classes.items()}
    tokens = most_confused(counts, number)
    return sorted(tokens, key=lambda token: (place.get(token, len(order)), token))


def lists(counts: PairCounts, number: int) -> Markup:
    """Three lists: the most frequent substitutions, deletions and insertions."""
    found = [_list(counts, kind, f"{name.capitalize()}s", number) for kind, (_, name) in KINDS.items()]
    return tag("div.lists", *found)


def _list(counts: PairCounts, kind: str, title: str, number: int) -> Markup:
    found = [(pair, times) for pair, times in errors(counts) if kind_of(*pair) == kind]
    most = found[0][1] if found else 1
    items = [_item(pair, times, times / most) for pair, times in found[:number]]
    total = sum(times for _, times in found)
    head = tag("h4", f"{title} ", tag("small", f"{total:,}"))
    return tag(f"section.{kind}", head, tag("ol", *items) if items else tag("p", "none"))


def _item(pair: tuple[str | None, str | None], times: int, part: float) -> Markup:
    shown = " → ".join(_shown(token) for token in pair if token is not None)
    return tag("li", tag("span.what", shown), tag("span.times", str(times)), bar(part))
