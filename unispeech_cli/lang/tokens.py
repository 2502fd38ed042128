"""The token table: units <-> ids, blank is 0; one inventory for all languages or one for each (`es:ʎ`)."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from unispeech_cli.atomic import write_text
from unispeech_cli.lang.text import base_language

Vocabulary = Literal["shared", "separate"]

BLANK = "<blk>"
UNKNOWN = "<unk>"
_OWNED = re.compile(r"[a-z]{2,3}:.+")
# (es)ʎ, but not the language-switch mark (es)
_RELEASED = re.compile(r"\(([a-z]{2,3})\)(.+)")
# blanks, sentence ends, disambiguation and padding of other toolkits; <unk> is kept
_FOREIGN = re.compile(r"<(?:blk|blank|eps|pad|s|/s|sos/eos)>|#\d+|madeupword\d+")
_SPECIAL = re.compile(r"<[^<>]+>")


@dataclass(frozen=True)
class TokenTable:
    """Symbols by id, `<blk>` first. Raises ValueError naming what is wrong with the symbols."""

    symbols: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.symbols or self.symbols[0] != BLANK:
            raise ValueError(f"a token table begins with {BLANK}, not with {self.symbols[:1] or 'nothing'}")
        bad = [symbol for symbol in self.symbols if not symbol or symbol.split() != [symbol]]
        if bad:
            raise ValueError(f"a token is text without spaces, not {bad[0]!r}")
        if len(self.ids) < len(self.symbols):
            repeated = next(s for i, s in enumerate(self.symbols) if self.ids[s] != i)
            raise ValueError(f"token {repeated!r} comes twice")

    def __len__(self) -> int:
        return len(self.symbols)

    @cached_property
    def ids(self) -> Mapping[str, int]:
        """Symbol -> id."""
        return {symbol: index for index, symbol in enumerate(self.symbols)}

    @cached_property
    def is_separate(self) -> bool:
        """Whether every unit belongs to one language, `es:ʎ`; `<...>` belong to all."""
        units = [symbol for symbol in self.symbols if not _SPECIAL.fullmatch(symbol)]
        return bool(units) and all(_OWNED.fullmatch(unit) for unit in units)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the symbols in their order."""
        return hashlib.sha256("\n".join(self.symbols).encode()).hexdigest()[:16]

    def symbol(self, unit: str, language: str | None) -> str:
        """How this table writes a unit of a language: `ʎ` is `es:ʎ` in separate inventories."""
        if not self.is_separate or _SPECIAL.fullmatch(unit):
            return unit
        if language is None:
            raise ValueError("this token table has units per language; the utterance has no language")
        return owned(unit, language)

    def missing(self, units: Iterable[str], language: str | None = None) -> list[str]:
        """The units that the table does not have, as it would write them, each once, in order."""
        symbols = (self.symbol(unit, language) for unit in units)
        return list(dict.fromkeys(symbol for symbol in symbols if symbol not in self.ids))

    def encode(self, units: Sequence[str], language: str | None = None) -> list[int]:
        """Units of one utterance -> ids. Raises ValueError naming every unit that the table does not have."""
        try:
            return [self.ids[self.symbol(unit, language)] for unit in units]
        except KeyError:
            missing = ", ".join(self.missing(units, language))
            raise ValueError(f"not in the token table: {missing}") from None

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Ids -> units without their language; blanks are not units and must be gone."""
        return [self._unit(self.symbols[index]) for index in ids]

    def language_ids(self, language: str) -> list[int]:
        """Ids that can occur in a language: blank, `<...>`, and its units (all where they are shared)."""
        if not self.is_separate:
            return list(range(len(self)))
        prefix = owned("", language)
        return [i for i, s in enumerate(self.symbols) if s.startswith(prefix) or _SPECIAL.fullmatch(s)]

    def extended(self, symbols: Iterable[str]) -> "TokenTable":
        """This table with further symbols behind it, sorted; ids that exist stay."""
        return TokenTable(self.symbols + tuple(sorted(set(symbols) - set(self.symbols))))

    def difference(self, other: "TokenTable") -> str | None:
        """One line naming what differs from another table; None when they are the same."""
        if self.symbols == other.symbols:
            return None
        here, there = set(self.symbols), set(other.symbols)
        if here == there:
            index = next(i for i, symbol in enumerate(self.symbols) if other.symbols[i] != symbol)
            names = f"{self.symbols[index]} and {other.symbols[index]}"
            return f"the same symbols in another order: id {index} is {names}"
        sides = {"first": here - there, "second": there - here}
        only = "; ".join(
            f"only in the {side}: {_listed(symbols)}" for side, symbols in sides.items() if symbols
        )
        return f"{len(self)} and {len(other)} symbols; {only}"

    def write(self, path: Path) -> None:
        """Write `symbol id` lines atomically."""
        write_text(path, "".join(f"{symbol} {index}\n" for index, symbol in enumerate(self.symbols)))

    def _unit(self, symbol: str) -> str:
        return symbol.partition(":")[2] if self.is_separate and _OWNED.fullmatch(symbol) else symbol


def owned(unit: str, language: str) -> str:
    """A unit of one language's own inventory; regions of a language share it."""
    return f"{base_language(language)}:{unit}"


def owner(symbol: str) -> str:
    """The language whose own inventory a symbol belongs to."""
    return symbol.partition(":")[0]


def language_first(symbol: str) -> str:
    """`(es)ʎ`, as the released vocabularies have it, is `es:ʎ` here."""
    return _RELEASED.sub(r"\1:\2", symbol)


def build(units: Mapping[str, Iterable[str]], vocab: Vocabulary, specials: Sequence[str] = ()) -> TokenTable:
    """A table of the units of every language, sorted, behind blank and `specials`."""
    if vocab == "separate":
        symbols = {owned(unit, language) for language, own in units.items() for unit in own}
    else:
        symbols = {unit for own in units.values() for unit in own}
    return TokenTable((BLANK, *specials, *sorted(symbols - {BLANK, *specials})))


def read(path: Path) -> TokenTable:
    """Read `symbol id` lines. Raises ValueError naming the line, FileNotFoundError."""
    if not path.is_file():
        raise FileNotFoundError(f"no token table {path}")
    symbols = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fields = line.split()
        if len(fields) != 2 or fields[1] != str(number - 1):
            raise ValueError(
                f"{path} line {number}: expected a symbol and the id {number - 1}, found {line!r}"
            )
        symbols.append(fields[0])
    try:
        return TokenTable(tuple(symbols))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def read_inventory(path: Path) -> tuple[TokenTable, list[str]]:
    """A pinned inventory as a table, and a line on each thing that was left out or renamed.

    Reads our or icefall's tokens.txt, a plain list of symbols, fairseq's dict.txt, and JSON of symbol -> id
    (Hugging Face's vocab.json, the released UniSpeech vocabularies, phonesMatches_reduced.json). Order is
    kept, blank comes first whatever it was called, `(es)ʎ` becomes `es:ʎ`.
    Raises ValueError where it is none of these.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no inventory {path}")
    text = path.read_text(encoding="utf-8")
    symbols = _json_symbols(path, text) if path.suffix == ".json" else _listed_symbols(path, text)
    kept = [symbol for symbol in symbols if symbol and not _FOREIGN.fullmatch(symbol)]
    notes = []
    if "" in symbols:
        notes.append(f"{path}: the empty symbol is left out")
    foreign = [symbol for symbol in symbols if _FOREIGN.fullmatch(symbol)]
    if foreign:
        notes.append(f"{path}: {' '.join(foreign)} left out, {BLANK} put first")
    renamed = [language_first(symbol) for symbol in kept]
    if renamed != kept:
        notes.append(f"{path}: units per language, (es)a read as es:a")
    try:
        return TokenTable((BLANK, *renamed)), notes
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _json_symbols(path: Path, text: str) -> list[str]:
    try:
        ids = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    if not isinstance(ids, dict) or not all(isinstance(index, int) for index in ids.values()):
        raise ValueError(f"{path}: expected JSON of symbol -> id")
    if len(set(ids.values())) < len(ids):
        raise ValueError(f"{path}: two symbols have the same id")
    return sorted(ids, key=lambda symbol: int(ids[symbol]))


def _listed_symbols(path: Path, text: str) -> list[str]:
    """The first column of a list, of `symbol id` lines or of fairseq's `symbol count` lines."""
    rows = [line.split() for line in text.splitlines() if line.strip()]
    wide = next((row for row in rows if len(row) > 2 or (len(row) == 2 and not row[1].isdigit())), None)
    if wide or not rows:
        raise ValueError(f"{path}: expected a symbol a line, or a symbol and a number, found {wide}")
    return [row[0] for row in rows]


def _listed(symbols: set[str], at_most: int = 8) -> str:
    names = sorted(symbols)
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return " ".join(names[:at_most]) + more
