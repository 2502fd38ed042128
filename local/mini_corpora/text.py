"""Text for language models, beside a corpus as its release has it; no sentence of dev or test is in it."""

import gzip
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mini_corpora.plan import Style
from mini_corpora.selection import SentenceSource, pieces, split_of


@dataclass(frozen=True)
class TextFile:
    """Where a release has its text, and how it writes an utterance."""

    path: Path
    line: Callable[[str], str]


def write_text(path: Path, lines: Iterator[str]) -> None:
    """Write lines into a gzip file of the same bytes at any time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # level 6, no file name and no time in the header
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode(), 6, mtime=0))


def utterances(name: str, source: SentenceSource, style: Style, count: int) -> Iterator[str]:
    """Yield `count` utterances, fewer where the sentences run out; no sentence comes twice."""
    rng = random.Random(f"{name}/text")
    sentences = _train_sentences(source, rng)
    for _ in range(count):
        wanted = rng.choice(style.sentences_an_utterance)
        found = [sentence for _, sentence in zip(range(wanted), sentences, strict=False)]
        if not found:
            return
        yield style.compose(found, rng)


def _train_sentences(source: SentenceSource, rng: random.Random) -> Iterator[str]:
    """Yield what `split_of` gives to train, the rule that corpora of any seed and size keep to."""
    language = source.grammar.language
    seen: set[tuple[str, ...]] = set()
    for sentence in source.stream(rng):
        key = pieces(sentence, language)
        if key not in seen and split_of(sentence, language) == "train":
            seen.add(key)
            yield sentence
