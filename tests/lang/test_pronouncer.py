"""Words that a lexicon lacks, spoken as the lang directory's own words are."""

from pathlib import Path

import pytest

from unispeech_cli.lang import directory, subwords
from unispeech_cli.lang.directory import Means
from unispeech_cli.lang.lexicon import Pronunciations
from unispeech_cli.lang.pronouncer import Pronouncer
from unispeech_cli.lang.subwords import Subwords, SubwordSettings
from unispeech_cli.lang.tokens import TokenTable, Vocabulary
from unispeech_cli.lang.units import PhonemizeSettings, Units
from unispeech_cli.paths import LangDir


def made(
    root: Path,
    units: Units,
    table: TokenTable,
    voices: dict[str, str],
    *,
    vocab: Vocabulary = "shared",
    lexicon: Path | None = None,
    model: Subwords | None = None,
    lexicon_of: Pronunciations | None = None,
) -> Pronouncer:
    """The pronouncer of a lang directory as phonemize writes it."""
    means = Means(units, vocab, lexicon, None, PhonemizeSettings())
    wanted = {**means.describe([]), "voices": voices}
    directory.write(LangDir(root), table, lexicon_of or {}, model, wanted)
    return Pronouncer.of(LangDir(root), table)


def test_espeak_speaks_with_the_voice_of_the_directory(tmp_path: Path) -> None:
    table = TokenTable(("<blk>", *"a e i o s t k l n".split()))
    pronouncer = made(tmp_path / "lang", "phones", table, {"es": "es"})
    found, mute = pronouncer.pronounce(["casa", "tan", "jota"])
    assert found == {"casa": [("k", "a", "s", "a")], "tan": [("t", "a", "n")]}
    assert mute == {"jota": "not in tokens.txt: x"}


def test_lexicon_file_of_the_directory_is_asked_and_must_be_the_same(tmp_path: Path) -> None:
    lexicon = tmp_path / "cmudict.txt"
    lexicon.write_text("TEA T IY\nEITHER IY DH ER\nEITHER(2) AY DH ER\n")
    table = TokenTable(("<blk>", "AY", "DH", "ER", "IY"))
    pronouncer = made(tmp_path / "lang", "phones", table, {"en": "cmudict.txt"}, lexicon=lexicon)
    found, mute = pronouncer.pronounce(["either", "tea", "two"])
    assert found == {"either": [("IY", "DH", "ER"), ("AY", "DH", "ER")]}
    assert mute == {"tea": "not in tokens.txt: T", "two": "no pronunciation"}
    lexicon.write_text("TEA T IY\n")
    with pytest.raises(ValueError, match=r"cmudict\.txt is not what it was when the lang directory was made"):
        Pronouncer.of(LangDir(tmp_path / "lang"), table)


def test_letters_of_each_language_of_separate_inventories(tmp_path: Path) -> None:
    table = TokenTable(("<blk>", "es:n", "es:o", "es:|", "it:n", "it:o", "it:ò", "it:|"))
    pronouncer = made(
        tmp_path / "lang", "letters", table, dict.fromkeys(["es", "it"], "letters"), vocab="separate"
    )
    found, mute = pronouncer.pronounce(["no", "nò", "si"])
    assert found == {"no": [("es:n", "es:o"), ("it:n", "it:o")], "nò": [("it:n", "it:ò")]}
    assert mute == {"si": "not in tokens.txt: it:s it:i"}


def test_pieces_of_the_directorys_model(tmp_path: Path) -> None:
    model = subwords.train(["tin tan ton"] * 20, SubwordSettings(size=12))
    table = TokenTable(("<blk>", *model.units))
    pronouncer = made(tmp_path / "lang", "bpe", table, {"en": "subwords"}, model=model)
    found, mute = pronouncer.pronounce(["nit", "cat"])
    assert [*found] == ["nit"]
    assert "".join(found["nit"][0]) == "▁nit"
    assert mute == {"cat": "not in tokens.txt: <unk>"}


def test_directory_made_elsewhere_spells_letters_and_says_no_phones(tmp_path: Path) -> None:
    lang = LangDir(tmp_path)
    assert Pronouncer.of(lang, TokenTable(("<blk>", "a", "|"))).pronounce(["aa"])[0] == {"aa": [("a", "a")]}
    assert Pronouncer.of(lang, TokenTable(("<blk>", "a"))).pronounce(["aa"]) == (
        {},
        {"aa": "no pronunciation"},
    )
