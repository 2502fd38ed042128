"""A report as one HTML page that loads nothing: styles, script and audio are inside it."""

import base64
import hashlib
import json
from importlib.resources import files

from unispeech_cli import __version__
from unispeech_cli.scorer.markup import Markup, tag, verbatim
from unispeech_cli.scorer.report import Report
from unispeech_cli.scorer.sections import anchor, rates, test_set

# where the page keeps what it was made from
MADE_FROM = "made-from"
TITLE = "Recognition report"


def page(report: Report) -> str:
    """The whole HTML document."""
    sections = [rates(report), *(test_set(report, one) for one in report.test_sets)]
    body = tag("body", _header(report), tag("main", *sections), _footer(report), _script())
    return f"<!DOCTYPE html>\n{tag('html', _head(report), body, attributes={'lang': 'en'}).html}\n"


def _code(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _script() -> Markup:
    return verbatim("script", _code("report.js"))


def _head(report: Report) -> Markup:
    # nothing may be loaded, and no script run but ours, whatever a transcript holds
    digest = base64.b64encode(hashlib.sha256(_code("report.js").encode()).digest()).decode()
    policy = (
        f"default-src 'none'; media-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    made = json.dumps(report.made_from, ensure_ascii=False, sort_keys=True)
    return tag(
        "head",
        tag("meta", attributes={"charset": "utf-8"}),
        tag("meta", attributes={"http-equiv": "Content-Security-Policy", "content": policy}),
        tag("meta", attributes={"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        tag("meta", attributes={"name": MADE_FROM, "content": made}),
        tag("title", f"{TITLE}: {', '.join(one.name for one in report.test_sets)}"),
        verbatim("style", _code("report.css")),
    )


def _header(report: Report) -> Markup:
    links = [tag("a", one.name, attributes={"href": f"#{anchor(one)}"}) for one in report.test_sets]
    top = tag("a", "Error rates", attributes={"href": "#rates"})
    return tag("header", tag("h1", TITLE), tag("p", _extent(report)), tag("nav", top, *links))


def _extent(report: Report) -> str:
    utterances = sum(len(one.utterances) for one in report.test_sets)
    seconds = sum(utterance.seconds for one in report.test_sets for utterance in one.utterances)
    systems, sets = len(report.systems), len(report.test_sets)
    return (
        f"{systems} system{'s'[: systems > 1]} on {sets} test set{'s'[: sets > 1]}: "
        f"{utterances:,} utterances, {_duration(seconds)}"
    )


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 7200 else f"{seconds / 60:.1f} minutes"


def _footer(report: Report) -> Markup:
    items = [
        tag(
            "li",
            tag("b", system.label),
            f": {system.root}, {system.method}, {system.units}, of {system.checkpoint}",
        )
        for system in report.systems
    ]
    return tag("footer", tag("ul", *items), tag("p", f"unispeech {__version__}"))
