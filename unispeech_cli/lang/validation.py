"""What is wrong with a lang directory, a line a fault: the checks of Kaldi's validate_lang.pl that apply here."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from unispeech_cli.lang import tokens
from unispeech_cli.lang.lexicon import (
    DISAMBIGUATION,
    EPSILON,
    SENTENCE_END,
    SENTENCE_START,
    Pronunciations,
    read_words,
)
from unispeech_cli.lang.tokens import BLANK, TokenTable
from unispeech_cli.lang.units import WORD_BOUNDARY
from unispeech_cli.paths import LangDir

_RESERVED = {EPSILON, DISAMBIGUATION, SENTENCE_START, SENTENCE_END}
_MARK = re.compile(r"#\d+")
Line = tuple[str, list[str]]
"""Where an entry of the lexicon stands, and its fields: the word and its units."""


def faults(lang: LangDir, *, spelled: bool) -> list[str]:
    """One line per fault of tokens.txt, lexicon.txt and words.txt: where it is, and what is wrong.

    `spelled`: units are letters, and pronunciations the spelling. Raises FileNotFoundError, and ValueError
    where tokens.txt or words.txt cannot be read at all.
    """
    table, lines = tokens.read(lang.tokens), _lines(lang.lexicon)
    found = [
        f"{lang.tokens}: {symbol} is what graphs call their own symbols: a token must have another name"
        for symbol in table.symbols
        if _MARK.fullmatch(symbol) or symbol == EPSILON
    ]
    if not lines:
        found.append(f"{lang.lexicon} has no word")
    for line in lines:
        found += _line_faults(line, table, spelled)
    found += _repeated(lines)
    return found + (_word_faults(lang, lines) if lang.words.is_file() else [])


def homophones(lexicon: Pronunciations) -> int:
    """How many words sound like another one."""
    said = Counter(units for variants in lexicon.values() for units in set(variants))
    return sum(any(said[units] > 1 for units in variants) for variants in lexicon.values())


def _lines(path: Path) -> list[Line]:
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    rows = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    return [(f"{path} line {number}", row.split()) for number, row in rows if row.split()]


def _line_faults(line: Line, table: TokenTable, spelled: bool) -> Iterator[str]:
    where, (word, *units) = line
    if word in _RESERVED or _MARK.fullmatch(word):
        yield f"{where}: {word} is no word, graphs need that name"
    if not units:
        yield f"{where}: word {word} has no pronunciation"
    missing = [unit for unit in dict.fromkeys(units) if unit not in table.ids]
    if missing:
        yield f"{where}: word {word} has units that tokens.txt lacks: {' '.join(missing)}"
    silent = [unit for unit in units if unit == BLANK or (spelled and unit.endswith(WORD_BOUNDARY))]
    if silent:
        yield f"{where}: word {word} is spoken with {silent[0]}, which is between words or nothing"
    elif spelled and units and not missing and _spelling(units, table) != word:
        yield f"{where}: word {word} is not spelled by its letters {' '.join(units)}"


def _spelling(units: Sequence[str], table: TokenTable) -> str:
    return "".join(table.decode([table.ids[unit] for unit in units]))


def _repeated(lines: Sequence[Line]) -> list[str]:
    seen: dict[tuple[str, ...], str] = {}
    return [
        f"{where}: the same as {before.rpartition('/')[2]}"
        for where, fields in lines
        if (before := seen.setdefault(tuple(fields), where)) != where
    ]


def _word_faults(lang: LangDir, lines: Sequence[Line]) -> list[str]:
    listed, spoken = set(read_words(lang.words)), {fields[0] for _, fields in lines}
    lacking = [f"{lang.words} lacks {symbol}" for symbol in sorted(_RESERVED - listed)]
    lacking += [
        f"{lang.words} lacks {word}, which {lang.lexicon.name} has" for word in sorted(spoken - listed)
    ]
    mute = sorted(listed - spoken - _RESERVED)
    return lacking + [f"{lang.lexicon} lacks {word}, which {lang.words.name} has" for word in mute]
