"""The parts of a report: the table of error rates; of each test set confusions, groups, worst utterances."""

from collections.abc import Mapping, Sequence

from unispeech_cli.scorer.figures import (
    KINDS,
    SCROLLS,
    alignment,
    chosen,
    counted,
    lists,
    matrix,
    rate_cell,
    scale_of,
)
from unispeech_cli.scorer.markup import Markup, Node, tag
from unispeech_cli.scorer.report import (
    CLASSES,
    Clip,
    Confused,
    Heard,
    Rated,
    Report,
    Result,
    SetDetails,
    Utterance,
    worst,
)

# what tokens of a measure are called
TOKENS = {"WER": "words", "CER": "characters", "PER": "phones"}
# so many confusions of each kind are spelled out
LISTED = 12


def rates(report: Report) -> Markup:
    """The table of error rates: a row per system, test set and setting."""
    measures = list(dict.fromkeys(measure for result in report.results for measure in result.rates))
    numbers = ("sub", "del", "ins", "reference", "utterances")
    names = ("system", "test set", "setting") if len(report.test_sets) > 1 else ("system", "setting")
    head = [_heading(name) for name in names]
    head += [_heading(name, True) for name in (*(f"{measure} %" for measure in measures), *numbers)]
    scale = scale_of(rated for result in report.results for rated in result.rates.values())
    rows = [_result(report, result, measures, scale) for result in report.results]
    table = _table(head, rows)
    note = "With 95 % intervals. Substitutions, deletions, insertions and reference tokens are of the first rate given."
    return tag("section", tag("h2", "Error rates"), tag("p.note", note), table, attributes={"id": "rates"})


def _heading(name: str, number: bool = False) -> Markup:
    return tag("th.number" if number else "th", name, attributes={"scope": "col"})


def _table(head: Sequence[Markup], rows: Sequence[Markup]) -> Markup:
    table = tag("table.sortable", tag("thead", tag("tr", *head)), tag("tbody", *rows))
    return tag("div.scroll", table, attributes=SCROLLS)


def _is_chosen(report: Report, result: Result) -> bool:
    """Whether it is the best of several settings."""
    settings = {other.setting for other in report.results if other.system == result.system}
    return result.best and len(settings) > 1


def _result(report: Report, result: Result, measures: Sequence[str], scale: float) -> Markup:
    rate = result.rates[result.measure].rate
    counts = rate.counts
    numbers = (counts.substitutions, counts.deletions, counts.insertions, counts.reference, rate.utterances)
    best: list[Node] = [" ", tag("small.best", "best")] if _is_chosen(report, result) else []
    return tag(
        "tr",
        tag("td.system", result.system.label, attributes={"title": result.system.root}),
        *([_name(result.test_set)] if len(report.test_sets) > 1 else []),
        tag("td", result.setting, *best),
        *(rate_cell(result.rates.get(measure), scale) for measure in measures),
        *(_number(number) for number in numbers),
    )


def _name(name: str) -> Markup:
    return tag("td.name", tag("span", name, attributes={"title": name}))


def _number(number: int | None) -> Markup:
    if number is None:
        return tag("td.number", "–", attributes={"data-sort": ""})
    return tag("td.number", f"{number:,}", attributes={"data-sort": str(number)})


def anchor(details: SetDetails) -> str:
    """The id of a test set's section."""
    return f"set-{details.name}"


def test_set(report: Report, details: SetDetails) -> Markup:
    """What is confused, the rates of groups, and the worst utterances of one test set."""
    # no kind is worth a table where all are in one group
    kinds = [kind for result in details.results for kind, groups in result.groups.items() if len(groups) > 1]
    parts = [
        tag("h2", details.name),
        tag("section", tag("h3", "What is confused"), *_pictures(report, details)),
        *(_groups(report, details, kind) for kind in dict.fromkeys(kinds)),
        _worst(report, details),
    ]
    return tag("section", *parts, attributes={"id": anchor(details)})


def _pictures(report: Report, details: SetDetails) -> list[Markup]:
    """Those of each system behind its name, the first system's open."""
    found: list[Markup] = []
    for result in details.results:
        name = tag("summary", result.system.label, " ", tag("small", result.setting))
        pictures = [_picture(report, one) for one in details.confused if one.system == result.system]
        shut = {"open": None if found else ""}
        found.append(tag("details", name, *pictures, attributes=shut))
    return found


def _picture(report: Report, found: Confused) -> Markup:
    if found.measure == CLASSES:
        kinds = list(dict.fromkeys(report.classes.values()))
        return tag("div", tag("h4", "Classes of phones"), matrix(found.pairs, kinds, _class_caption(found)))
    if found.measure == "WER":
        return tag("div", tag("h4", "Words"), lists(found.pairs, LISTED))
    shown = chosen(found.pairs, report.settings.confused, report.classes)
    tokens = TOKENS[found.measure]
    caption = (
        f"The {len(shown)} {tokens} with most errors. Numbers are counts, colour is the part of the row."
    )
    return tag(
        "div", tag("h4", tokens.capitalize()), matrix(found.pairs, shown, caption), lists(found.pairs, LISTED)
    )


def _class_caption(found: Confused) -> str:
    said = "A phone taken for another of its class is on the diagonal."
    if found.weighted is None:
        return said
    return f"{said} PER with substitutions weighted by features that differ: {100 * found.weighted:.1f} %."


def _groups(report: Report, details: SetDetails, kind: str) -> Markup:
    """A table of one kind of groups, systems side by side: the worst of the first system that has them."""
    found = [result.groups.get(kind, {}) for result in details.results]
    first = next(groups for groups in found if groups)
    names = _ordered(found, first, kind)
    shown = names[: report.settings.groups]
    scale = scale_of(rated for groups in found for name, rated in groups.items() if name in shown)
    head = [_heading(kind), _heading("utterances", True), _heading("reference", True)]
    head += [_heading(f"{result.system.label} {result.measure} %", True) for result in details.results]
    rows = [_group(name, first.get(name), [groups.get(name) for groups in found], scale) for name in shown]
    left = len(names) - len(shown)
    more = [tag("p.note", f"The {len(shown)} worst; {left} more are in score.json.")] if left else []
    return tag("section", tag("h3", f"By {kind}"), *more, _table(head, rows))


def _ordered(found: Sequence[Mapping[str, Rated]], first: Mapping[str, Rated], kind: str) -> list[str]:
    names = list(dict.fromkeys(name for groups in found for name in groups))
    if kind == "length":
        return names
    return sorted(names, key=lambda name: -first[name].fraction if name in first else 0.0)


def _group(name: str, of: Rated | None, rated: Sequence[Rated | None], scale: float) -> Markup:
    extent = (of.rate.utterances, of.rate.counts.reference) if of else (None, None)
    numbers = (_number(number) for number in extent)
    return tag("tr", _name(name), *numbers, *(rate_cell(rate, scale) for rate in rated))


def _worst(report: Report, details: SetDetails) -> Markup:
    found, title = worst(details.utterances, report.settings.worst), tag("h3", "Worst utterances")
    if not found:
        return tag("section", title, tag("p", "No utterance has an error."))
    signs = [tag(f"span.pair.{kind}", f"{mark} {name}") for kind, (mark, name) in KINDS.items()]
    legend = tag("p.legend", "What was said over what was heard: ", *signs)
    cards = [_card(utterance, report.clips.get(utterance.id)) for utterance in found]
    return tag("section", title, legend, tag("ol.cards", *cards))


def _card(utterance: Utterance, clip: Clip | None) -> Markup:
    about = [f"{utterance.seconds:.1f} s", *([utterance.speaker] if utterance.speaker else [])]
    text = [tag("blockquote", utterance.text)] if utterance.text else []
    heard = [_heard(one, several=len(utterance.heard) > 1) for one in utterance.heard]
    rate, errors = utterance.badness
    data = {
        "data-rate": f"{rate:.4f}",
        "data-errors": str(errors),
        "data-seconds": f"{utterance.seconds:.2f}",
    }
    head = [
        tag("h4", utterance.id),
        tag("p.about", " · ".join(about), attributes={"title": utterance.speaker}),
    ]
    return tag("li", *head, *text, _audio(clip), *heard, attributes=data)


def _heard(heard: Heard, several: bool) -> Markup:
    label: list[Node] = [tag("b", heard.system.label), " "] if several else []
    rate = f"{100 * heard.rate:.0f} %: {counted(heard.pairs)} in {heard.counts.reference}"
    return tag("div.heard", tag("p.counts", *label, rate), alignment(heard))


def _audio(clip: Clip | None) -> Markup:
    if clip is None or clip.uri is None:
        return tag("p.note", clip.reason if clip else "No audio.")
    return tag("audio", attributes={"controls": "", "preload": "metadata", "src": clip.uri})
