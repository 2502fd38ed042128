"""Vocabularies of other toolkits -> our token table, in which blank is 0, and the order that leads back.

A symbol keeps its name where it can; `<s>`, `</s>` and `<unk>`, which these models can put out, are tokens like any.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unispeech_cli.lang.tokens import BLANK, TokenTable, language_first
from unispeech_cli.lang.units import WORD_BOUNDARY

# what a transformers tokenizer keeps beside the weights
TOKENIZER_FILES = ("vocab.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
# fairseq's own, in the order in which it adds them
_FAIRSEQ_SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
# models are often a little wider than their vocabulary: so many outputs without a symbol are let pass
_UNNAMED = 4


@dataclass(frozen=True)
class Vocabulary:
    """Their symbols by their ids (None: an output without one), and which of them is the CTC blank."""

    symbols: tuple[str | None, ...]
    blank: int
    # what stands between words, where that has a symbol
    boundary: str = WORD_BOUNDARY

    @property
    def order(self) -> list[int]:
        """Our id of their id 0, of their id 1 ...: blank is moved to the front."""
        return [0 if i == self.blank else i + (i < self.blank) for i in range(len(self.symbols))]

    def table(self) -> TokenTable:
        """Our table. What cannot be a symbol of ours (none, spaces, one that comes twice) is named by its id."""
        named = [BLANK]
        for index, symbol in enumerate(self.symbols):
            if index != self.blank:
                named.append(self._name(index, symbol, named))
        return TokenTable(tuple(named))

    def _name(self, index: int, symbol: str | None, taken: Sequence[str]) -> str:
        name = language_first(symbol or "")
        if symbol == self.boundary and WORD_BOUNDARY not in self.symbols:
            name = WORD_BOUNDARY
        return name if name.split() == [name] and name not in taken else f"<{index}>"


def hub_vocabulary(files: Mapping[str, str], outputs: int, pad: int | None, place: Path) -> Vocabulary:
    """The vocabulary of a transformers tokenizer, by the names of its files, for a model of `outputs`.

    `pad` is the model's own opinion on which output is the blank, for tokenizers that do not say it.
    Raises ValueError naming `place` where the vocabulary is not that of such a model.
    """
    parts = {name: _json(place / name, text) for name, text in files.items()}
    config, special = parts.get("tokenizer_config.json", {}), parts.get("special_tokens_map.json", {})
    ids = _ids(place, parts)
    by_id = {index: symbol for symbol, index in ids.items()}
    symbols = tuple(by_id.get(index) for index in range(outputs))
    if symbols.count(None) > _UNNAMED:
        named = outputs - symbols.count(None)
        raise ValueError(
            f"{place}: {named} symbols for {outputs} outputs; this is another model's vocabulary"
        )
    blank = ids.get(_content(special.get("pad_token", config.get("pad_token", "<pad>"))), pad)
    if blank is None or not 0 <= blank < outputs:
        raise ValueError(f"{place}: no pad_token among the symbols of {outputs} outputs; it is the CTC blank")
    return Vocabulary(symbols, blank, _content(config.get("word_delimiter_token")) or WORD_BOUNDARY)


def fairseq_vocabulary(path: Path, outputs: int) -> Vocabulary:
    """The vocabulary of a dict.txt, or of UniSpeech's JSON; `<s>` is the blank.

    fairseq puts its special symbols before those of a dict.txt; UniSpeech's fork puts them behind those of a
    JSON, which count in the order of the file. Raises ValueError for another number than `outputs`.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no dictionary {path}")
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        symbols = [*_json(path, text), *_FAIRSEQ_SPECIALS]
    else:
        symbols = [*_FAIRSEQ_SPECIALS, *(line.rpartition(" ")[0] for line in text.splitlines() if line)]
    return fairseq_symbols(list(dict.fromkeys(symbols)), outputs, path)


def fairseq_symbols(symbols: Sequence[str], outputs: int, place: Path) -> Vocabulary:
    """The vocabulary of fairseq's dictionary as it is. Raises ValueError for another number than `outputs`."""
    if len(symbols) != outputs or _FAIRSEQ_SPECIALS[0] not in symbols:
        raise ValueError(
            f"{place}: {len(symbols)} symbols, fairseq's special ones with them; the model has {outputs} outputs"
        )
    return Vocabulary(tuple(symbols), symbols.index(_FAIRSEQ_SPECIALS[0]))


def _ids(place: Path, parts: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    ids = dict(parts["vocab.json"])
    if any(isinstance(index, dict) for index in ids.values()):
        raise ValueError(f"{place}: vocabularies by language go with adapters, which are not read")
    if not all(isinstance(index, int) for index in ids.values()) or len(set(ids.values())) < len(ids):
        raise ValueError(f"{place}: expected symbol -> id in vocab.json, each id once")
    decoder = parts.get("tokenizer_config.json", {}).get("added_tokens_decoder", {})
    more = {_content(token): int(index) for index, token in decoder.items()}
    taken = set(ids.values())
    for symbol, index in {**parts.get("added_tokens.json", {}), **more}.items():
        if symbol not in ids and index not in taken:
            ids[symbol] = index
    return ids


def _content(token: Any) -> Any:
    """A special token is a string, or a dictionary around one."""
    return token.get("content") if isinstance(token, Mapping) else token


def _json(path: Path, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: expected names and values")
    return found
