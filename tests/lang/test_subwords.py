"""Subword units made of a few sentences."""

from pathlib import Path
from typing import Literal

import pytest

from unispeech_cli.lang.subwords import Subwords, SubwordSettings, train

SENTENCES = ["the cat sat on the mat", "a dog ran to the cat", "cats and dogs run", "rain in spain stays"] * 5


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_pieces_join_to_the_sentence(kind: Literal["bpe", "unigram"]) -> None:
    model = train(SENTENCES, SubwordSettings(kind=kind, size=30))
    pieces = model.encode("the dogs ran in rain")
    assert set(pieces) <= set(model.units)
    assert model.speak(["the dogs ran in rain"])[0].phones == pieces
    assert model.decode(pieces) == "the dogs ran in rain"
    assert "".join(pieces).replace("▁", " ").strip() == "the dogs ran in rain"


def test_units_have_unknown_first_and_no_sentence_ends() -> None:
    units = train(SENTENCES, SubwordSettings(size=30)).units
    assert len(units) == 30 and units[0] == "<unk>"
    assert not {"<s>", "</s>"} & set(units)


def test_training_is_deterministic_and_survives_the_disk(tmp_path: Path) -> None:
    settings = SubwordSettings(size=40)
    first, second = tmp_path / "first.model", tmp_path / "second.model"
    train(SENTENCES, settings).write(first)
    train(SENTENCES, settings).write(second)
    assert first.read_bytes() == second.read_bytes()
    assert Subwords.read(first).encode("the cat") == train(SENTENCES, settings).encode("the cat")


def test_unknown_characters_are_unknown_pieces() -> None:
    assert train(SENTENCES, SubwordSettings(size=30)).encode("the ж")[-1] == "<unk>"


def test_more_units_than_the_text_holds_gives_what_it_holds() -> None:
    assert 30 < len(train(SENTENCES, SubwordSettings(size=500)).units) < 500


@pytest.mark.parametrize(("sentences", "size"), [([], 30), (SENTENCES, 8)])
def test_too_little_text_or_too_few_units(sentences: list[str], size: int) -> None:
    with pytest.raises(ValueError, match=f"{size} bpe units cannot be made of this text: .+"):
        train(sentences, SubwordSettings(size=size))


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bpe.model"
    with pytest.raises(FileNotFoundError, match=r"no subword model .*bpe\.model"):
        Subwords.read(path)
    path.write_bytes(b"not a model")
    with pytest.raises(ValueError, match=r"bpe\.model is not a sentencepiece model"):
        Subwords.read(path)
