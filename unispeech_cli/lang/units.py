"""Transcripts -> the units that a model learns (phones, letters, subwords), gathering inventory and lexicon.

Units that CTC could not align with the audio are refused here, once, so that no later stage has to look.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from unispeech_cli.corpora.clip import Dropped
from unispeech_cli.frames import RECEPTIVE_FIELD, ctc_frames_needed, num_frames
from unispeech_cli.lang import tokens
from unispeech_cli.lang.lexicon import Pronounce, Pronounced, merged
from unispeech_cli.lang.phonemizer import Espeak, LanguageSwitch, Lexicon, Phonemizer, Spoken, letters
from unispeech_cli.lang.subwords import WORD_START, Subwords, SubwordSettings
from unispeech_cli.lang.tokens import UNKNOWN, TokenTable, Vocabulary

Units = Literal["phones", "letters", "bpe"]

WORD_BOUNDARY = "|"


def units_of(table: TokenTable) -> Units:
    """What the tokens of a model are, by the signs of words among them."""
    if any(symbol.startswith(WORD_START) for symbol in table.symbols):
        return "bpe"
    return "letters" if any(symbol.endswith(WORD_BOUNDARY) for symbol in table.symbols) else "phones"


@dataclass(frozen=True)
class PhonemizeSettings:
    """How transcripts become units."""

    language_switch: LanguageSwitch = "remove"
    """Marks around words that espeak-ng reads in another language: removed, or units of their own."""
    unknown_units: Literal["drop", "unk", "extend"] = "drop"
    """A unit that a pinned inventory lacks: drop the cut, put `<unk>`, or add the unit behind the others."""
    max_speed: float = 1.0
    """The fastest speed perturbation of training; cuts too short for CTC at that speed are dropped."""
    pronunciations: int = 4
    """At most so many a word in lexicon.txt, the most frequent ones."""
    subwords: SubwordSettings = field(default_factory=SubwordSettings)


@dataclass(frozen=True)
class Source:
    """What units are made by: a lexicon file or espeak-ng for phones, a model for subwords."""

    units: Units
    lexicon: Path | None = None
    model: Subwords | None = None


@dataclass(frozen=True)
class Voice:
    """How one language is turned into units: sentences, and words on their own."""

    name: str
    speak: Phonemizer
    pronounce: Pronounce
    in_context: bool = True
    """Words sound differently in different sentences; if not, `pronounce` knows all there is."""


@dataclass(frozen=True)
class Transcript:
    """What is said in a cut of `samples` at 16 kHz; `text` is normalised, "" where it held symbols only."""

    cut_id: str
    samples: int
    language: str
    text: str


def open_voice(source: Source, language: str, language_switch: LanguageSwitch) -> Voice:
    """How a language is spoken. Raises ValueError where nothing here speaks it."""
    if source.model:
        return Voice("subwords", source.model.speak, partial(_alone, source.model.speak))
    if source.units == "letters":
        return Voice("letters", letters, partial(_alone, letters))
    if source.lexicon:
        lexicon = Lexicon(source.lexicon, language)
        return Voice(source.lexicon.name, lexicon.speak, lexicon.pronounce, in_context=False)
    espeak = Espeak(language, language_switch=language_switch)
    return Voice(espeak.voice, espeak.speak, partial(_alone, espeak.speak))


def _alone(speak: Phonemizer, words: Sequence[str]) -> list[list[tuple[str, ...]]]:
    return [[tuple(spoken.phones)] for spoken in speak(words)] if words else []


class Labeller:
    """Turns transcripts of any language into units; all of them share one inventory and one lexicon.

    `pinned` is an inventory to keep to; without one, it is made of the units that occur.
    """

    def __init__(
        self, source: Source, settings: PhonemizeSettings, vocab: Vocabulary, pinned: TokenTable | None
    ) -> None:
        if pinned and settings.unknown_units == "unk" and UNKNOWN not in pinned.ids:
            raise ValueError(f"unknown_units is unk, but the inventory has no {UNKNOWN}")
        self._source, self._settings, self._vocab, self._pinned = source, settings, vocab, pinned
        self.kind = source.units
        self.heard: dict[str, Pronounced] = {}
        self.voices: dict[str, Voice] = {}
        self.units: dict[str, Counter[str]] = {}
        self.unknown: dict[str, Counter[tuple[str, str]]] = {"unit": Counter(), "word": Counter()}

    def speak(self, transcripts: Sequence[Transcript]) -> list[Spoken]:
        """How transcripts are spoken, in their order; each language goes to its voice at once."""
        spoken = [Spoken([]) for _ in transcripts]
        for language in dict.fromkeys(said.language for said in transcripts):
            mine = [i for i, said in enumerate(transcripts) if said.language == language and said.text]
            texts = [transcripts[index].text for index in mine]
            for index, result in zip(mine, self.voice(language).speak(texts), strict=True):
                spoken[index] = result
        return spoken

    def label(self, said: Transcript, spoken: Spoken) -> list[str] | Dropped:
        """The units of a transcript, or why it cannot be learnt from."""
        self.unknown["word"].update((said.language, word) for word in spoken.unknown)
        if refused := _silent(said, spoken):
            return refused
        labels = _in_a_row(spoken, self.kind)
        missing = self._missing(labels, said.language)
        self.unknown["unit"].update((said.language, unit) for unit in labels if unit in missing)
        if missing and self._settings.unknown_units == "drop":
            return Dropped(said.cut_id, "units not in the inventory", " ".join(sorted(missing)))
        if self._settings.unknown_units == "unk":
            labels = [UNKNOWN if unit in missing else unit for unit in labels]
        if refused := _misaligned(said, labels, self._settings.max_speed):
            return refused
        self._keep(said, spoken, labels)
        return labels

    def voice(self, language: str) -> Voice:
        """How a language is spoken. Raises ValueError where nothing here speaks it."""
        if language not in self.voices:
            self.voices[language] = open_voice(self._source, language, self._settings.language_switch)
            self.heard[language], self.units[language] = Pronounced(language), Counter()
        return self.voices[language]

    def table(self) -> TokenTable:
        """The pinned inventory, or one of all units kept. Raises ValueError where there are none."""
        if self._pinned is not None:
            return self._pinned.extended(self._symbols(self._pinned))
        if not any(self.units.values()):
            raise ValueError("no transcribed cut is left to make an inventory of")
        return tokens.build(self.units, self._vocab)

    def lexicon(self, table: TokenTable) -> dict[str, list[tuple[str, ...]]]:
        """The words of all languages, with their pronunciations in the symbols of `table`."""
        most = self._settings.pronunciations
        return merged(
            self.heard[name].lexicon(voice.pronounce, table, most)
            for name, voice in sorted(self.voices.items())
        )

    def _missing(self, labels: Sequence[str], language: str) -> set[str]:
        pinned = self._pinned
        return {unit for unit in labels if pinned and pinned.symbol(unit, language) not in pinned.ids}

    def _keep(self, said: Transcript, spoken: Spoken, labels: Sequence[str]) -> None:
        self.units[said.language].update(labels)
        heard = self.heard[said.language]
        if self.voices[said.language].in_context:
            heard.hear(said.text, spoken)
        else:
            heard.note(said.text)

    def _symbols(self, table: TokenTable) -> set[str]:
        return {table.symbol(unit, language) for language, units in self.units.items() for unit in units}


def _silent(said: Transcript, spoken: Spoken) -> Dropped | None:
    """Why a transcript has no units, or None where it has."""
    if not said.text:
        return Dropped(said.cut_id, "no words in the transcript", "symbols only")
    if spoken.unknown:
        return Dropped(said.cut_id, "words not in the lexicon", " ".join(spoken.unknown))
    if not spoken.phones:
        return Dropped(said.cut_id, "nothing is spoken for the transcript", said.text)
    return None


def _in_a_row(spoken: Spoken, units: Units) -> list[str]:
    """Letters with `|` between words; phones and subwords without."""
    if units != "letters":
        return spoken.phones
    return [unit for word in spoken.words for unit in (WORD_BOUNDARY, *word)][1:]


def _misaligned(said: Transcript, labels: Sequence[str], max_speed: float) -> Dropped | None:
    """Why CTC cannot align labels with the audio played `max_speed` times as fast, or None where it can."""
    samples = int(said.samples / max_speed)
    frames = num_frames(samples) if samples >= RECEPTIVE_FIELD else 0
    needed = ctc_frames_needed(labels)
    if needed <= frames:
        return None
    speed = f" at speed {max_speed:g}" if max_speed != 1 else ""
    return Dropped(
        said.cut_id, "too short for its transcript", f"{frames} frames{speed}, {needed} are needed"
    )
