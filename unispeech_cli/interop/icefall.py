"""Graphs and symbols of a lang directory in icefall's files: k2's graphs as torch saves their dictionaries."""

import re
from pathlib import Path

import torch

from unispeech_cli.export_paths import ExportDir
from unispeech_cli.lang import graphs
from unispeech_cli.lang.lexicon import DISAMBIGUATION
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.lang.word_graph import compiled
from unispeech_cli.paths import GraphDir

NAMES = ("L", "L_disambig", "G", "HL", "HLG")
_DISAMBIGUATION = re.compile(r"#(\d+)$", re.MULTILINE)


def write_icefall(place: ExportDir, lang_dir: Path, lm: Path | None, table: TokenTable) -> list[str]:
    """Write L, L_disambig and HL, with a language model G and HLG, as `NAME.pt`, and the symbols; their names.

    In tokens.txt the disambiguation symbols stand behind the tokens, as L_disambig has them. Raises as
    `word_graph.word_graph` does.
    """
    made = compiled(lang_dir, lm)
    found = [name for name in NAMES if made.fst(name).is_file()]
    for name in found:
        torch.save(graphs.load(made.fst(name)).as_dict(), place.graph(name))
    for here, there in _texts(made, place).items():
        there.write_bytes(here.read_bytes())
    symbols = [*table.symbols, *_disambiguation(made)]
    lines = "".join(f"{symbol} {index}\n" for index, symbol in enumerate(symbols))
    place.tokens.write_text(lines, encoding="utf-8")
    return found


def _texts(made: GraphDir, place: ExportDir) -> dict[Path, Path]:
    return {
        made.words: place.words,
        made.lexicon: place.lexicon,
        made.lexicon_disambig: place.lexicon_disambig,
    }


def _disambiguation(made: GraphDir) -> list[str]:
    """`#0`, and as many more as homophones and beginnings of other words need."""
    used = _DISAMBIGUATION.findall(made.lexicon_disambig.read_text(encoding="utf-8"))
    return [DISAMBIGUATION, *(f"#{number}" for number in range(1, max(map(int, used), default=0) + 1))]
