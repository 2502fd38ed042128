"""Text -> counts of n-grams, an array a quantity.

N: n-grams of one order, T: words of the text with <s> and </s>.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass

import numpy as np

START, END, UNKNOWN = "<s>", "</s>", "<unk>"
SPECIAL = (START, END, UNKNOWN)


@dataclass(frozen=True)
class Text:
    """Words by number, the special ones first; word_T are the sentences in a row, each from <s> to </s>."""

    words: tuple[str, ...]
    word_T: np.ndarray


@dataclass(frozen=True)
class Ngrams:
    """The n-grams of one order, sorted by context and word.

    context_N and suffix_N are places in the order below: the n-gram without its last and without its first word.
    """

    word_N: np.ndarray
    context_N: np.ndarray
    suffix_N: np.ndarray
    raw_N: np.ndarray
    starts_N: np.ndarray
    """True where the first word is <s>, which has nothing to its left."""


def read_text(lines: Iterable[str], vocabulary: Container[str] | None = None) -> Text:
    """Number the words of lines, a sentence each; all words outside the vocabulary are <unk>.

    Raises ValueError for no words, and for <s> or </s> in a line.
    """
    numbers = {word: number for number, word in enumerate(SPECIAL)}
    words: list[int] = []
    for line_number, line in enumerate(lines, start=1):
        sentence = line.split()
        if START in sentence or END in sentence:
            raise ValueError(
                f"line {line_number}: {START} and {END} are no words; write sentences without them"
            )
        if sentence:
            words.append(0)
            words += [numbers.setdefault(word, len(numbers)) for word in _known(sentence, vocabulary)]
            words.append(1)
    if not words:
        raise ValueError("there is no word in it")
    return Text(tuple(numbers), np.array(words, dtype=np.int64))


def _known(sentence: list[str], vocabulary: Container[str] | None) -> list[str]:
    return sentence if vocabulary is None else [w if w in vocabulary else UNKNOWN for w in sentence]


def count(text: Text, order: int) -> list[Ngrams]:
    """Count the n-grams of all orders up to `order`; the first one holds every word, said or not."""
    size = len(text.words)
    every = np.arange(size)
    nothing = np.zeros(size, dtype=np.int64)
    tables = [
        Ngrams(
            every, nothing, nothing, np.bincount(text.word_T, minlength=size), every == SPECIAL.index(START)
        )
    ]
    # the place in the table of the n-gram that ends at each word; -1 where it would begin before <s>
    place_T = text.word_T
    for _ in range(1, order):
        before_T = np.concatenate(([-1], place_T[:-1]))
        (inside,) = np.nonzero((before_T >= 0) & (text.word_T != 0))
        keys, first, back, raw = np.unique(
            before_T[inside] * size + text.word_T[inside],
            return_index=True,
            return_inverse=True,
            return_counts=True,
        )
        context = keys // size
        tables.append(Ngrams(keys % size, context, place_T[inside[first]], raw, tables[-1].starts_N[context]))
        place_T = np.full_like(text.word_T, -1)
        place_T[inside] = back
    return tables


def adjusted(tables: list[Ngrams]) -> list[np.ndarray]:
    """Counts as Kneser and Ney take them, by order.

    Of the highest order and from <s> on how often it was seen; else how many words were seen to its left.
    """
    counts = [tables[-1].raw_N]
    for table, above in zip(reversed(tables[:-1]), reversed(tables[1:]), strict=True):
        left = np.bincount(above.suffix_N, minlength=len(table.word_N))
        counts.append(np.where(table.starts_N, table.raw_N, left))
    counts.reverse()
    counts[0][SPECIAL.index(START)] = 0
    return counts
