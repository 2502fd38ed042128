import dataclasses
from typing import Any

import pytest

from unispeech_cli.decoder.hypotheses import Hypothesis
from unispeech_cli.scorer.glm import Word
from unispeech_cli.scorer.normalization import TextSettings, described, is_scored, sides

HEARD = Hypothesis(
    "a", "rec", 0.0, 1.0, 0, (), 0.0,
    language="en",
    words=("it's", "well-known"),
    ref_words=("it's", "well", "known"),
    ref_text="It 's (uh) {NOISE} well-known.",
)  # fmt: skip


def ref_and_hyp(**settings: Any) -> tuple[str, str]:
    found = sides(HEARD, TextSettings(**settings), None)
    assert found is not None
    return " ".join(f"({w.text})" if w.optional else w.text for w in found.ref), " ".join(found.hyp)


@pytest.mark.parametrize(
    ("settings", "ref", "hyp"),
    [
        ({}, "it's well known", "it's well-known"),
        ({"reference": "text"}, "it's (uh) well known", "it's well-known"),
        ({"reference": "verbatim"}, "It 's (uh) {NOISE} well-known.", "it's well-known"),
        ({"hyphens": "part"}, "it's well known", "it's well known"),
        ({"hyphens": "join"}, "it's well known", "it's wellknown"),
        ({"apostrophes": "remove"}, "its well known", "its well-known"),
        (
            {"reference": "verbatim", "case": "lower", "punctuation": "remove"},
            "it s (uh) noise well-known",
            "it's well-known",
        ),
        ({"optional": ("well",)}, "it's (well) known", "it's well-known"),
    ],
)
def test_words_are_written_as_the_settings_say(settings: dict[str, Any], ref: str, hyp: str) -> None:
    assert ref_and_hyp(**settings) == (ref, hyp)


def test_without_words_or_reference_there_is_nothing_to_score() -> None:
    assert sides(dataclasses.replace(HEARD, words=None), TextSettings(), None) is None
    assert sides(dataclasses.replace(HEARD, ref_words=None), TextSettings(), None) is None
    assert sides(dataclasses.replace(HEARD, ref_text=None), TextSettings(reference="text"), None) is None
    empty = sides(dataclasses.replace(HEARD, ref_words=()), TextSettings(), None)
    assert empty is not None and empty.ref == ()


def test_segments_that_the_corpus_does_not_want_scored_are_known() -> None:
    assert is_scored(HEARD)
    assert not is_scored(dataclasses.replace(HEARD, ref_text=" ignore_time_segment_in_scoring "))


def test_what_is_done_is_told_in_one_line() -> None:
    assert described(TextSettings(hyphens="part", optional=("uh", "um")), "en.glm") == (
        "reference text_norm, case keep, hyphens part, apostrophes keep, punctuation keep, optional uh um, glm en.glm"
    )
    assert Word("uh", True) != Word("uh")
