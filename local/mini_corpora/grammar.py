"""Sentences from a grammar: templates with slots, and lists of phrases that fill them."""

import random
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

SLOT = re.compile(r"\{(\w+)\}")
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
SENTENCE_ENDS = (".", "!", "?", "…")
EXCLAMATIONS = 0.05


@dataclass(frozen=True)
class Grammar:
    """One language: its espeak voice, phrase lists by name, and sentence templates."""

    language: str
    voice: str
    lists: dict[str, tuple[str, ...]]
    templates: tuple[str, ...]


def load_grammar(path: Path) -> Grammar:
    """Read a language file; raise ValueError naming the entry that cannot be used."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    missing = {"language", "voice", "lists", "templates"} - set(data)
    if missing:
        raise ValueError(f"{path}: lacks {', '.join(sorted(missing))}")
    lists = {name: _phrases(path, name, entries) for name, entries in data["lists"].items()}
    templates = _phrases(path, "templates", data["templates"])
    for template in templates:
        unknown = set(SLOT.findall(template)) - set(lists)
        if unknown:
            raise ValueError(f"{path}: template {template!r} uses unknown list {', '.join(sorted(unknown))}")
    return Grammar(data["language"], data["voice"], lists, templates)


def _phrases(path: Path, name: str, entries: list[str]) -> tuple[str, ...]:
    if not entries:
        raise ValueError(f"{path}: {name} is empty")
    for entry in entries:
        # YAML reads a bare `no` or `on` as a truth value.
        if not isinstance(entry, str) or not entry.strip():
            raise ValueError(f"{path}: {name} has {entry!r}, which is not text: put it in quotes")
    return tuple(unicodedata.normalize("NFC", entry.strip()) for entry in entries)


def lower(text: str, language: str) -> str:
    """Lower-case text; in Turkish the dotless and the dotted i stay apart."""
    if language == "tr":
        text = text.replace("I", "ı").replace("İ", "i")
    return text.lower()


def capitalise(text: str, language: str) -> str:
    """Put the first letter of a sentence in upper case."""
    first = "İ" if language == "tr" and text[:1] == "i" else text[:1].upper()
    return first + text[1:]


def words(text: str, language: str) -> list[str]:
    """Return the lower-cased words of a text, without punctuation; hyphens part words, apostrophes do not."""
    return WORD.findall(lower(text, language))


def word_types(grammar: Grammar) -> set[str]:
    """Return the distinct lower-cased words of all lists and templates."""
    texts = [SLOT.sub(" ", template) for template in grammar.templates]
    texts += [entry for entries in grammar.lists.values() for entry in entries]
    return {word for text in texts for word in words(text, grammar.language)}


def sentences(grammar: Grammar, rng: random.Random) -> Iterator[str]:
    """Yield sentences for ever, every phrase of a list once before any comes again."""
    decks: dict[str, list[str]] = {}
    templates: list[str] = []
    while True:
        template = _deal(templates, grammar.templates, rng)
        slots = SLOT.findall(template)
        words = [_deal(decks.setdefault(slot, []), grammar.lists[slot], rng) for slot in slots]
        if len(set(words)) == len(words):
            yield _finish(SLOT.sub("{}", template).format(*words), grammar.language, rng)


def _deal(deck: list[str], cards: tuple[str, ...], rng: random.Random) -> str:
    if not deck:
        deck.extend(cards)
        rng.shuffle(deck)
    return deck.pop()


def _finish(text: str, language: str, rng: random.Random) -> str:
    sentence = capitalise(" ".join(text.split()), language)
    if sentence.endswith(SENTENCE_ENDS):
        return sentence
    return sentence + ("!" if rng.random() < EXCLAMATIONS else ".")
