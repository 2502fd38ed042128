"""A transcript to be aligned -> its words, each with the units that a model has for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from unispeech_cli.lang.lexicon import read_lexicon
from unispeech_cli.lang.pronouncer import Pronouncer
from unispeech_cli.lang.text import normalize, words
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.lang.units import WORD_BOUNDARY, Source, Units
from unispeech_cli.paths import LangDir


@dataclass(frozen=True)
class Spelled:
    """Labels of a transcript, and for each word where its own begin and end among them."""

    labels: list[int]
    words: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Speller:
    """Spells transcripts as a lang directory does, or letter by letter."""

    pronouncer: Pronouncer
    lexicon: Mapping[str, Sequence[tuple[str, ...]]]
    language: str

    @classmethod
    def of(cls, lang_dir: Path | None, table: TokenTable, units: Units, language: str | None) -> "Speller":
        """Raises ValueError where only a lang directory can tell how words are spoken, and there is none."""
        if lang_dir is None:
            if units != "letters":
                raise ValueError(f"a transcript becomes {units} by a lang directory: add --lang-dir")
            source = ((language or "", Source("letters")),)
            return cls(Pronouncer(units, table, source, "remove", 1), {}, language or "")
        lang = LangDir(lang_dir)
        pronouncer = Pronouncer.of(lang, table)
        own = tuple((name, source) for name, source in pronouncer.sources if name == language)
        pronouncer = replace(pronouncer, sources=own or pronouncer.sources)
        lexicon = read_lexicon(lang.lexicon) if lang.lexicon.is_file() else {}
        return cls(pronouncer, lexicon, language or pronouncer.language)

    def spell(self, text: str) -> Spelled:
        """A text as it is written; each word by its likeliest pronunciation.

        Raises ValueError naming words for which the model has no units.
        """
        said = words(normalize(text, self.language), self.language)
        symbols, ids = self._symbols(said), self.pronouncer.table.ids
        labels: list[int] = []
        places = []
        for word in said:
            if labels and self.pronouncer.units == "letters":
                labels.append(ids[self.pronouncer.table.symbol(WORD_BOUNDARY, self.language)])
            start = len(labels)
            labels += [ids[symbol] for symbol in symbols[word]]
            places.append((word, start, len(labels)))
        return Spelled(labels, tuple(places))

    def _symbols(self, said: Sequence[str]) -> dict[str, tuple[str, ...]]:
        found = {word: self.lexicon[word] for word in said if word in self.lexicon}
        missing = list(dict.fromkeys(word for word in said if word not in found))
        added, reasons = self.pronouncer.pronounce(missing) if missing else ({}, {})
        if reasons:
            word, reason = next(iter(reasons.items()))
            more = f", nor for {len(reasons) - 1} more words" if len(reasons) > 1 else ""
            raise ValueError(f"the model has no units for {word!r} ({reason}){more}")
        return {word: tuple(variants[0]) for word, variants in {**found, **added}.items()}
