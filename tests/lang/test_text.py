"""Transcripts as corpora hold them, and the one form they are brought to."""

import unicodedata

import pytest

from unispeech_cli.lang.text import base_language, languages, normalize, words

SENTENCES = [
    ("en", "“Don’t panic — it’s a TED-talk,” he said.", "don't panic it's a ted talk he said"),
    ("en", "THE DOGS' OWNERS, 'CAUSE OF RAIN", "the dogs owners cause of rain"),
    ("en", "It cost 1,000 pounds & 3½ pence at 10:30.", "it cost 1000 pounds and 3 1 2 pence at 10 30"),
    ("es", "¿Qué hará el señor O'Connor, pingüino? ¡Año!", "qué hará el señor oconnor pingüino año"),
    ("fr", "L’eau d'ici, refuse‑t‑il – « c’est » l’œuvre -là ?", "l'eau d'ici refuse-t-il c'est l'œuvre là"),
    ("it", "L’acqua è un po' fredda; perché?", "l'acqua è un po fredda perché"),
    ("ky", "— Өзүң „келдиңби“? Ооба, XIX кылымда.", "өзүң келдиңби ооба xix кылымда"),
    ("nl", "'s Avonds eet zo’n 'kind' foto's, 't is waar.", "'s avonds eet zo'n kind foto's 't is waar"),
    ("nl", "Hij zei: 'stop'", "hij zei stop"),
    ("ru", "За́мок — это кто-то: ёлка, Й!", "замок это кто то ёлка й"),
    ("sv-SE", 'Är det "fru" O\'Connor, Åsa?', "är det fru oconnor åsa"),
    ("tt", "XXI гасыр — Казан’да, I сыйныф.", "xxi гасыр казанда i сыйныф"),
    ("tt", "IŞIK İdel", "ışık idel"),
    ("tr", "Işık İstanbul'da; IĞDIR iyi.", "ışık istanbul'da ığdır iyi"),
    ("az", "İLIQ", "ilıq"),
    ("de", "Straße: „Geht’s?“ GROẞ 1.000 Euro", "straße geht's groß 1000 euro"),
    ("zh-CN", "你好，世界！ 我 在 北京 TED talk 吗？", "你好世界我在北京 ted talk 吗"),
    ("zh", "我有1,000元。", "我有1000元"),
    ("ca", "El col·legi d'estiu", "el col·legi d'estiu"),
    ("hi", "नमस्ते, दुनिया!", "नमस्ते दुनिया"),
    ("uz", "O‘zbekiston, ma’no", "o'zbekiston ma'no"),
]


@pytest.mark.parametrize(("language", "text", "expected"), SENTENCES)
def test_sentences(language: str, text: str, expected: str) -> None:
    assert normalize(text, language) == expected


@pytest.mark.parametrize(("language", "text"), [(language, text) for language, text, _ in SENTENCES])
def test_twice_is_once(language: str, text: str) -> None:
    once = normalize(text, language)
    assert normalize(once, language) == once


@pytest.mark.parametrize("language", ["en", "tr", "zh", "xx"])
@pytest.mark.parametrize(
    "text", ["", "   ", "...!? — «»", "👍️ ☎", "[NOISE] <unk> {BREATH}", "' - '", "\u200b\ufeff"]
)
def test_symbols_only_is_nothing(language: str, text: str) -> None:
    assert normalize(text, language) == ""


def test_tedlium_noises_go_and_clitics_are_joined() -> None:
    text = "it 's [NOISE] what they do n't <unk> see we 'll {COUGH} go"
    assert normalize(text, "en") == "it's what they don't see we'll go"


def test_decomposed_letters_are_composed() -> None:
    text = "Йод ёлка"
    assert normalize(unicodedata.normalize("NFD", text), "ru") == normalize(text, "ru") == "йод ёлка"


def test_every_apostrophe_is_the_same() -> None:
    written = {normalize(f"l{mark}eau", "fr") for mark in "'’‘`´ʼ′"}
    assert written == {"l'eau"}


def test_digits_of_every_kind_stay() -> None:
    assert normalize("2 x² Ⅻ ٣", "en") == "2 x 2 xii ٣"


def test_an_unknown_language_gets_the_generic_rule() -> None:
    assert "xx" not in languages()
    assert normalize("K'íche' — ÇA-VA!", "xx") == "k'íche ça va"


@pytest.mark.parametrize(
    ("code", "base"), [("sv-SE", "sv"), ("zh_CN", "zh"), ("en", "en"), ("rm-sursilv", "rm")]
)
def test_regions_share_the_rule_of_their_language(code: str, base: str) -> None:
    assert base_language(code) == base


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [("en", "it's so", ["it's", "so"]), ("zh-CN", "你好 ted 吗", ["你", "好", "ted", "吗"]), ("xx", "", [])],
)
def test_words(language: str, text: str, expected: list[str]) -> None:
    assert words(text, language) == expected
