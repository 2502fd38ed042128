"""What an error rate counts: phones, words, or characters, of reference and hypothesis."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from unispeech_cli.decoder.hypotheses import Hypothesis
from unispeech_cli.lang.units import Units
from unispeech_cli.scorer.alignment import Counts, Pairs, align, count
from unispeech_cli.scorer.rates import Rate

MEASURES = ("WER", "CER", "PER")


@dataclass(frozen=True)
class Aligned:
    """One utterance in one measure."""

    hypothesis: Hypothesis
    pairs: Pairs

    @property
    def counts(self) -> Counts:
        return count(self.pairs)

    @property
    def rate(self) -> Rate:
        return Rate(self.counts, 1, self.hypothesis.duration)


def aligned(
    hypotheses: Sequence[Hypothesis], units: Units, *, sclite: bool = False
) -> dict[str, list[Aligned]]:
    """Utterances with a reference, by measure; the one of the detailed reports first.

    Words where they were decoded, then phones where those are the units; a measure without any reference is left
    out. Characters count the spaces between words.
    """
    found = {measure: list(_aligned(hypotheses, units, measure, sclite)) for measure in MEASURES}
    return {measure: some for measure, some in found.items() if some}


def _aligned(hypotheses: Sequence[Hypothesis], units: Units, measure: str, sclite: bool) -> Iterator[Aligned]:
    for hypothesis in hypotheses:
        sides = _phones(hypothesis, units) if measure == "PER" else _words(hypothesis)
        if sides is not None:
            ref, hyp = (_letters(side) if measure == "CER" else side for side in sides)
            yield Aligned(hypothesis, align(ref, hyp, sclite=sclite))


def _phones(hypothesis: Hypothesis, units: Units) -> tuple[Sequence[str], Sequence[str]] | None:
    if units != "phones" or hypothesis.ref is None:
        return None
    return hypothesis.ref, hypothesis.tokens


def _words(hypothesis: Hypothesis) -> tuple[Sequence[str], Sequence[str]] | None:
    if hypothesis.words is None or hypothesis.ref_words is None:
        return None
    return hypothesis.ref_words, hypothesis.words


def _letters(words: Sequence[str]) -> Sequence[str]:
    return list(" ".join(words))
