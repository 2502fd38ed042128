"""Sentences -> phones, beside what espeak-ng is known to say and what a lexicon file holds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from unispeech_cli.lang.phonemizer import Espeak, Lexicon, Spoken, versions, voice

VOICES = [
    "cmn",
    "de",
    "en-gb",
    "en-us",
    "es",
    "es-419",
    "fr-be",
    "fr-fr",
    "ky",
    "nb",
    "pt",
    "pt-br",
    "sv",
    "tr",
    "yue",
]


def phones(language: str, sentence: str) -> str:
    (spoken,) = Espeak(language).speak([sentence])
    return " | ".join(" ".join(word) for word in spoken.words)


@pytest.mark.parametrize(
    ("language", "sentence", "expected"),
    [
        ("es", "qué hará el señor del perro", "k e | a ɾ a | e l | s e ɲ o ɾ | ð e l | p e r o"),
        ("ky", "абдан жүрөктү жылытат", "ɑ b d[ ɑ n | dZ y r oe k t[ y | dZ ɯ l ɯ t[ ɑ t["),
        ("fr", "refuse-t-il l'œuvre", "ʁ ə f y z t i l | l œ v ʁ"),
        ("it", "l'acqua è fredda", "l a kː w a | e | f r e dː a"),
        ("sv-SE", "jag är", "j ɑː ɡ | ɛː r"),
        ("zh-CN", "你好世界", "n i2 χ ɑu2 | s. i.5 | tɕ iɛ5"),
    ],
)
def test_espeak_by_language(language: str, sentence: str, expected: str) -> None:
    assert phones(language, sentence) == expected


def test_sentences_keep_their_order_and_do_not_disturb_each_other() -> None:
    sentences = ["el perro", "la casa blanca", "el perro"]
    together = Espeak("es").speak(sentences)
    assert together == [Espeak("es").speak([sentence])[0] for sentence in sentences]


def test_digits_are_spoken() -> None:
    assert len(Espeak("en").speak(["31 dogs"])[0].words) == 3


def test_language_switch_flags_never_become_phones_unless_asked_for() -> None:
    sentence = "le weekend arrive"
    (removed,) = Espeak("fr").speak([sentence])
    (kept,) = Espeak("fr", language_switch="keep").speak([sentence])
    assert removed.switched and kept.switched
    assert [phone for phone in kept.phones if phone not in ("(en)", "(fr)")] == removed.phones
    assert {"(en)", "(fr)"} <= set(kept.phones)
    assert not Espeak("fr").speak(["la semaine arrive"])[0].switched


def test_what_cannot_be_spoken_has_no_phones() -> None:
    assert Espeak("es").speak(["'", "casa"])[0].phones == []


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("en", "en-us"),
        ("en-gb", "en-gb"),
        ("fr", "fr-fr"),
        ("zh-CN", "cmn"),
        ("zh_HK", "yue"),
        ("sv-SE", "sv"),
    ]
    + [("pt-BR", "pt-br"), ("de", "de")],
)
def test_voices(language: str, name: str) -> None:
    assert voice(language, VOICES) == name


def test_a_language_without_a_voice_names_near_ones() -> None:
    with pytest.raises(ValueError, match=r"no voice for language 'esx'; near: es, .*--lexicon"):
        voice("esx", VOICES)
    with pytest.raises(ValueError, match="no voice for language 'xq'"):
        Espeak("xq")


def test_versions_name_espeak() -> None:
    found = versions()
    assert found["espeak-ng"].startswith("1.") and found["phonemizer"]


def test_without_the_optional_packages_one_line_says_what_to_install(tmp_path: Path) -> None:
    tmp_path.joinpath("phonemizer.py").write_text("raise ImportError('gone')")
    code = "from unispeech_cli.lang.phonemizer import Espeak; Espeak('es')"
    path = os.pathsep.join([str(tmp_path), *sys.path])
    run = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert run.stderr.splitlines()[-1].endswith("pip install 'unispeech[phonemize]', or give --lexicon FILE")


def lexicon(folder: Path, text: str, language: str = "en") -> Lexicon:
    path = folder / "lexicon.txt"
    path.write_text(text, encoding="utf-8")
    return Lexicon(path, language)


def test_a_lexicon_speaks_its_first_pronunciation_and_names_what_it_lacks(tmp_path: Path) -> None:
    text = (
        ";;; comment\n<UNK> SPN\n!SIL SIL\nA  AH0\nA(2)  EY1\nDON’T D OW1 N T\nREAD\tR EH D\nREAD\tR IY D\n"
    )
    made = lexicon(tmp_path, text)
    spoken = made.speak(["don't read a", "a book read me"])
    assert spoken[0] == Spoken([["D", "OW1", "N", "T"], ["R", "EH", "D"], ["AH0"]])
    assert spoken[1] == Spoken([], unknown=("book", "me"))
    assert made.pronounce(["a", "read", "book"]) == [
        [("AH0",), ("EY1",)],
        [("R", "EH", "D"), ("R", "IY", "D")],
        [],
    ]


def test_a_lexicon_of_an_unspaced_script_is_looked_up_by_character(tmp_path: Path) -> None:
    assert lexicon(tmp_path, "你 n i3\n好 h ao3\n", "zh").speak(["你好"])[0].phones == ["n", "i3", "h", "ao3"]


def test_a_bad_lexicon_is_named_by_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"lexicon.txt line 2: word 'b' has no phones"):
        lexicon(tmp_path, "a AH\nb\n")
    with pytest.raises(ValueError, match=r"lexicon.txt has no entry"):
        lexicon(tmp_path, "\n")
    with pytest.raises(FileNotFoundError, match=r"no lexicon .*missing"):
        Lexicon(tmp_path / "missing", "en")
    tmp_path.joinpath("latin.txt").write_bytes("ä AH\n".encode("latin1"))
    with pytest.raises(ValueError, match="not UTF-8"):
        Lexicon(tmp_path / "latin.txt", "de")
