"""The ARPA format: log10 probability, words, log10 backoff, with tabs between them, which KenLM insists on."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lm.counts import END
from lm.kneser_ney import Level
from unispeech_cli.atomic import atomic_file

# of <s>, which is never predicted, as SRILM has it
NEVER = -99.0


def write(path: Path, words: tuple[str, ...], levels: list[Level]) -> None:
    """Write the model whole or not at all."""
    with atomic_file(path) as fresh, fresh.open("w", encoding="utf-8") as arpa:
        arpa.write("\\data\\\n")
        for order, level in enumerate(levels, start=1):
            arpa.write(f"ngram {order}={level.kept_N.sum()}\n")
        texts: list[str] = [""]
        for order, level in enumerate(levels, start=1):
            texts = _texts(level, words, texts)
            arpa.write(f"\n\\{order}-grams:\n")
            arpa.writelines(_lines(level, texts, highest=order == len(levels)))
        arpa.write("\n\\end\\\n")


def _texts(level: Level, words: tuple[str, ...], contexts: list[str]) -> list[str]:
    pairs = zip(level.ngrams.context_N.tolist(), level.ngrams.word_N.tolist(), strict=True)
    return [f"{contexts[context]} {words[word]}".lstrip() for context, word in pairs]


def _lines(level: Level, texts: list[str], highest: bool) -> Iterator[str]:
    with np.errstate(divide="ignore"):
        probabilities = np.maximum(np.log10(level.probability_N), NEVER).tolist()
        backoffs = np.log10(level.backoff_N).tolist()
    for index in np.flatnonzero(level.kept_N).tolist():
        text = texts[index]
        backoff = "" if highest or text.endswith(END) else f"\t{backoffs[index]:.6f}"
        yield f"{probabilities[index]:.6f}\t{text}{backoff}\n"
