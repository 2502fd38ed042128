"""What a labeller has gathered from transcripts, as JSON: the shares of several make the whole."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from unispeech_cli.lang.units import Labeller


def to_json(labeller: Labeller) -> dict[str, Any]:
    """Units kept, words heard with their pronunciations, and what was unknown, each with how often."""
    return {
        "units": {language: dict(counts) for language, counts in labeller.units.items()},
        "heard": {
            language: {
                word: [[list(units), count] for units, count in variants.items()]
                for word, variants in heard.counts.items()
            }
            for language, heard in labeller.heard.items()
        },
        "unknown": {
            kind: [[*name, count] for name, count in names.items()]
            for kind, names in labeller.unknown.items()
        },
    }


def add(labeller: Labeller, gathered: Mapping[str, Any]) -> None:
    """Take in what another labeller of the same means has gathered."""
    for language, counts in gathered["units"].items():
        labeller.voice(language)
        labeller.units[language].update(counts)
    for language, words in gathered["heard"].items():
        for word, variants in words.items():
            labeller.heard[language].add(word, Counter({tuple(units): count for units, count in variants}))
    for kind, names in gathered["unknown"].items():
        labeller.unknown[kind].update({(language, name): count for language, name, count in names})
