"""What labellers have gathered from parts of the transcripts makes the inventory and lexicon of all."""

import json

import pytest

from unispeech_cli.lang import gathered
from unispeech_cli.lang.units import Labeller, PhonemizeSettings, Source, Transcript, Units

# "les" is spoken in two ways, each of which is the commoner one in a part
FRENCH = ["les amis", "les amis", "les chats", "22 chats", "les chats", "les chats", "les amis là", "chats"]


def labeller(units: Units, texts: list[str], languages: str = "fr") -> Labeller:
    """One that has heard texts, all in one language or each in its own."""
    made = Labeller(Source(units), PhonemizeSettings(), "shared", None)
    spoken_in = languages.split() * (1 if " " in languages else len(texts))
    said = [Transcript("", 160_000, language, text) for text, language in zip(texts, spoken_in, strict=True)]
    for transcript, spoken in zip(said, made.speak(said), strict=True):
        made.label(transcript, spoken)
    return made


@pytest.mark.parametrize("cut", [0, 3, 5, 8])
def test_two_parts_make_the_whole(cut: int) -> None:
    whole, joined = labeller("phones", FRENCH), labeller("phones", [])
    for part in (FRENCH[cut:], FRENCH[:cut]):
        gathered.add(joined, json.loads(json.dumps(gathered.to_json(labeller("phones", part)))))
    assert joined.table() == whole.table()
    lexicon = whole.lexicon(whole.table())
    assert joined.lexicon(whole.table()) == lexicon
    assert len(lexicon["les"]) > 1 and {"amis", "chats", "là"} <= lexicon.keys()
    assert joined.units == whole.units and joined.unknown == whole.unknown


def test_languages_keep_apart() -> None:
    parts = [labeller("letters", ["la mer"], "fr"), labeller("letters", ["la mar"], "es")]
    joined = labeller("letters", [])
    for part in parts:
        gathered.add(joined, gathered.to_json(part))
    assert {language: set(units) for language, units in joined.units.items()} == {
        "fr": set("lamer|"),
        "es": set("lamr|"),
    }
    assert joined.lexicon(joined.table())["la"] == [("l", "a")]


def test_the_order_of_languages_does_not_matter() -> None:
    whole, joined = labeller("phones", ["villa", "villa", "villa"], "fr es it"), labeller("phones", [])
    for language in ("it", "es", "fr"):
        gathered.add(joined, gathered.to_json(labeller("phones", ["villa"], language)))
    lexicon = whole.lexicon(whole.table())
    assert joined.lexicon(joined.table()) == lexicon and len(lexicon["villa"]) == 3
