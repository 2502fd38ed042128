"""What an error rate counts: phones, words, or characters, of reference and hypothesis."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from unispeech_cli.decoder.hypotheses import Hypothesis
from unispeech_cli.lang.units import Units
from unispeech_cli.scorer.alignment import EDITS, SCLITE, Counts, Pairs, align, align_weighted, count
from unispeech_cli.scorer.glm import Glm, Word
from unispeech_cli.scorer.normalization import Sides, TextSettings, is_scored, sides
from unispeech_cli.scorer.rates import Rate

# the measure of the detailed reports is the first that can be had
MEASURES = ("WER", "CER", "PER")


@dataclass(frozen=True)
class Manner:
    """How both sides are written and held against each other; `sclite`: alignments as NIST's sclite makes them."""

    text: TextSettings = field(default_factory=TextSettings)
    glm: Glm | None = None
    sclite: bool = False


@dataclass(frozen=True)
class Aligned:
    """One utterance in one measure. An optional word that was not said stands on both sides, in parentheses."""

    hypothesis: Hypothesis
    pairs: Pairs

    @property
    def counts(self) -> Counts:
        return count(self.pairs)

    @property
    def rate(self) -> Rate:
        return Rate(self.counts, 1, self.hypothesis.duration)


def aligned(hypotheses: Sequence[Hypothesis], units: Units, manner: Manner) -> dict[str, list[Aligned]]:
    """Utterances with a reference, by measure; the measure of the detailed reports first.

    Words where they were decoded, then phones where those are the units; a measure without any reference is left
    out, and so are utterances that the corpus does not want scored. Characters count the spaces between words.
    """
    found: dict[str, list[Aligned]] = {measure: [] for measure in MEASURES}
    for hypothesis in filter(is_scored, hypotheses):
        for measure, pairs in _measured(hypothesis, units, manner):
            found[measure].append(Aligned(hypothesis, pairs))
    return {measure: some for measure, some in found.items() if some}


def _measured(hypothesis: Hypothesis, units: Units, manner: Manner) -> Iterator[tuple[str, Pairs]]:
    if units == "phones" and hypothesis.ref is not None:
        yield "PER", _align(hypothesis.ref, hypothesis.tokens, manner.sclite)
    if words := sides(hypothesis, manner.text, manner.glm):
        pairs, ref = _align_words(words, manner.sclite)
        yield "WER", pairs
        yield "CER", _align(list(" ".join(ref)), list(" ".join(words.hyp)), manner.sclite)


def _align(ref: Sequence[str], hyp: Sequence[str], sclite: bool) -> Pairs:
    if not sclite:
        return align(ref, hyp)
    positions = align_weighted(ref, hyp, SCLITE)
    return [(None if r is None else ref[r], None if h is None else hyp[h]) for r, h in positions]


def _align_words(words: Sides, sclite: bool) -> tuple[Pairs, list[str]]:
    """Pairs of words, and the reference without optional words that were not said."""
    ref, optional = [word.text for word in words.ref], [word.optional for word in words.ref]
    if not any(optional):
        return _align(ref, words.hyp, sclite), ref
    positions = align_weighted(ref, words.hyp, SCLITE if sclite else EDITS, optional)
    said = [ref[r] for r, h in positions if r is not None and not (h is None and optional[r])]
    return [_pair(words.ref, words.hyp, r, h) for r, h in positions], said


def _pair(
    ref: Sequence[Word], hyp: Sequence[str], r: int | None, h: int | None
) -> tuple[str | None, str | None]:
    if r is not None and h is None and ref[r].optional:
        return f"({ref[r].text})", f"({ref[r].text})"
    return None if r is None else ref[r].text, None if h is None else hyp[h]
