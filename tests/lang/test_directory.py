"""The lang directory: written whole, recognised, never overwritten."""

from pathlib import Path
from typing import Any

import pytest

from unispeech_cli.lang.directory import Means, is_made, write
from unispeech_cli.lang.lexicon import read_lexicon, read_words
from unispeech_cli.lang.tokens import TokenTable, read
from unispeech_cli.lang.units import PhonemizeSettings
from unispeech_cli.paths import LangDir

TABLE = TokenTable(("<blk>", "a", "l"))


def means(**changed: Any) -> Means:
    given = {"units": "letters", "vocab": "shared", "lexicon": None, "inventory": None}
    return Means(**{**given, "settings": PhonemizeSettings(), **changed})


def test_a_written_directory_is_recognised_by_what_made_it(tmp_path: Path) -> None:
    lang = LangDir(tmp_path / "lang")
    assert not is_made(lang, {"options": {"units": "letters"}})
    write(
        lang,
        TABLE,
        {"la": [("l", "a")]},
        None,
        {"options": {"units": "letters"}, "voices": {"es": "letters"}},
    )
    assert read(lang.tokens) == TABLE
    assert read_lexicon(lang.lexicon) == {"la": [("l", "a")]}
    assert read_words(lang.words)["la"] == 1
    assert is_made(lang, {"options": {"units": "letters"}})
    with pytest.raises(
        ValueError, match=r"other inputs \(options units: letters -> phones\).* name another --lang-dir"
    ):
        is_made(lang, {"options": {"units": "phones"}})


def test_a_directory_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lang").mkdir()
    lang = LangDir(tmp_path / "lang")
    assert not is_made(lang, {})
    (lang.root / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="holds something else than a lang directory"):
        is_made(lang, {})


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"units": "syllables"}, "--units syllables: choose from phones, letters, bpe"),
        ({"vocab": "joint"}, "--vocab joint: choose from shared, separate"),
        ({"units": "bpe", "vocab": "separate"}, "one subword model serves all languages"),
        ({"lexicon": Path("x")}, "--lexicon gives phones; --units letters needs none"),
    ],
)
def test_means_that_do_not_go_together_are_refused(changed: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        means(**changed)


def test_what_is_read_and_how_is_described(tmp_path: Path) -> None:
    cuts, lexicon = tmp_path / "cuts", tmp_path / "lexicon.txt"
    cuts.write_text("cuts")
    lexicon.write_text("a a")
    by_lexicon = means(units="phones", lexicon=lexicon).describe([cuts])
    assert set(by_lexicon["inputs"]) == {str(cuts), str(lexicon)}
    assert by_lexicon["versions"] == {}
    assert {"espeak-ng", "phonemizer"} == set(means(units="phones").describe([cuts])["versions"])
    assert by_lexicon["options"]["units"] == "phones" and by_lexicon["options"]["max_speed"] == 1.0
    with pytest.raises(FileNotFoundError, match=r"bpe\.model"):
        means(units="bpe", inventory=lexicon).describe([cuts])


def test_its_own_inventory_cannot_be_extended_in_place(tmp_path: Path) -> None:
    lang = LangDir(tmp_path)
    assert means(inventory=tmp_path / "." / "tokens.txt").keeps(lang)
    assert not means(inventory=tmp_path / "other.txt").keeps(lang) and not means().keeps(lang)
    with pytest.raises(ValueError, match="unknown_units is extend"):
        means(inventory=lang.tokens, settings=PhonemizeSettings(unknown_units="extend")).keeps(lang)
