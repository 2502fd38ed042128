import json
from pathlib import Path

import pytest

from unispeech_cli.interop.vocabulary import Vocabulary, fairseq_vocabulary, hub_vocabulary

PLACE = Path("theirs")


def hub(outputs: int, pad: int | None = None, **files: object) -> Vocabulary:
    return hub_vocabulary(
        {f"{name}.json": json.dumps(value) for name, value in files.items()}, outputs, pad, PLACE
    )


def test_the_order_moves_blank_to_the_front_and_nothing_else() -> None:
    vocabulary = Vocabulary(("a", "b", "<pad>", "c"), 2)
    assert vocabulary.order == [1, 2, 0, 3]
    assert vocabulary.table().symbols == ("<blk>", "a", "b", "c")
    assert Vocabulary(("<pad>", "a"), 0).order == [0, 1]


def test_letters_with_bars_and_marks_are_tokens_like_any() -> None:
    found = hub(6, vocab={"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "E": 5})
    assert found.table().symbols == ("<blk>", "<s>", "</s>", "<unk>", "|", "E")


def test_another_pad_token_and_another_boundary_between_words() -> None:
    files = {
        "vocab": {"a": 0, " ": 1, "[UNK]": 2, "[PAD]": 3},
        "tokenizer_config": {"word_delimiter_token": " ", "pad_token": "no longer"},
        "special_tokens_map": {"pad_token": {"content": "[PAD]", "lstrip": False}},
    }
    found = hub(4, 0, **files)
    assert (found.blank, found.table().symbols) == (3, ("<blk>", "a", "|", "[UNK]"))


def test_tokens_added_later_and_outputs_that_nobody_names() -> None:
    # the vocabulary may go beyond the outputs: <s> and </s> often do
    added = {"added_tokens_decoder": {"2": {"content": "<pad>"}, "9": {"content": "<s>"}}}
    found = hub(5, vocab={"a": 0, "b": 1}, tokenizer_config=added, added_tokens={"</s>": 3})
    assert found.symbols == ("a", "b", "<pad>", "</s>", None)
    assert found.table().symbols == ("<blk>", "a", "b", "</s>", "<4>")


def test_what_cannot_be_a_symbol_here_is_named_by_its_id() -> None:
    found = hub(7, vocab={"<pad>": 0, "": 1, "a b": 2, "<blk>": 3, "(es)a": 4, "es:a": 5, "(es)": 6})
    assert found.table().symbols == ("<blk>", "<1>", "<2>", "<3>", "es:a", "<5>", "(es)")


def test_blank_by_the_model_where_the_tokenizer_does_not_know_it() -> None:
    assert hub(2, 1, vocab={"a": 0, "_": 1}).blank == 1
    for pad in (None, 2, -1):
        with pytest.raises(ValueError, match="theirs: no pad_token among the symbols of 2 outputs"):
            hub(2, pad, vocab={"a": 0, "_": 1})


@pytest.mark.parametrize("vocab", [{"a": 0, "b": 0}, {"a": "x"}, {"a": 1.5}])
def test_a_vocabulary_that_is_none(vocab: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"expected symbol -> id in vocab\.json"):
        hub(2, 0, vocab=vocab)


def test_fairseqs_text_has_its_marks_before_it_and_unispeechs_json_behind(tmp_path: Path) -> None:
    (tmp_path / "dict.txt").write_text("| 10\nE 5\n")
    found = fairseq_vocabulary(tmp_path / "dict.txt", 6)
    assert (found.blank, found.table().symbols) == (0, ("<blk>", "<pad>", "</s>", "<unk>", "|", "E"))
    # the order of the file counts there, not the numbers
    (tmp_path / "vocab.json").write_text('{"ʎ": 7, "a": 0}')
    found = fairseq_vocabulary(tmp_path / "vocab.json", 6)
    assert (found.blank, found.symbols) == (2, ("ʎ", "a", "<s>", "<pad>", "</s>", "<unk>"))
    assert found.order == [1, 2, 0, 3, 4, 5]


def test_a_dictionary_of_another_model(tmp_path: Path) -> None:
    (tmp_path / "dict.txt").write_text("| 10\nE 5\n")
    with pytest.raises(ValueError, match=r"dict\.txt: 6 symbols, .+ the model has 32 outputs"):
        fairseq_vocabulary(tmp_path / "dict.txt", 32)
    with pytest.raises(FileNotFoundError, match="no dictionary"):
        fairseq_vocabulary(tmp_path / "none.txt", 32)
