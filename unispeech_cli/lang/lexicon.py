"""lexicon.txt, the pronunciations of words, and words.txt, their ids, as icefall has them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from unispeech_cli.atomic import write_text

Pronunciations = Mapping[str, Sequence[tuple[str, ...]]]
"""Word -> its pronunciations, the likeliest first."""

EPSILON, DISAMBIGUATION, SENTENCE_START, SENTENCE_END = "<eps>", "#0", "<s>", "</s>"


class Pronounced:
    """Counts how words were pronounced in running speech."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[tuple[str, ...]]] = {}
        self._unheard: dict[str, None] = {}

    def add(self, words: Sequence[str], pronunciations: Sequence[Sequence[str]]) -> None:
        """Count one sentence: a pronunciation per word."""
        for word, units in zip(words, pronunciations, strict=True):
            self._counts.setdefault(word, Counter())[tuple(units)] += 1

    def add_unaligned(self, words: Iterable[str]) -> None:
        """Note words of a sentence that does not say which units belong to which of them."""
        self._unheard.update(dict.fromkeys(words))

    @property
    def unheard(self) -> list[str]:
        """Words that were never seen with a pronunciation of their own."""
        return sorted(word for word in self._unheard if word not in self._counts)

    def lexicon(self, at_most: int) -> dict[str, list[tuple[str, ...]]]:
        """The `at_most` most frequent pronunciations of each word, ties by spelling."""
        return {
            word: sorted(counts, key=lambda units: (-counts[units], units))[:at_most]
            for word, counts in sorted(self._counts.items())
        }


def write_lexicon(path: Path, lexicon: Pronunciations) -> None:
    """Write `word unit unit …` lines atomically: words sorted, the likeliest pronunciation of each first."""
    write_text(
        path, "".join(f"{word} {' '.join(units)}\n" for word in sorted(lexicon) for units in lexicon[word])
    )


def read_lexicon(path: Path) -> dict[str, list[tuple[str, ...]]]:
    """Read lexicon.txt. Raises ValueError naming a line without units, FileNotFoundError."""
    lexicon: dict[str, list[tuple[str, ...]]] = {}
    for number, fields in _rows(path):
        if len(fields) < 2:
            raise ValueError(f"{path} line {number}: word {fields[0]!r} has no pronunciation")
        lexicon.setdefault(fields[0], []).append(tuple(fields[1:]))
    return lexicon


def write_words(path: Path, words: Iterable[str]) -> None:
    """Write words.txt atomically: `<eps>`, the words sorted, `#0`, `<s>`, `</s>`."""
    symbols = [EPSILON, *sorted(set(words)), DISAMBIGUATION, SENTENCE_START, SENTENCE_END]
    write_text(path, "".join(f"{symbol} {index}\n" for index, symbol in enumerate(symbols)))


def read_words(path: Path) -> dict[str, int]:
    """Read words.txt. Raises ValueError naming a bad line, FileNotFoundError."""
    ids: dict[str, int] = {}
    for number, fields in _rows(path):
        if len(fields) != 2 or fields[1] != str(len(ids)) or fields[0] in ids:
            raise ValueError(f"{path} line {number}: expected a new word and the id {len(ids)}")
        ids[fields[0]] = len(ids)
    return ids


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.split():
            yield number, line.split()
