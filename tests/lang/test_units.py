"""Transcripts -> units by Labeller: what is kept, what is refused, and what is gathered."""

from pathlib import Path

import pytest

from unispeech_cli.corpora.clip import Dropped
from unispeech_cli.lang.lexicon import read_lexicon, write_lexicon
from unispeech_cli.lang.subwords import SubwordSettings, train
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.lang.units import Labeller, PhonemizeSettings, Source, Transcript, open_voice


def labelled(
    labeller: Labeller, text: str, language: str = "es", samples: int = 128_000
) -> list[str] | Dropped:
    said = Transcript("cut", samples, language, text)
    return labeller.label(said, labeller.speak([said])[0])


def speller(pinned: TokenTable | None = None, **settings: object) -> Labeller:
    return Labeller(Source("letters"), PhonemizeSettings(**settings), "shared", pinned)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("samples", "max_speed", "frames"),
    [
        # a a b: three labels and a blank between the two a are four frames, 400 + 3 * 320 samples
        (1360, 1.0, None),
        (1359, 1.0, "3 frames, 4 are needed"),
        (1360, 1.1, "3 frames at speed 1.1, 4 are needed"),
        (1496, 1.1, None),
        (399, 1.0, "0 frames, 4 are needed"),
    ],
)
def test_what_ctc_cannot_align_is_refused(samples: int, max_speed: float, frames: str | None) -> None:
    made = labelled(speller(max_speed=max_speed), "aab", samples=samples)
    refused = frames and Dropped("cut", "too short for its transcript", frames)
    assert made == (refused or ["a", "a", "b"])


def test_symbols_only_are_refused_without_asking_a_voice() -> None:
    made = labelled(speller(), "")
    assert isinstance(made, Dropped) and made.reason == "no words in the transcript"


def test_languages_keep_their_places_in_a_mixed_block() -> None:
    labeller = Labeller(Source("phones"), PhonemizeSettings(), "separate", None)
    block = [("es", "la"), ("ky", "абдан"), ("es", ""), ("es", "el perro"), ("ky", "иши")]
    transcripts = [Transcript(str(n), 128_000, *said) for n, said in enumerate(block)]
    spoken = [" ".join(one.phones) for one in labeller.speak(transcripts)]
    assert spoken == ["l a", "ɑ b d[ ɑ n", "", "e l p e r o", "i S i"]


PINNED = TokenTable(("<blk>", "a", "l"))
WITH_UNK = TokenTable(("<blk>", "a", "l", "<unk>"))


def test_units_that_a_pinned_inventory_lacks_are_refused_and_counted() -> None:
    labeller = speller(PINNED)
    assert labelled(labeller, "lolaz") == Dropped("cut", "units not in the inventory", "o z")
    assert labelled(labeller, "oo") == Dropped("cut", "units not in the inventory", "o")
    assert labelled(labeller, "la") == ["l", "a"]
    assert labeller.unknown["unit"] == {("es", "o"): 3, ("es", "z"): 1}
    assert labeller.table() == PINNED


def test_they_may_become_unk() -> None:
    labeller = speller(WITH_UNK, unknown_units="unk")
    assert labelled(labeller, "lola") == ["l", "<unk>", "l", "a"]
    assert labeller.unknown["unit"] == {("es", "o"): 1}
    assert labeller.table() == WITH_UNK
    with pytest.raises(ValueError, match="the inventory has no <unk>"):
        speller(PINNED, unknown_units="unk")


def test_two_unks_in_a_row_need_a_blank_between_them() -> None:
    labeller = speller(WITH_UNK, unknown_units="unk")
    assert isinstance(labelled(labeller, "xy", samples=400 + 320), Dropped)
    assert labelled(labeller, "xy", samples=400 + 2 * 320) == ["<unk>", "<unk>"]


@pytest.mark.parametrize(
    ("pinned", "added"), [(PINNED, ("b", "o")), (TokenTable(("<blk>", "es:l")), ("es:b", "es:o"))]
)
def test_they_may_extend_the_inventory(pinned: TokenTable, added: tuple[str, ...]) -> None:
    labeller = speller(pinned, unknown_units="extend")
    assert labelled(labeller, "lobo") == ["l", "o", "b", "o"]
    assert labeller.table().symbols == (*pinned.symbols, *added)


def test_words_that_a_lexicon_lacks_are_refused_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "lexicon.txt"
    write_lexicon(path, {"la": [("l", "a"), ("l", "ɐ")], "sal": [("s", "a", "l")]})
    labeller = Labeller(Source("phones", lexicon=path), PhonemizeSettings(), "shared", None)
    assert labelled(labeller, "la sal") == ["l", "a", "s", "a", "l"]
    assert labelled(labeller, "la mar la mar") == Dropped("cut", "words not in the lexicon", "mar mar")
    assert labeller.unknown["word"] == {("es", "mar"): 2}
    # ɐ was never spoken: no model of this inventory could say it
    assert labeller.lexicon(labeller.table()) == {"la": [("l", "a")], "sal": [("s", "a", "l")]}


@pytest.mark.parametrize(("most", "variants"), [(4, [("l", "e"), ("l", "e", "z")]), (1, [("l", "e")])])
def test_the_lexicon_has_words_as_they_were_spoken(most: int, variants: list[tuple[str, ...]]) -> None:
    labeller = Labeller(Source("phones"), PhonemizeSettings(pronunciations=most), "shared", None)
    for text in ("les mots", "les amis", "les gens"):
        assert labelled(labeller, text, "fr")
    assert labeller.lexicon(labeller.table())["les"] == variants


def test_subwords_and_letters_pronounce_words_as_they_spell_them() -> None:
    model = train(["la casa blanca", "la sal", "el sol"], SubwordSettings(size=16))
    voice = open_voice(Source("bpe", model=model), "es", "remove")
    assert voice.pronounce(["la"]) == [[tuple(model.encode("la"))]]
    assert open_voice(Source("letters"), "es", "remove").pronounce(["la"]) == [[("l", "a")]]


def test_a_language_without_spaces_has_a_lexicon_of_characters() -> None:
    labeller = speller()
    assert labelled(labeller, "你好", "zh-CN") == ["你", "好"]
    assert labeller.lexicon(labeller.table()) == {"你": [("你",)], "好": [("好",)]}


def test_the_written_lexicon_is_read_back(tmp_path: Path) -> None:
    labeller = speller()
    labelled(labeller, "la sal")
    made = labeller.lexicon(labeller.table())
    write_lexicon(tmp_path / "lexicon.txt", made)
    assert read_lexicon(tmp_path / "lexicon.txt") == made
