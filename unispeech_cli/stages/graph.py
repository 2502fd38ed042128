"""A lang directory and a language model -> the graphs that decoding searches."""

import json
from pathlib import Path
from typing import Any

from unispeech_cli.lang.lexicon import read_lexicon
from unispeech_cli.lang.validation import homophones
from unispeech_cli.lang.word_graph import compiled, faults, place
from unispeech_cli.paths import GraphDir
from unispeech_cli.records import Note, Records, Table

COLUMNS = ("graph", "arcs", "states", "seconds", "peak MiB")
# words shown of a list that has a file of its own
SHOWN = 10


def graph(lang_dir: Path, *, lm: Path | None = None) -> Records:
    """Check the lang directory, compile its graphs, with a language model or without, and show their sizes.

    Run again with the same contents, it compiles nothing. Every fault is a note; then raises ValueError.
    """
    if found := faults(lang_dir):
        yield from map(Note, found)
        raise ValueError(f"{lang_dir} cannot be used for graphs: {len(found)} faults, each in a line above")
    made = place(lang_dir, lm)
    known = made.provenance.is_file()
    yield Note(f"{made.root}: {'same inputs, nothing to do' if known else 'compiling'}")
    compiled(lang_dir, lm)
    yield from _words(made)
    yield _table(json.loads(made.provenance.read_text(encoding="utf-8")))


def _words(made: GraphDir) -> Records:
    lexicon = read_lexicon(made.lexicon)
    yield Note(f"{len(lexicon)} words, {homophones(lexicon)} of them sound like another one")
    added, dropped = list(read_lexicon(made.added)), made.dropped.read_text(encoding="utf-8").splitlines()
    if added:
        yield Note(f"not in the lexicon, pronunciation made: {_some(added)}, all in {made.added}")
    if dropped:
        words = [line.partition("\t")[0] for line in dropped]
        yield Note(f"taken out of the language model: {_some(words)}, all in {made.dropped}")


def _some(words: list[str]) -> str:
    more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return f"{len(words)} words ({' '.join(words[:SHOWN])}{more})"


def _table(made: dict[str, Any]) -> Table:
    table = Table("graphs", COLUMNS)
    for name, size in made["graphs"].items():
        table.rows.append((name, size["arcs"], size["states"], size["seconds"], size["peak_mib"]))
    return table
