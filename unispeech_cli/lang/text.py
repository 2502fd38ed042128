"""Transcript -> what was said: one written form per language, `str -> str`.

Kept: letters with their marks, digits (a phonemizer speaks them), apostrophes inside words where the
language writes them. Everything else becomes a space, hyphens too: "well-known" is two words. French alone
keeps hyphens inside words: the t of "refuse-t-il", the silent e of "est-ce" are read wrongly without them.
A language without a rule here gets the generic one: lower case, apostrophes inside words kept.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

# grows whenever the same transcript would come out differently
VERSION = 1


@dataclass(frozen=True)
class Rule:
    """How one language is written; the defaults are the generic rule."""

    inner: str = "'"
    """Characters kept between two letters or digits of a word."""
    elsewhere: str = " "
    """What the inner characters of other languages become: " " parts the word, "" joins it."""
    leading: tuple[str, ...] = ()
    """Words whose apostrophe comes first: Dutch 's, 't."""
    turkic_i: bool = False
    """I is the capital of dotless ı, İ of i."""
    stress_marks: bool = False
    """Acute and grave accents left over after composition mark stress, as in за́мок; they are removed."""
    spaced: bool = True
    """Words are parted by spaces; where not, spaces are removed between such characters."""
    thousands: str = ""
    """The mark in 1,000."""
    ampersand: str = ""


_JOINED = Rule(inner="", elsewhere="")
_RULES = {
    "af": Rule(leading=("n", "k", "t"), thousands=" ", ampersand="en"),
    "az": Rule(turkic_i=True, thousands=".", ampersand="və"),
    "be": Rule(stress_marks=True, ampersand="і"),
    "bg": Rule(inner="", elsewhere="", stress_marks=True, ampersand="и"),
    "ca": Rule(inner="'·", thousands=".", ampersand="i"),
    "crh": Rule(turkic_i=True, ampersand="ve"),
    "de": Rule(thousands=".", ampersand="und"),
    "en": Rule(thousands=",", ampersand="and"),
    "es": Rule(inner="", elsewhere="", thousands=".", ampersand="y"),
    "fr": Rule(inner="'-", thousands=".", ampersand="et"),
    "fy": Rule(leading=("s", "t", "n", "k", "e"), thousands=".", ampersand="en"),
    "it": Rule(thousands=".", ampersand="e"),
    "kk": _JOINED,
    "ky": Rule(inner="", elsewhere="", stress_marks=True, ampersand="жана"),
    "nl": Rule(leading=("s", "t", "n", "k", "m", "r"), thousands=".", ampersand="en"),
    "ru": Rule(inner="", elsewhere="", stress_marks=True, ampersand="и"),
    "sv": Rule(inner="", elsewhere="", thousands=".", ampersand="och"),
    "tr": Rule(turkic_i=True, thousands=".", ampersand="ve"),
    "tt": Rule(inner="", elsewhere="", stress_marks=True, turkic_i=True, ampersand="һәм"),
    "uk": Rule(stress_marks=True, ampersand="і"),
    "yue": Rule(inner="", spaced=False, thousands=",", ampersand="和"),
    "zh": Rule(inner="", spaced=False, thousands=",", ampersand="和"),
}
_GENERIC = Rule()

# every apostrophe, prime, okina and single quote that stands for one
_APOSTROPHES = dict.fromkeys(map(ord, "’‘‛`´ʼʻʹ′＇"), "'")
_HYPHENS = dict.fromkeys(map(ord, "‐‑‧﹣－"), "-")
# noises and unknown words as corpora write them: [NOISE] {BREATH} <unk>
_ANNOTATION = re.compile(r"\[[^\[\]\s]+\]|\{[^{}\s]+\}|<[^<>\s]+>")
# TED-LIUM parts clitics: it 's, do n't
_PARTED_CLITIC = re.compile(r"(?<=\w) (?=(?:'(?:s|ll|ve|re|m|d|t)|n't)(?!\S))", re.IGNORECASE)
_CYRILLIC = re.compile(r"[\u0400-\u052f]")
_HAN = r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_EACH_HAN = re.compile(_HAN)
_BETWEEN_HAN = re.compile(rf"(?<={_HAN})\s+(?={_HAN})")


def languages() -> tuple[str, ...]:
    """Codes of the languages that have a rule of their own."""
    return tuple(_RULES)


def base_language(language: str) -> str:
    """The language of a code with a region: `sv-SE` -> `sv`, `zh_CN` -> `zh`."""
    return re.split(r"[-_]", language.strip().lower(), maxsplit=1)[0]


def normalize(text: str, language: str) -> str:
    """Bring a transcript to the one form that is trained on and scored.

    Returns words parted by single spaces; "" where nothing is spoken (symbols, noises).
    """
    base = base_language(language)
    rule = _RULES.get(base, _GENERIC)
    text = unicodedata.normalize("NFC", text).translate(_APOSTROPHES | _HYPHENS)
    text = _ANNOTATION.sub(" ", text)
    if base == "en":
        text = _PARTED_CLITIC.sub("", text)
    text = _spell_symbols(text, rule)
    text = _lower(text, rule)
    text = "".join(_kept(character, rule.inner, rule.elsewhere) for character in text)
    return " ".join(_trim_words(text, rule))


def lower(text: str, language: str) -> str:
    """Text in the small letters of its language."""
    return _lower(text, _RULES.get(base_language(language), _GENERIC))


def words(normalized: str, language: str) -> list[str]:
    """The words of a normalised transcript; in a language written without spaces, its characters."""
    if _RULES.get(base_language(language), _GENERIC).spaced:
        return normalized.split()
    return _EACH_HAN.sub(r" \g<0> ", normalized).split()


def _spell_symbols(text: str, rule: Rule) -> str:
    text = text.replace("&", f" {rule.ampersand} ")
    if rule.thousands:
        mark = re.escape(rule.thousands)
        text = re.sub(rf"(?<=\d){mark}(?=\d{{3}}(?!\d))", "", text)
    return text


def _lower(text: str, rule: Rule) -> str:
    # Tatar is written in both scripts: in a Cyrillic text a Latin I is a Roman numeral
    if rule.turkic_i and not _CYRILLIC.search(text):
        text = text.replace("I", "ı")
    text = text.replace("İ", "i").lower()
    if rule.stress_marks:
        text = text.replace("\u0301", "").replace("\u0300", "")
    return text


@cache
def _kept(character: str, inner: str, elsewhere: str) -> str:
    """What a character becomes: itself, a space, or nothing."""
    if character in inner:
        return character
    if character == "'":
        return elsewhere
    category = unicodedata.category(character)
    if "\u02b0" <= character <= "\u02ff":
        # raised letters and the length mark ː, typed for a colon
        return " "
    if category[0] in "LM" or category == "Nd":
        return character
    if category[0] == "N":
        # ², ½ and Roman numerals as one character: digits and letters never vanish
        plain = unicodedata.normalize("NFKC", character).lower()
        return f" {''.join(c if c.isalnum() else ' ' for c in plain)} "
    return "" if category == "Cf" else " "


def _trim_words(text: str, rule: Rule) -> list[str]:
    words = [_trimmed(word, rule) for word in text.split()]
    # marks without a letter under them are nobody's: variation selectors of emoji
    spoken = [word for word in words if any(character.isalnum() for character in word)]
    return spoken if rule.spaced else _BETWEEN_HAN.sub("", " ".join(spoken)).split()


def _trimmed(word: str, rule: Rule) -> str:
    trimmed = word.strip(rule.inner) if rule.inner else word
    return "'" + trimmed if trimmed in rule.leading and word.startswith("'") else trimmed
