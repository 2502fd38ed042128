"""Which words of a language model are searched for, how they are spelled, and how they are pronounced."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from unispeech_cli.lang.lexicon import Pronunciations
from unispeech_cli.lang.pronouncer import Pronouncer
from unispeech_cli.lang.text import lower

# <unk>, [noise], {laugh}, !SIL, #0: nobody says these
_NO_WORD = re.compile(r"<.*>|\[.*\]|\{.*\}|!.+|#\d+")


@dataclass(frozen=True)
class Vocabulary:
    """The words of a graph."""

    lexicon: Pronunciations
    """Every word that is searched for, with its pronunciations."""
    written: Mapping[str, str]
    """How the language model spells a word -> how we do; words that are not here are taken out of it."""
    added: Pronunciations = field(default_factory=dict)
    """Those that the lang directory's lexicon lacks."""
    dropped: Mapping[str, str] = field(default_factory=dict)
    """Words of the language model that are taken out of it -> why."""


def vocabulary(words: Sequence[str], lexicon: Pronunciations, pronouncer: Pronouncer) -> Vocabulary:
    """The words of a language model that have pronunciations, from the lexicon or made now.

    A model in capitals, beside a lexicon that is not, is read in lower case. Raises ValueError where no word
    is left, or the means to pronounce one are not here.
    """
    spelled = _spelled(words, lexicon, pronouncer.language)
    dropped = {word: "not a word" for word in words if word not in spelled}
    lacking = sorted({spelling for spelling in spelled.values() if spelling not in lexicon})
    added, mute = pronouncer.pronounce(lacking) if lacking else ({}, {})
    dropped |= {word: mute[spelling] for word, spelling in spelled.items() if spelling in mute}
    written = {word: spelling for word, spelling in spelled.items() if spelling not in mute}
    searched = {word: lexicon.get(word) or added[word] for word in written.values()}
    if not searched:
        raise ValueError("no word of the language model can be pronounced: is it of another language?")
    return Vocabulary(searched, written, added, dropped)


def known(words: Sequence[str], ours: Sequence[str]) -> dict[str, str]:
    """How a language model spells words that are among `ours` -> how we do."""
    spelled = _spelled(words, ours, "")
    return {word: spelling for word, spelling in spelled.items() if spelling in set(ours)}


def _spelled(words: Sequence[str], ours: Iterable[str], language: str) -> dict[str, str]:
    spoken = [word for word in words if word.split() == [word] and not _NO_WORD.fullmatch(word)]
    capitals = all(word == word.upper() for word in spoken)
    lowered = capitals and any(word != word.upper() for word in ours)
    return {word: lower(word, language) if lowered else word for word in spoken}
