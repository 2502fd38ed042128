"""Which sentences go where: splits never share a sentence, and hardly share four words in a row."""

import hashlib
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mini_corpora.grammar import Grammar, lower, sentences

SPLITS = ("train", "dev", "test")
HELD_OUT = ("dev", "test")
# Of ten sentences one belongs to dev and two to test, whatever the seed, corpus or size.
SPLIT_OF_TENTH = ("dev", "test", "test") + ("train",) * 7
MAX_TRAIN_SHARING_FOUR_WORDS = 5
PATIENCE = 3000

# Pieces shorter than words ("don't" is two) make the rule stricter, whatever later counts as a word.
PIECE = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class SentenceSource:
    """Where a language's sentences come from: its grammar, or lines read from a file."""

    grammar: Grammar
    lines: tuple[str, ...] = ()

    def stream(self, rng: random.Random) -> Iterator[str]:
        """Yield candidate sentences; endless from a grammar, each line once from a file."""
        if not self.lines:
            return sentences(self.grammar, rng)
        return iter(rng.sample(self.lines, len(self.lines)))


def read_lines(path: Path) -> tuple[str, ...]:
    """Read one sentence a line, without empty lines and repetitions."""
    text = unicodedata.normalize("NFC", path.read_text(encoding="utf-8"))
    lines = (" ".join(line.split()) for line in text.splitlines())
    return tuple(dict.fromkeys(line for line in lines if PIECE.search(line)))


def pieces(text: str, language: str) -> tuple[str, ...]:
    """Return a text's words in lower case, split at every mark that is no letter or digit."""
    return tuple(PIECE.findall(lower(text, language)))


def split_of(sentence: str, language: str) -> str:
    """Return the only split that may hold this sentence."""
    digest = hashlib.sha256(" ".join(pieces(sentence, language)).encode()).digest()
    return SPLIT_OF_TENTH[int.from_bytes(digest[:8], "big") % 10]


def four_words(text: str, language: str) -> set[tuple[str, ...]]:
    """Return every run of four words in a text."""
    words = pieces(text, language)
    return {words[i : i + 4] for i in range(len(words) - 3)}


Compose = Callable[[list[str], random.Random], str]


class Chooser:
    """Deals out the utterances of one corpus in one language, dev and test before train."""

    def __init__(self, source: SentenceSource, rng_name: str) -> None:
        self.grammar = source.grammar
        self._language = source.grammar.language
        self._streams = {split: source.stream(random.Random(f"{rng_name}/{split}")) for split in SPLITS}
        self._used: set[tuple[str, ...]] = set()
        self._held_out: set[tuple[str, ...]] = set()
        self._in_train: Counter[tuple[str, ...]] = Counter()

    def take(self, split: str, count: int, compose: Compose, rng: random.Random) -> str:
        """Return an utterance of `count` new sentences; raise ValueError when there are no more."""
        for _ in range(PATIENCE):
            text = compose([self._sentence(split) for _ in range(count)], rng)
            if self._admit(split, four_words(text, self._language)):
                return text
        raise self._exhausted(split)

    def _sentence(self, split: str) -> str:
        for _, sentence in zip(range(PATIENCE), self._streams[split], strict=False):
            key = pieces(sentence, self._language)
            if key not in self._used and split_of(sentence, self._language) == split:
                self._used.add(key)
                return sentence
        raise self._exhausted(split)

    def _admit(self, split: str, runs: set[tuple[str, ...]]) -> bool:
        if split in HELD_OUT:
            self._held_out |= runs
            return True
        runs &= self._held_out
        if any(self._in_train[run] >= MAX_TRAIN_SHARING_FOUR_WORDS for run in runs):
            return False
        self._in_train.update(runs)
        return True

    def _exhausted(self, split: str) -> ValueError:
        return ValueError(
            f"{self._language}: no new {split} sentence is left after {len(self._used)}; "
            "ask for fewer hours or give more sentences with --sentences"
        )
