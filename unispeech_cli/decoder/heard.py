"""Paths of ids -> hypotheses in words and seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lhotse import SupervisionSegment
from lhotse.cut import Cut

from unispeech_cli.decoder.hypotheses import Hypothesis, Times, text_of
from unispeech_cli.decoder.search import BestPath
from unispeech_cli.decoder.timing import Timed, timed_tokens, words_of
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.lang.units import Units
from unispeech_cli.manifests import units


@dataclass(frozen=True)
class Vocabulary:
    """What ids stand for: the token table, and what its units are."""

    table: TokenTable
    units: Units


def hypothesis(cut: Cut, path: BestPath, vocabulary: Vocabulary) -> Hypothesis:
    """What was heard in a cut, beside what was said in it."""
    supervision = cut.supervisions[0] if cut.supervisions else None
    tokens = timed_tokens(vocabulary.table.decode(path.ids), path.frames, path.last)
    words = None if vocabulary.units == "phones" else words_of(tokens, vocabulary.units)
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
