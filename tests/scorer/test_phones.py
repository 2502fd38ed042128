import pytest

from unispeech_cli.scorer.phones import CLASSES, phones

pytestmark = pytest.mark.panphon


@pytest.mark.parametrize(
    ("kind", "symbols"),
    [
        ("vowel", "i a ə ɜː ã aɪ oʊ ɜːɹ ᵻ ɚ ə˥ ai2 ˈe"),
        ("plosive", "p b t d k g ɡ q ʔ tʰ pʲ ɟ"),
        ("affricate", "tʃ dʒ ts tɕ tɕh t͡ʃ"),
        ("fricative", "f s ʃ x h ɦ ð ɬ ɕː ʁ"),
        ("nasal", "m n ɲ ŋ n̩ nʲ"),
        ("lateral", "l ʎ ɫ l̩"),
        ("trill or tap", "r ɾ ʀ rʲ"),
        ("approximant", "j w ɹ ɥ ʋ"),
        ("other", "t[ dZ (en) <unk> ts. 1 sp1 ˥"),
    ],
)
def test_phones_have_the_class_of_their_features(kind: str, symbols: str) -> None:
    assert {symbol: phones().phone(symbol).kind for symbol in symbols.split()} == dict.fromkeys(
        symbols.split(), kind
    )
    assert kind in CLASSES


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [
        ("p", "p", 0),
        # voice alone, of 24 features
        ("p", "b", 1 / 24),
        ("b", "p", 1 / 24),
        # length alone
        ("a", "aː", 1 / 24),
        # voice, and half a feature for each of the two segments that are meant to be one
        ("tʃ", "dʒ", 1 / 24),
        ("t[", "t[", 0),
        ("t[", "t", 1),
        ("t[", "d[", 1),
    ],
)
def test_the_distance_is_the_share_of_features_that_differ(first: str, second: str, distance: float) -> None:
    assert phones().distance(first, second) == pytest.approx(distance)


def test_like_is_nearer_than_unlike() -> None:
    near, far = phones().distance("s", "ʃ"), phones().distance("s", "a")
    assert 0 < near < 0.2 < far <= 1
