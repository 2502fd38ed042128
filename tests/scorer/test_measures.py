import dataclasses
from pathlib import Path
from typing import Any

import pytest

from unispeech_cli.decoder.hypotheses import Hypothesis
from unispeech_cli.scorer.alignment import Counts
from unispeech_cli.scorer.measures import Manner, aligned
from unispeech_cli.scorer.normalization import TextSettings

GOLDEN = Path(__file__).parent.parent / "golden" / "sclite"


def heard(ref: str | None, hyp: str | None, **rest: Any) -> Hypothesis:
    words = {
        "ref_words": None if ref is None else tuple(ref.split()),
        "words": None if hyp is None else tuple(hyp.split()),
        "ref_text": ref,
    }
    tokens, phones = rest.pop("tokens", ()), rest.pop("phones", None)
    return Hypothesis("a", "rec", 0.0, 1.0, 0, tokens, 0.0, phones, language="en", **(words | rest))


def counts(hypothesis: Hypothesis, **manner: Any) -> dict[str, Counts]:
    found = aligned([hypothesis], "letters", Manner(**manner))
    return {measure: utterance.counts for measure, (utterance,) in found.items()}


def test_words_and_characters_with_spaces() -> None:
    found = counts(heard("le chat", "les chat"))
    assert found == {"WER": Counts(1, 1, 0, 0), "CER": Counts(7, 0, 0, 1)}


def test_phones_with_a_lexicon_have_both() -> None:
    hypothesis = heard("le", "la", tokens=("l", "a"), phones=("l", "ə"))
    assert list(aligned([hypothesis], "phones", Manner())) == ["WER", "CER", "PER"]
    assert list(aligned([heard(None, None, tokens=("l",), phones=("l",))], "phones", Manner())) == ["PER"]


def test_nothing_said_is_an_empty_reference_but_no_transcript_is_none() -> None:
    assert counts(heard("", "uh")) == {"WER": Counts(insertions=1), "CER": Counts(insertions=2)}
    assert counts(heard(None, "uh")) == {}


@pytest.mark.parametrize(("said", "errors"), [("so it is", 0), ("so uh it is", 0), ("so um it is", 1)])
@pytest.mark.parametrize("sclite", [False, True])
def test_an_optional_word_may_be_missing_in_words_and_characters(
    said: str, errors: int, sclite: bool
) -> None:
    found = counts(heard("so (uh) it is", said), text=TextSettings(reference="text"), sclite=sclite)
    assert found["WER"].errors == errors
    # NIST counts a word that was rightly left out as a word of the reference
    assert found["WER"].reference == 4
    assert found["CER"].errors == errors


def test_an_optional_word_left_out_is_shown_in_parentheses() -> None:
    (utterance,) = aligned([heard("(uh) so", "so")], "letters", Manner(TextSettings(reference="text")))["WER"]
    assert utterance.pairs == [("(uh)", "(uh)"), ("so", "so")]


def test_sclites_weights_prefer_words_that_are_right() -> None:
    # three substitutions, or two words right, two missing and two too many
    hypothesis = heard("a b c d", "c d x y")
    assert counts(hypothesis)["WER"].errors == 4
    assert counts(hypothesis, sclite=True)["WER"] == Counts(2, 0, 2, 2)


def test_segments_not_to_be_scored_are_left_out() -> None:
    assert counts(heard("ignore_time_segment_in_scoring", "hm")) == {}


def transcripts(name: str) -> dict[str, str]:
    """NIST's trn: words and then the id in parentheses."""
    lines = (GOLDEN / name).read_text(encoding="utf-8").splitlines()
    parted = (line.rpartition("(") for line in lines)
    return {utterance.rstrip(")"): words for words, _, utterance in parted}


@pytest.mark.parametrize("name", ["pairs", "optional"])
def test_each_of_1000_utterances_has_the_errors_that_sclite_finds(name: str) -> None:
    refs, hyps = transcripts(f"{name}.ref.trn"), transcripts(f"{name}.hyp.trn")
    scores = (GOLDEN / f"{name}.scores.tsv").read_text(encoding="utf-8").splitlines()[1:]
    theirs = {row[0]: Counts(*map(int, row[1:])) for row in (line.split("\t") for line in scores)}
    hypotheses = [dataclasses.replace(heard(ref, hyps[name]), id=name) for name, ref in refs.items()]
    manner = Manner(TextSettings(reference="verbatim"), sclite=True)
    ours = {some.hypothesis.id: some.counts for some in aligned(hypotheses, "letters", manner)["WER"]}
    assert len(theirs) == 1000
    assert ours == theirs
