"""A token table as the files of transformers' tokenizers, so that ids become the text that we make of them."""

import json
from typing import Any

from unispeech_cli.lang.tokens import BLANK, UNKNOWN, TokenTable
from unispeech_cli.lang.units import WORD_BOUNDARY, units_of

# what transformers calls blank: CTC models pad with it
PAD = "<pad>"
# their way to say "no limit"
_NO_LIMIT = int(1e30)


def tokenizer_class(table: TokenTable) -> str:
    """The tokenizer of transformers' that makes our text of ids."""
    return "Wav2Vec2CTCTokenizer" if _spelled(table) else "Wav2Vec2PhonemeCTCTokenizer"


def tokenizer_files(table: TokenTable) -> dict[str, str]:
    """vocab.json, tokenizer_config.json and special_tokens_map.json by name; blank becomes `<pad>`, ids stay.

    Letters come out as words. Phones, pieces, and letters of separate inventories come out with spaces between,
    as the table writes them.
    """
    specials = {"pad_token": PAD, **({"unk_token": UNKNOWN} if UNKNOWN in table.ids else {})}
    vocab = {PAD if symbol == BLANK else symbol: index for symbol, index in table.ids.items()}
    return {
        "vocab.json": _json(vocab),
        "tokenizer_config.json": _json({**_common(table), **(_letters() if _spelled(table) else _phones())}),
        "special_tokens_map.json": _json(specials),
    }


def _spelled(table: TokenTable) -> bool:
    return units_of(table) == "letters" and not table.is_separate


def _common(table: TokenTable) -> dict[str, Any]:
    return {
        "processor_class": "Wav2Vec2Processor",
        "tokenizer_class": tokenizer_class(table),
        "pad_token": PAD,
        "unk_token": UNKNOWN if UNKNOWN in table.ids else None,
        "bos_token": None,
        "eos_token": None,
        # it would join "do not" to "don't"
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


def _json(tree: Any) -> str:
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"
