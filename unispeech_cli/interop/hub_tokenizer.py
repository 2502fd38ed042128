"""A token table as the files of transformers' tokenizers, so that ids become the text that we make of them."""

import json
from collections.abc import Mapping
from typing import Any

from unispeech_cli.lang.subwords import WORD_START
from unispeech_cli.lang.tokens import BLANK, UNKNOWN, TokenTable
from unispeech_cli.lang.units import WORD_BOUNDARY, Units, units_of

# what transformers calls blank: CTC models pad with it
PAD = "<pad>"
# their way to say "no limit"
_NO_LIMIT = int(1e30)


_CLASSES = {
    "letters": "Wav2Vec2CTCTokenizer",
    "phones": "Wav2Vec2PhonemeCTCTokenizer",
    "bpe": "PreTrainedTokenizerFast",
}


def tokenizer_class(table: TokenTable) -> str:
    """The tokenizer of transformers' that makes our text of ids."""
    return _CLASSES[_kind(table)]


def tokenizer_files(table: TokenTable) -> dict[str, str]:
    """vocab.json, tokenizer_config.json and more by name; blank becomes `<pad>`, ids stay.

    Letters and pieces come out as words. Phones, and letters of separate inventories, come out with spaces
    between, as the table writes them.
    """
    specials = {"pad_token": PAD, **({"unk_token": UNKNOWN} if UNKNOWN in table.ids else {})}
    vocab, kind = (
        {PAD if symbol == BLANK else symbol: index for symbol, index in table.ids.items()},
        _kind(table),
    )
    own = {"letters": _letters, "phones": _phones, "bpe": dict[str, Any]}[kind]()
    files = {
        "vocab.json": _json(vocab),
        "tokenizer_config.json": _json({**_common(table), **own}),
        "special_tokens_map.json": _json(specials),
    }
    return files | ({"tokenizer.json": _json(_pieces(vocab))} if kind == "bpe" else {})


def _kind(table: TokenTable) -> Units:
    """As `units_of`; letters that have no `|` in common are written apart, like phones."""
    kind = units_of(table)
    return "phones" if kind == "letters" and table.is_separate else kind


def _common(table: TokenTable) -> dict[str, Any]:
    return {
        "processor_class": "Wav2Vec2Processor",
        "tokenizer_class": tokenizer_class(table),
        "pad_token": PAD,
        "unk_token": UNKNOWN if UNKNOWN in table.ids else None,
        "bos_token": None,
        "eos_token": None,
        # it would join "do n't" to "don't"
        "clean_up_tokenization_spaces": False,
        "model_max_length": _NO_LIMIT,
    }


def _letters() -> dict[str, Any]:
    return {
        "word_delimiter_token": WORD_BOUNDARY,
        "replace_word_delimiter_char": " ",
        "do_lower_case": False,
    }


def _phones() -> dict[str, Any]:
    # with do_phonemize the tokenizer would load phonemizer and espeak-ng, although nothing is to be phonemized
    return {
        "phone_delimiter_token": " ",
        "word_delimiter_token": None,
        "do_phonemize": False,
    }


def _pieces(vocab: Mapping[str, int]) -> dict[str, Any]:
    """tokenizer.json, which makes text of pieces; to make pieces of text it would need the subword model."""
    collapsed = {"type": "CTC", "pad_token": PAD, "word_delimiter_token": WORD_BOUNDARY, "cleanup": False}
    spaced = {"type": "Replace", "pattern": {"String": WORD_START}, "content": " "}
    stripped = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
    return {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": [collapsed, spaced, {"type": "Fuse"}, stripped]},
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": UNKNOWN if UNKNOWN in vocab else PAD},
    }


def _json(tree: Any) -> str:
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"
