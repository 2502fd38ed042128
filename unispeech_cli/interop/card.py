"""README.md of an exported model: what it is, how to use it, what was measured, where it comes from.

Every number is read from files of the experiment; what was not measured is said to be so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from unispeech_cli.scorer.report import Rated, Result

_HEADINGS = ("test set", "measure", "%", "95 % interval", "errors / reference", "utterances", "decoded by")


@dataclass(frozen=True)
class Card:
    """What is on it. `facts` and `provenance` are names and values, `usage` is Python that works in the directory."""

    title: str
    facts: Mapping[str, str]
    usage: str
    results: Sequence[Result]
    provenance: Mapping[str, str]
    languages: Sequence[str]


def card(shown: Card) -> str:
    """The text of README.md, with the front matter that model hubs read."""
    parts = [
        _front_matter(shown),
        f"# {shown.title}\n",
        _list(shown.facts),
        f"## Use\n\n```python\n{shown.usage.strip()}\n```\n",
        f"## Measured\n\n{_measured(shown.results)}",
        f"## Provenance\n\n{_list(shown.provenance)}",
    ]
    return "\n".join(parts)


def _front_matter(shown: Card) -> str:
    tree: dict[str, Any] = {
        "library_name": "transformers",
        "pipeline_tag": "automatic-speech-recognition",
        "tags": ["speech", "ctc", "unispeech"],
        "metrics": sorted({measure.lower() for result in shown.results for measure in result.rates}),
        "language": list(shown.languages),
    }
    kept = {name: value for name, value in tree.items() if value}
    return f"---\n{yaml.safe_dump(kept, sort_keys=False, allow_unicode=True)}---\n"


def _list(values: Mapping[str, str]) -> str:
    return "".join(f"- {name}: {value}\n" for name, value in values.items())


def _measured(results: Sequence[Result]) -> str:
    if not results:
        return "Nothing was measured.\n"
    rows = [_HEADINGS, ("---",) * len(_HEADINGS)]
    rows += [_row(result, name, rated) for result in results for name, rated in result.rates.items()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(result: Result, measure: str, rated: Rated) -> tuple[str, ...]:
    interval = "" if rated.interval is None else " to ".join(f"{100 * bound:.2f}" for bound in rated.interval)
    counts, how = rated.rate.counts, result.system.method
    return (
        result.test_set,
        measure,
        f"{rated.rate.percent:.2f}",
        interval,
        f"{counts.errors} / {counts.reference}",
        str(rated.rate.utterances),
        how if result.setting == how else f"{how}, {result.setting}",
    )
