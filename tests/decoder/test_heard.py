import pytest
from lhotse import MonoCut, Recording, SupervisionSegment

from unispeech_cli.decoder.heard import Vocabulary, hypothesis, joined
from unispeech_cli.decoder.search import BestPath
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.lang.units import Units

PHONES = TokenTable(("<blk>", "es:a", "es:k", "es:ʎ"))
WORDS, LEXICON = ("<eps>", "ka", "a"), {"ka": [("es:k", "es:a")], "a": [("es:a",)]}


RECORDING = Recording("r", sources=[], sampling_rate=16_000, num_samples=80_000, duration=5.0)


def heard(path: BestPath, vocabulary: Vocabulary) -> tuple[object, object]:
    found = hypothesis(MonoCut("c", 2.0, 3.0, 0, recording=RECORDING), path, vocabulary)
    return found.words, found.word_times


def test_words_of_a_graph_have_the_times_of_their_phones() -> None:
    path = BestPath((2, 1, 1), (0, 10, 20), (4, 11, 20), -1.0, words=(1, 2))
    words, times = heard(path, Vocabulary(PHONES, "phones", WORDS, LEXICON))
    assert (words, times) == (("ka", "a"), ((0.0, 0.24), (0.4, 0.02)))


def test_where_phones_are_not_those_of_the_words_the_time_is_shared() -> None:
    path = BestPath((3, 3), (0, 9), (0, 9), -1.0, words=(1, 2))
    words, times = heard(path, Vocabulary(PHONES, "phones", WORDS, LEXICON))
    assert (words, times) == (("ka", "a"), ((0.0, 0.1), (0.1, 0.1)))


@pytest.mark.parametrize(
    ("words", "expected"), [((), None), (WORDS, ())], ids=["without a lexicon", "a search that fell back"]
)
def test_phones_alone_are_no_words(words: tuple[str, ...], expected: object) -> None:
    path = BestPath((2, 1), (0, 1), (0, 1), -1.0)
    assert heard(path, Vocabulary(PHONES, "phones", words)) == (expected, ())


@pytest.mark.parametrize(
    ("custom", "expected"),
    [
        ({"text_norm": "l'eau", "tokens_type": "letters", "letters": "l e a u"}, ("l'eau",)),
        ({"tokens_type": "letters", "letters": "l a | e"}, ("la", "e")),
        ({"text_norm": ""}, ()),
        (None, None),
    ],
)
def test_words_of_the_reference_are_its_normalised_text(
    custom: dict[str, str] | None, expected: tuple[str, ...] | None
) -> None:
    said = SupervisionSegment("s", "r", 0.0, 3.0, text="L'eau!", language="fr", custom=custom)
    letters: Units = "letters"
    table = TokenTable(("<blk>", "|", "a", "e"))
    found = hypothesis(
        MonoCut("c", 0.0, 3.0, 0, [said], recording=RECORDING),
        BestPath((), (), (), 0.0),
        Vocabulary(table, letters),
    )
    assert (found.ref_words, found.ref_text, found.language) == (expected, "L'eau!", "fr")


def test_parts_of_a_recording_are_joined_at_their_frames() -> None:
    parts = [(0, BestPath((1,), (2,), (3,), -1.0, (1,))), (50, BestPath((2, 1), (0, 9), (1, 9), -2.5, (2,)))]
    assert joined(parts) == BestPath((1, 2, 1), (2, 50, 59), (3, 51, 59), -3.5, (1, 2))
    assert joined([]) == BestPath((), (), (), 0)
