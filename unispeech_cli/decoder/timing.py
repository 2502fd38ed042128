"""Frames -> seconds, tokens -> words with their times, and CTM.

Legend: T frames, V tokens with blank at 0, N tokens of a path.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from unispeech_cli.frames import HOP, SAMPLE_RATE
from unispeech_cli.lang.lexicon import Pronunciations
from unispeech_cli.lang.subwords import WORD_START
from unispeech_cli.lang.units import WORD_BOUNDARY, Units

SECONDS_PER_FRAME = HOP / SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Timed:
    """A token, word or cue from `start` on for `duration` seconds; `score` is a probability, 1 where unknown."""

    text: str
    start: float
    duration: float
    score: float = 1.0

    @property
    def end(self) -> float:
        return self.start + self.duration


def timed_tokens(
    symbols: Sequence[str],
    first: Sequence[int],
    last: Sequence[int],
    scores: Sequence[float] | None = None,
    offset: float = 0.0,
) -> list[Timed]:
    """Tokens by the first and last frame of their runs (N,); frame 0 begins `offset` seconds into the audio."""
    scores = scores if scores is not None else [1.0] * len(symbols)
    # ends are multiples of a frame themselves, not sums of rounded durations
    return [
        Timed(text, offset + start * SECONDS_PER_FRAME, (end + 1 - start) * SECONDS_PER_FRAME, score)
        for text, start, end, score in zip(symbols, first, last, scores, strict=True)
    ]


def confidences(
    log_prob_TV: Tensor, ids: Sequence[int], first: Sequence[int], last: Sequence[int]
) -> list[float]:
    """The mean probability of each token over the frames of its run (N,)."""
    runs = zip(ids, first, last, strict=True)
    return [log_prob_TV[start : end + 1, token].exp().mean().item() for token, start, end in runs]


def joined(parts: Sequence[Timed], text: str) -> Timed:
    """One thing made of parts in order: from the first's start to the last's end, with their mean score."""
    start, score = parts[0].start, sum(part.score for part in parts) / len(parts)
    return Timed(text, start, parts[-1].end - start, score)


def words_of(tokens: Iterable[Timed], units: Units) -> list[Timed]:
    """The words that letters (`|` between them) or subwords (`▁` before them) make.

    Phones say nothing of words (`words_by_lexicon`): there are none.
    """
    if units == "phones":
        return []
    boundary = WORD_BOUNDARY if units == "letters" else WORD_START
    groups: list[list[Timed]] = [[]]
    for token in tokens:
        if token.text.startswith(boundary):
            groups.append([])
        if text := token.text.replace(boundary, ""):
            groups[-1].append(replace(token, text=text))
    return [joined(group, "".join(part.text for part in group)) for group in groups if group]


def words_by_lexicon(
    tokens: Sequence[Timed], words: Sequence[str], lexicon: Pronunciations
) -> list[Timed] | None:
    """Known words, each over the tokens that one of its pronunciations spells.

    None where no choice of pronunciations spells just these tokens.
    """
    symbols = tuple(token.text for token in tokens)
    # for each word: where it can end -> where it then begins
    begins: list[dict[int, int]] = []
    ends = {0: 0}
    for word in words:
        ends = _ends(symbols, ends, lexicon.get(word, ()))
        begins.append(ends)
    if len(symbols) not in ends:
        return None
    found, end = [], len(symbols)
    for word, begin in zip(reversed(words), reversed(begins), strict=True):
        found.append(joined(tokens[begin[end] : end], word))
        end = begin[end]
    return found[::-1]


def _ends(
    symbols: tuple[str, ...], starts: Iterable[int], variants: Iterable[tuple[str, ...]]
) -> dict[int, int]:
    spelled = [tuple(variant) for variant in variants if variant]
    return {
        start + len(variant): start
        for start in starts
        for variant in spelled
        if symbols[start : start + len(variant)] == variant
    }


def ctm(name: str, items: Iterable[Timed], channel: str = "1", offset: float = 0.0) -> str:
    """CTM lines `recording channel start duration text confidence`, in order of time.

    `offset` seconds are added: where the items' second 0 lies in the recording. Spaces in the name become `_`.
    """
    recording = "_".join(name.split())
    ordered = sorted(items, key=lambda item: item.start)
    return "".join(
        f"{recording} {channel} {item.start + offset:.2f} {item.duration:.2f} {item.text} {item.score:.2f}\n"
        for item in ordered
    )
