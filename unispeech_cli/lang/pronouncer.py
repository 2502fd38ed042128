"""Words that the lexicon lacks -> pronunciations, by the means by which the lang directory itself was made."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from unispeech_cli import provenance
from unispeech_cli.lang.lexicon import Pronunciations, merged
from unispeech_cli.lang.phonemizer import LanguageSwitch
from unispeech_cli.lang.subwords import Subwords
from unispeech_cli.lang.tokens import UNKNOWN, TokenTable, owner
from unispeech_cli.lang.units import WORD_BOUNDARY, PhonemizeSettings, Source, Units, open_voice
from unispeech_cli.paths import LangDir

# what a lang directory made elsewhere does not say
_ANY_LANGUAGE = ""


@dataclass(frozen=True)
class Pronouncer:
    """The units of a lang directory, and what makes them of words: a source for each language."""

    units: Units
    table: TokenTable
    sources: tuple[tuple[str, Source], ...]
    """(language, source); none where the directory does not say how it was made."""
    language_switch: LanguageSwitch
    at_most: int
    """Pronunciations a word."""

    @classmethod
    def of(cls, lang: LangDir, table: TokenTable) -> "Pronouncer":
        """As provenance.json says; without one, only letters and pieces can be made."""
        made, units = _made(lang), units_of(lang, table)
        options = made.get("options", {})
        return cls(
            units,
            table,
            tuple(_sources(lang, table, units, made)),
            options.get("language_switch", PhonemizeSettings.language_switch),
            options.get("pronunciations", PhonemizeSettings.pronunciations),
        )

    @property
    def language(self) -> str:
        """The one language, or the first one."""
        return self.sources[0][0] if self.sources else _ANY_LANGUAGE

    def pronounce(self, words: Sequence[str]) -> tuple[Pronunciations, dict[str, str]]:
        """Pronunciations in the table's symbols, those of all languages together, and why a word has none.

        Raises ValueError where espeak-ng or the lexicon that the directory was made with is not here.
        """
        spoken: list[dict[str, list[tuple[str, ...]]]] = []
        lacking: dict[str, list[str]] = {}
        for language, source in self.sources:
            found = open_voice(source, language, self.language_switch).pronounce(words)
            spoken.append({})
            for word, variants in zip(words, found, strict=True):
                usable = [units for units in variants if not self._missing(units, language)]
                lacking[word] = [unit for units in variants for unit in self._missing(units, language)]
                if usable:
                    spoken[-1][word] = [self._symbols(units, language) for units in usable[: self.at_most]]
        lexicon = merged(spoken)
        return lexicon, {word: _reason(lacking.get(word, [])) for word in words if word not in lexicon}

    def _missing(self, units: Sequence[str], language: str) -> list[str]:
        unknown = [unit for unit in units if unit == UNKNOWN]
        return unknown + self.table.missing(units, language)

    def _symbols(self, units: Sequence[str], language: str) -> tuple[str, ...]:
        return tuple(self.table.symbol(unit, language) for unit in units)


def _reason(missing: Sequence[str]) -> str:
    return f"not in tokens.txt: {' '.join(dict.fromkeys(missing))}" if missing else "no pronunciation"


def _made(lang: LangDir) -> dict[str, Any]:
    if not lang.provenance.is_file():
        return {}
    try:
        return cast("dict[str, Any]", json.loads(lang.provenance.read_text(encoding="utf-8")))
    except ValueError:
        raise ValueError(f"{lang.provenance} is not JSON: make {lang.root} again") from None


def units_of(lang: LangDir, table: TokenTable) -> Units:
    """The units of a lang directory; of one made elsewhere, letters and pieces are known by their looks."""
    if units := _made(lang).get("options", {}).get("units"):
        return cast("Units", units)
    if lang.subwords.is_file():
        return "bpe"
    return "letters" if any(symbol.endswith(WORD_BOUNDARY) for symbol in table.symbols) else "phones"


def _sources(
    lang: LangDir, table: TokenTable, units: Units, made: dict[str, Any]
) -> list[tuple[str, Source]]:
    voices: dict[str, str] = made.get("voices", {})
    if units == "phones":
        read = {Path(name).name: name for name in made.get("inputs", {})}
        return [(language, _phones(voice, read, made)) for language, voice in voices.items()]
    source = Source(units, model=Subwords.read(lang.subwords) if units == "bpe" else None)
    languages = list(voices) or _languages(table)
    return [(language, source) for language in languages]


def _phones(voice: str, read: dict[str, str], made: dict[str, Any]) -> Source:
    """A voice has the name of the lexicon file, or else it is espeak-ng's."""
    if voice not in read:
        return Source("phones")
    lexicon = Path(read[voice])
    if provenance.hash_file(lexicon) != made["inputs"][read[voice]]:
        raise ValueError(f"{lexicon} is not what it was when the lang directory was made: phonemize again")
    return Source("phones", lexicon=lexicon)


def _languages(table: TokenTable) -> list[str]:
    if not table.is_separate:
        return [_ANY_LANGUAGE]
    return sorted({owner(symbol) for symbol in table.symbols if not symbol.startswith("<")})
