"""lexicon.txt, the pronunciations of words, and words.txt, their ids, as icefall has them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from unispeech_cli.atomic import write_text
from unispeech_cli.lang.phonemizer import Spoken
from unispeech_cli.lang.text import words
from unispeech_cli.lang.tokens import UNKNOWN, TokenTable

Pronunciations = Mapping[str, Sequence[tuple[str, ...]]]
"""Word -> its pronunciations, the likeliest first."""

Pronounce = Callable[[Sequence[str]], Sequence[Sequence[tuple[str, ...]]]]
"""Words on their own -> the pronunciations of each."""

EPSILON, DISAMBIGUATION, SENTENCE_START, SENTENCE_END = "<eps>", "#0", "<s>", "</s>"


class Pronounced:
    """How the words of one language were pronounced in running speech, and which must still be asked."""

    def __init__(self, language: str) -> None:
        self._language = language
        self.counts: dict[str, Counter[tuple[str, ...]]] = {}

    def hear(self, sentence: str, spoken: Spoken) -> None:
        """Count the pronunciations in a sentence, if it is plain which phones belong to which word."""
        spelled = words(sentence, self._language)
        parted = len(spelled) == len(spoken.words) and not spoken.switched
        # a number is many groups and "of the" is one: the sum may be right by chance
        if parted and not any(character.isdigit() for character in sentence):
            for word, units in zip(spelled, spoken.words, strict=True):
                self.counts.setdefault(word, Counter())[tuple(units)] += 1
        else:
            self.note(sentence)

    def note(self, sentence: str) -> None:
        """Take in the words of a sentence without their pronunciations."""
        for word in words(sentence, self._language):
            self.counts.setdefault(word, Counter())

    def add(self, word: str, variants: Counter[tuple[str, ...]]) -> None:
        """Count pronunciations that were heard elsewhere; none, for a word that was only read."""
        self.counts.setdefault(word, Counter()).update(variants)

    def lexicon(
        self, pronounce: Pronounce, table: TokenTable, at_most: int
    ) -> dict[str, list[tuple[str, ...]]]:
        """The `at_most` most frequent pronunciations of each word, in the table's symbols; ties by spelling.

        Words never heard are asked of `pronounce`. A pronunciation with units that the table lacks, or with
        `<unk>`, is left out, and a word without any other with it.
        """
        unheard = sorted(word for word, counts in self.counts.items() if not counts)
        asked = dict(zip(unheard, pronounce(unheard), strict=True))
        found = {word: asked.get(word) or _by_frequency(counts) for word, counts in self.counts.items()}
        usable = {
            word: [self._symbols(units, table) for units in variants if self._fits(units, table)]
            for word, variants in found.items()
        }
        return {word: variants[:at_most] for word, variants in usable.items() if variants}

    def _fits(self, units: Sequence[str], table: TokenTable) -> bool:
        return bool(units) and UNKNOWN not in units and not table.missing(units, self._language)

    def _symbols(self, units: Sequence[str], table: TokenTable) -> tuple[str, ...]:
        return tuple(table.symbol(unit, self._language) for unit in units)


def _by_frequency(counts: Counter[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return sorted(counts, key=lambda units: (-counts[units], units))


def merged(lexicons: Iterable[Pronunciations]) -> dict[str, list[tuple[str, ...]]]:
    """One lexicon of several languages: a word that two of them have keeps the pronunciations of both."""
    together: dict[str, dict[tuple[str, ...], None]] = {}
    for lexicon in lexicons:
        for word, variants in lexicon.items():
            together.setdefault(word, {}).update(dict.fromkeys(variants))
    return {word: list(variants) for word, variants in together.items()}


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
