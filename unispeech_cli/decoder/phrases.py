"""Lines of a file of likely words and phrases -> what they are worth to a search."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from unispeech_cli.decoder.bias import Bias, Phrase, bias
from unispeech_cli.lang.lexicon import Pronunciations
from unispeech_cli.lang.text import normalize, words
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.lang.transcript import Speller
from unispeech_cli.lang.units import WORD_BOUNDARY


@dataclass(frozen=True)
class Line:
    """A word or phrase as it is written, and its bonus (log-probability) for each of its units."""

    text: str
    bonus: float


@dataclass(frozen=True)
class WordBias:
    """Bonuses of single words by their ids, and phrases of several; `lacking` are words that the graph has not."""

    bonuses: dict[int, float]
    phrases: Bias | None
    lacking: tuple[str, ...]


@dataclass(frozen=True)
class TokenBias:
    """Phrases over the tokens of a model, and lines that it cannot spell, with the reason."""

    phrases: Bias
    lacking: tuple[str, ...]


def read_lines(path: Path, bonus: float) -> list[Line]:
    """A word or phrase a line, its own bonus behind a tab if it has one; `bonus` is that of the others.

    Raises FileNotFoundError, and ValueError naming the line where a bonus is not a number from 0 on.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path} of words to expect")
    return list(_lines(path, bonus))


def _lines(path: Path, bonus: float) -> Iterator[Line]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text, _, own = line.partition("\t")
        try:
            worth = float(own) if own.strip() else bonus
        except ValueError:
            worth = -1.0
        if not 0 <= worth < float("inf"):
            raise ValueError(f"{path} line {number}: {own!r} is not a bonus; write `words<TAB>1.5`")
        if text.strip():
            yield Line(text.strip(), worth)


def token_bias(lines: Sequence[Line], speller: Speller) -> TokenBias:
    """Phrases spelled in tokens."""
    boundary = _boundary(speller.pronouncer.table, speller.language) if _has_boundary(speller) else None
    around = () if boundary is None else (boundary,)
    phrases, lacking = [], []
    for line in lines:
        try:
            spelled = speller.spell(line.text)
        except ValueError as error:
            lacking.append(f"{line.text}: {error}")
            continue
        count = len(spelled.labels) - (boundary is not None) * max(0, len(spelled.words) - 1)
        if count:
            phrases.append(Phrase((*around, *spelled.labels, *around), line.bonus * count))
    return TokenBias(bias(phrases, boundary), tuple(lacking))


def word_bias(
    lines: Sequence[Line], symbols: Sequence[str], lexicon: Pronunciations, language: str
) -> WordBias:
    """Phrases in ids of `symbols`, the words of a graph; a word counts as many units as its first pronunciation."""
    ids = {word: index for index, word in enumerate(symbols)}
    lacking: dict[str, None] = {}
    single: dict[int, float] = {}
    longer = []
    for line in lines:
        said = words(normalize(line.text, language), language)
        missing = [word for word in said if word not in lexicon or word not in ids]
        lacking |= dict.fromkeys(missing)
        if missing or not said:
            continue
        worth = line.bonus * sum(len(lexicon[word][0]) for word in said)
        if len(said) == 1:
            single[ids[said[0]]] = max(worth, single.get(ids[said[0]], 0.0))
        else:
            longer.append(Phrase(tuple(ids[word] for word in said), worth))
    return WordBias(single, bias(longer) if longer else None, tuple(lacking))


def _has_boundary(speller: Speller) -> bool:
    return speller.pronouncer.units == "letters"


def _boundary(table: TokenTable, language: str) -> int | None:
    """The token between words, where the model has one."""
    return table.ids.get(table.symbol(WORD_BOUNDARY, language))
