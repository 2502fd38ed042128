"""Words -> phones: by espeak-ng through the `phonemizer` package, or by a lexicon file.

Both packages are GPL-3 and optional; they are imported when a phonemizer is made. espeak-ng joins some words
("of the") and spells out others, so the groups of phones that it returns need not be as many as the words.
"""

import difflib
import importlib
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from unispeech_cli.lang.text import base_language, normalize, words

LanguageSwitch = Literal["keep", "remove"]

INSTALL = "phones need espeak-ng: pip install 'unispeech[phonemize]', or give --lexicon FILE"
# codes that espeak-ng calls otherwise; the rest are the same or the same without their region
_VOICES = {
    "en": "en-us",
    "fr": "fr-fr",
    "fr-fr": "fr-fr",
    "zh": "cmn",
    "zh-hk": "yue",
    "no": "nb",
    "pt-pt": "pt",
}
_WORD_MARK = "|"
_SWITCH_FLAG = re.compile(r"\([^()\s]+\)")
_VARIANT = re.compile(r"\(\d+\)$")


@dataclass(frozen=True)
class Spoken:
    """One sentence in phones."""

    words: list[list[str]]
    """Phones, grouped as they were spoken."""
    switched: bool = False
    """Part of it was read in another language's phones."""
    unknown: tuple[str, ...] = ()
    """Words that the lexicon does not have; `words` is then empty."""

    @property
    def phones(self) -> list[str]:
        return [phone for word in self.words for phone in word]


Phonemizer = Callable[[Sequence[str]], list[Spoken]]
"""Normalised sentences of one language -> units: `Espeak.speak`, `Lexicon.speak`, `letters`, …"""


class Espeak:
    """espeak-ng with the voice of one language; make it once per language, each one holds 5 MB.

    `language_switch` says what becomes of the marks around foreign words, "(en) w iː k (fr)": removed, or
    kept as units of their own. Raises ValueError without espeak-ng, and for a language without a voice.
    """

    def __init__(self, language: str, *, language_switch: LanguageSwitch = "remove") -> None:
        backend, separator, logger = _import_phonemizer()
        self.voice = voice(language, list(backend.supported_languages()))
        self._keep_switch = language_switch == "keep"
        self._backend = backend(
            self.voice, with_stress=False, language_switch="keep-flags", logger=logger(verbosity="quiet")
        )
        self._separator = separator(phone=" ", word=_WORD_MARK, syllable="")

    def speak(self, sentences: Sequence[str]) -> list[Spoken]:
        """Phones of normalised, non-empty sentences, in their order; no group where nothing is spoken."""
        lines = self._backend.phonemize(list(sentences), separator=self._separator, strip=False)
        assert len(lines) == len(sentences), "the phonemizer dropped a sentence"
        return [self._spoken(line) for line in lines]

    def _spoken(self, line: str) -> Spoken:
        groups = [group.split() for group in line.split(_WORD_MARK)]
        switched = _SWITCH_FLAG.search(line) is not None
        if switched and not self._keep_switch:
            groups = [[phone for phone in group if not _SWITCH_FLAG.fullmatch(phone)] for group in groups]
        return Spoken([group for group in groups if group], switched)


class Lexicon:
    """A pronunciation dictionary, `WORD ph1 ph2` a line, several lines or `WORD(2)` for variants.

    Words are brought to the written form of `language`; the first pronunciation is the one that is spoken.
    Entries such as `<UNK>` and `!SIL` and comments (`;;;`) are left out. Raises ValueError naming a bad line.
    """

    def __init__(self, path: Path, language: str) -> None:
        self._language = language
        self._variants: dict[str, list[tuple[str, ...]]] = {}
        for number, line in enumerate(_lines(path), 1):
            if line.strip() and not line.startswith((";;;", "<", "!")):
                word, phones = _entry(line, f"{path} line {number}")
                variants = self._variants.setdefault(normalize(word, language), [])
                if phones not in variants:
                    variants.append(phones)
        if not self._variants:
            raise ValueError(
                f"{path} has no entry: expected lines of a word and its phones, `hello HH AH L OW`"
            )

    def speak(self, sentences: Sequence[str]) -> list[Spoken]:
        """Phones of normalised sentences by each word's first pronunciation."""
        return [self._spoken(words(sentence, self._language)) for sentence in sentences]

    def pronounce(self, words: Sequence[str]) -> list[list[tuple[str, ...]]]:
        """Every pronunciation of each word, the first one first."""
        return [self._variants.get(word, []) for word in words]

    def _spoken(self, sentence: Sequence[str]) -> Spoken:
        unknown = tuple(word for word in sentence if word not in self._variants)
        return Spoken(
            [] if unknown else [list(self._variants[word][0]) for word in sentence], unknown=unknown
        )


def letters(sentences: Sequence[str]) -> list[Spoken]:
    """Normalised sentences in letters, the phones of whoever has no phonemizer."""
    return [Spoken([list(word) for word in sentence.split()]) for sentence in sentences]


def voice(language: str, voices: Sequence[str]) -> str:
    """espeak-ng's name for a language. Raises ValueError naming the nearest voices."""
    code = language.strip().lower().replace("_", "-")
    base = base_language(code)
    for name in (_VOICES.get(code, code), _VOICES.get(base, base)):
        if name in voices:
            return name
    near = difflib.get_close_matches(code, voices, n=3, cutoff=0.3)
    near += [name for name in sorted(voices) if name[0] == code[:1] and name not in near][: 6 - len(near)]
    raise ValueError(
        f"espeak-ng has no voice for language {language!r}; near: {', '.join(near)}; or give --lexicon"
    )


def versions() -> dict[str, str]:
    """Versions of what turns words into phones, for provenance. Raises ValueError without espeak-ng."""
    backend, _, _ = _import_phonemizer()
    return {
        "phonemizer": metadata.version("phonemizer"),
        "espeak-ng": ".".join(map(str, backend.version())),
    }


def _import_phonemizer() -> tuple[Any, Any, Any]:
    """The espeak backend, the separator and the logger of `phonemizer`, with espeak-ng's library found."""
    try:
        espeak = importlib.import_module("phonemizer.backend.espeak.espeak")
        wrapper = importlib.import_module("phonemizer.backend.espeak.wrapper").EspeakWrapper
        separator = importlib.import_module("phonemizer.separator").Separator
        logger = importlib.import_module("phonemizer.logger").get_logger
    except ImportError:
        raise ValueError(INSTALL) from None
    _point_to_library(wrapper)
    if not espeak.EspeakBackend.is_available():
        raise ValueError(INSTALL)
    return espeak.EspeakBackend, separator, logger


def _point_to_library(wrapper: Any) -> None:
    """The library named by phonemizer's own environment variable, else the wheel's, else the system's."""
    try:
        loader = importlib.import_module("espeakng_loader")
    except ImportError:
        return
    library = os.environ.get("PHONEMIZER_ESPEAK_LIBRARY", loader.get_library_path())
    if Path(library) != Path(loader.get_library_path()):
        return
    data = Path(os.environ.get("PHONEMIZER_ESPEAK_DATA_PATH", loader.get_data_path()))
    # without its data, espeak-ng ends the whole process
    if not data.is_dir():
        raise ValueError(f"no espeak-ng data in {data}: pip install --force-reinstall espeakng-loader")
    wrapper.set_library(library)
    wrapper.set_data_path(str(data))


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise FileNotFoundError(f"no lexicon {path}")
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8: convert it with `iconv -f latin1 -t utf-8`") from None


def _entry(line: str, where: str) -> tuple[str, tuple[str, ...]]:
    word, *phones = line.split()
    if not phones:
        raise ValueError(f"{where}: word {word!r} has no phones")
    return _VARIANT.sub("", word), tuple(phones)
