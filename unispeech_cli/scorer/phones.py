"""What phones are in features; the door to panphon, which is imported when the first phone is asked for."""

import unicodedata
from dataclasses import dataclass, field
from functools import cache
from typing import Any

PhoneClass = str
CLASSES: tuple[PhoneClass, ...] = (
    *("vowel", "plosive", "affricate", "fricative", "nasal", "lateral", "trill or tap", "approximant"),
    "other",
)
OTHER = "other"
# signs of espeak-ng's that panphon lacks, and what it has for them
_SAME = str.maketrans({"g": "ɡ", "ᵻ": "ɨ", "ɚ": "ə˞", "ɝ": "ɜ˞", "ˈ": None, "ˌ": None})
_DIGITS = "0123456789"


@dataclass(frozen=True)
class Phone:
    """A phone's class, and its features from -1 to 1: their mean over its segments; None where it is `other`."""

    kind: PhoneClass
    features: tuple[float, ...] | None


@dataclass(frozen=True)
class Phones:
    """panphon's table, and what has been looked up in it.

    Diphthongs are vowels, a plosive and a fricative an affricate. What panphon cannot parse is `other`, unlike any
    but itself; tone digits and stress are left out.
    """

    table: Any
    known: dict[str, Phone] = field(default_factory=dict)

    def phone(self, symbol: str) -> Phone:
        if symbol not in self.known:
            self.known[symbol] = self._parsed(symbol)
        return self.known[symbol]

    def distance(self, first: str, second: str) -> float:
        """The share of features in which two phones differ, 0 to 1; unspecified against specified is half."""
        if first == second:
            return 0.0
        ours, theirs = self.phone(first).features, self.phone(second).features
        if ours is None or theirs is None:
            return 1.0
        return sum(abs(a - b) for a, b in zip(ours, theirs, strict=True)) / (2 * len(ours))

    def _parsed(self, symbol: str) -> Phone:
        text = unicodedata.normalize("NFD", symbol.translate(_SAME).strip(_DIGITS))
        names = self.table.ipa_segs(text)
        if not names or "".join(names) != text:
            return Phone(OTHER, None)
        found = [self.table.fts(name) for name in names]
        # tones have neither vowel nor consonant in them
        segments = [dict(zip(f.names, f.numeric(), strict=True)) for f in found if f["syl"] or f["cons"]]
        kind = _joined([_kind(segment) for segment in segments])
        if kind == OTHER:
            return Phone(OTHER, None)
        columns = zip(*(segment.values() for segment in segments), strict=True)
        return Phone(kind, tuple(sum(column) / len(segments) for column in columns))


@cache
def phones() -> Phones:
    """panphon's phones, loaded once. Raises ValueError where panphon is not installed."""
    try:
        import panphon
    except ImportError:
        raise ValueError("phone classes need panphon: pip install 'unispeech[classes]'") from None
    return Phones(panphon.FeatureTable())


def _kind(segment: dict[str, int]) -> PhoneClass:
    """The class of one segment by its features."""
    if segment["cons"] < 0 and segment["syl"] > 0:
        return "vowel"
    if segment["nas"] > 0 and segment["cont"] < 0:
        return "nasal"
    if segment["cont"] < 0:
        return "affricate" if segment["delrel"] > 0 else "plosive"
    return "fricative" if segment["son"] < 0 else _sonorant(segment)


def _sonorant(segment: dict[str, int]) -> PhoneClass:
    if segment["lat"] > 0:
        return "lateral"
    if segment["cons"] < 0:
        return "approximant"
    # h is sonorant here; a trill's release is not specified
    return "fricative" if segment["delrel"] < 0 else "trill or tap"


def _joined(kinds: list[PhoneClass]) -> PhoneClass:
    """The class of a phone of several segments."""
    if "vowel" in kinds:
        return "vowel"
    if kinds[:1] == ["plosive"] and set(kinds[1:]) == {"fricative"}:
        return "affricate"
    return kinds[0] if len(set(kinds)) == 1 else OTHER
