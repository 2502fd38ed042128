"""Paths of ids -> hypotheses in words and seconds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lhotse import SupervisionSegment
from lhotse.cut import Cut

from unispeech_cli.decoder.hypotheses import Hypothesis, Times, text_of
from unispeech_cli.decoder.search import BestPath
from unispeech_cli.decoder.timing import Timed, timed_tokens, words_by_lexicon, words_of
from unispeech_cli.lang.lexicon import Pronunciations
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.lang.units import Units
from unispeech_cli.manifests import units


@dataclass(frozen=True)
class Vocabulary:
    """What ids stand for: the token table, what its units are, and words where the search has words.

    `lexicon` is in the table's symbols.
    """

    table: TokenTable
    units: Units
    words: tuple[str, ...] = ()
    lexicon: Pronunciations = field(default_factory=dict)


def hypothesis(cut: Cut, path: BestPath, vocabulary: Vocabulary) -> Hypothesis:
    """What was heard in a cut, beside what was said in it."""
    supervision = cut.supervisions[0] if cut.supervisions else None
    tokens = timed_tokens(vocabulary.table.decode(path.ids), path.frames, path.last)
    words = words_in(path, tokens, vocabulary)
    return Hypothesis(
        id=cut.id,
        recording_id=cut.recording_id,
        start=cut.start,
        duration=cut.duration,
        channel=cut.channel if isinstance(cut.channel, int) else cut.channel[0],
        tokens=tuple(token.text for token in tokens),
        score=round(path.score, 4),
        words=None if words is None else tuple(word.text for word in words),
        times=_times(tokens),
        word_times=_times(words or ()),
        **_said(supervision, vocabulary.units),
    )


def joined(paths: Iterable[tuple[int, BestPath]]) -> BestPath:
    """One path of those of consecutive parts of a recording; with each the frame at which its part begins."""
    parts = list(paths)
    return BestPath(
        tuple(token for _, path in parts for token in path.ids),
        tuple(begin + frame for begin, path in parts for frame in path.frames),
        tuple(begin + frame for begin, path in parts for frame in path.last),
        sum(path.score for _, path in parts),
        tuple(word for _, path in parts for word in path.words),
    )


def words_in(path: BestPath, tokens: Sequence[Timed], vocabulary: Vocabulary) -> Sequence[Timed] | None:
    """The words of a path with their times: those of the search, else those that the units make."""
    made = None if vocabulary.units == "phones" else words_of(tokens, vocabulary.units)
    if not path.words:
        return made if made is not None or not vocabulary.words else ()
    heard = [vocabulary.words[word] for word in path.words]
    if made is not None and len(made) == len(heard):
        return [replace(timed, text=word) for timed, word in zip(made, heard, strict=True)]
    symbols = [vocabulary.table.symbols[index] for index in path.ids]
    written = [replace(token, text=symbol) for token, symbol in zip(tokens, symbols, strict=True)]
    return words_by_lexicon(written, heard, vocabulary.lexicon) or _spread(tokens, heard)


def _spread(tokens: Sequence[Timed], words: Sequence[str]) -> list[Timed]:
    """Words over tokens of which it is not known which are whose: the same time for each."""
    start, end = (tokens[0].start, tokens[-1].end) if tokens else (0.0, 0.0)
    share = (end - start) / len(words)
    return [Timed(word, start + number * share, share) for number, word in enumerate(words)]


def _said(supervision: SupervisionSegment | None, kind: Units) -> dict[str, Any]:
    if supervision is None:
        return {}
    labels, custom = units(supervision), supervision.custom or {}
    written = custom.get("text_norm")
    if written is None and labels and kind != "phones":
        written = text_of(labels, kind)
    return {
        "ref": tuple(labels) or None,
        "ref_words": None if written is None else tuple(str(written).split()),
        "ref_text": supervision.text,
        "language": supervision.language,
        "speaker": supervision.speaker,
        "domain": custom.get("domain"),
    }


def _times(items: Sequence[Timed]) -> Times:
    return tuple((round(item.start, 3), round(item.duration, 3)) for item in items)
