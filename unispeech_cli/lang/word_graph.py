"""The graphs of a lang directory and a language model: found where they were made before, or made now."""

import hashlib
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from unispeech_cli import provenance
from unispeech_cli.atomic import atomic_dir, write_text
from unispeech_cli.lang import graphs, lm_words, tokens, validation
from unispeech_cli.lang.arpa import vocabulary
from unispeech_cli.lang.compile import compile_search
from unispeech_cli.lang.grammar import for_rescoring, read_grammar
from unispeech_cli.lang.graphs import Graph
from unispeech_cli.lang.lexicon import read_lexicon, read_words, write_lexicon, write_words
from unispeech_cli.lang.lexicon_graph import Symbols, disambiguated, lexicon_graph, write_disambiguated
from unispeech_cli.lang.lm_words import Vocabulary
from unispeech_cli.lang.pronouncer import Pronouncer, units_of
from unispeech_cli.lang.units import WORD_BOUNDARY
from unispeech_cli.paths import GraphDir, LangDir

# grows whenever the same files would make other graphs
VERSION = 1
# written, and the graph that is searched
KEPT = ("L", "L_disambig", "G")
Sizes = dict[str, dict[str, float]]


@dataclass(frozen=True)
class WordGraph:
    """The graph that is searched, over the tokens of a model, and the words by their ids.

    Labels are tokens frame by frame, `aux_labels` lists of word ids, `lm_scores` the language model's part of
    the scores (all of them), 0 without one.
    """

    graph: Graph
    words: tuple[str, ...]


def word_graph(lang_dir: Path, lm: Path | None) -> WordGraph:
    """HLG of a lang directory and an ARPA file, or HL, in which any word may follow any other.

    Raises ValueError in one line where the directory or the file is faulty, FileNotFoundError.
    """
    made = compiled(lang_dir, lm)
    return WordGraph(graphs.load(made.fst(search_name(lm))), tuple(read_words(made.words)))


def grammar(lang_dir: Path, lm: Path, words: tuple[str, ...]) -> Graph:
    """G over the ids of `words`, as k2.intersect_device wants it for rescoring: a vector of one acceptor.

    N-grams with other words are left out; `lm_scores` are the scores. Raises as `word_graph` does.
    """
    made = LangDir(lang_dir).graph(_name(lm, [lm], [*words]))
    if not made.provenance.is_file():
        with atomic_dir(made.root) as root:
            fresh = GraphDir(root)
            write_text(fresh.words, "".join(f"{word} {index}\n" for index, word in enumerate(words)))
            written = lm_words.known(vocabulary(lm), words)
            graphs.save(read_grammar(lm, fresh.words, written), fresh.fst("G"))
            provenance.record(fresh.provenance, provenance.describe("graph", [lm], {"version": VERSION}))
    return for_rescoring(graphs.load(made.fst("G")), made.words)


def faults(lang_dir: Path) -> list[str]:
    """What is wrong with a lang directory, a line a fault."""
    lang = LangDir(lang_dir)
    spelled = units_of(lang, tokens.read(lang.tokens)) == "letters"
    return validation.faults(lang, spelled=spelled)


def search_name(lm: Path | None) -> str:
    """What the graph that is searched is called."""
    return "HLG" if lm else "HL"


def place(lang_dir: Path, lm: Path | None) -> GraphDir:
    """Where the graphs of these very contents are, or will be. Raises FileNotFoundError."""
    lang = LangDir(lang_dir)
    read = [lang.tokens, lang.lexicon, *([lm] if lm else [])]
    further = [path for path in (lang.provenance, lang.subwords) if path.is_file()]
    return lang.graph(_name(lm, [*read, *further], []))


def compiled(lang_dir: Path, lm: Path | None) -> GraphDir:
    """The directory of the graphs, made now if they are not there."""
    made = place(lang_dir, lm)
    if not made.provenance.is_file():
        _compile(LangDir(lang_dir), lm, made)
    return made


def _compile(lang: LangDir, lm: Path | None, made: GraphDir) -> None:
    if found := faults(lang.root):
        more = f" (and {len(found) - 1} faults more: `unispeech graph` lists them)" if found[1:] else ""
        raise ValueError(found[0] + more)
    table = tokens.read(lang.tokens)
    pronouncer = Pronouncer.of(lang, table)
    known = read_lexicon(lang.lexicon)
    vocab = lm_words.vocabulary(vocabulary(lm), known, pronouncer) if lm else Vocabulary(known, {})
    inputs = [lang.tokens, lang.lexicon, *([lm] if lm else [])]
    options = {"version": VERSION, "units": pronouncer.units}
    with atomic_dir(made.root) as root:
        fresh = GraphDir(root)
        _write_words(fresh, vocab)
        boundary = WORD_BOUNDARY if pronouncer.units == "letters" else None
        sizes = _write_graphs(fresh, vocab, lm, Symbols(table, read_words(fresh.words), boundary))
        wanted = provenance.describe("graph", inputs, options, ["k2", "kaldilm"])
        provenance.record(fresh.provenance, {**wanted, "graphs": sizes})


def _write_words(made: GraphDir, vocab: Vocabulary) -> None:
    write_words(made.words, vocab.lexicon)
    write_lexicon(made.lexicon, vocab.lexicon)
    write_text(made.lexicon_disambig, write_disambiguated(disambiguated(vocab.lexicon)))
    write_lexicon(made.added, vocab.added)
    write_text(made.dropped, "".join(f"{word}\t{why}\n" for word, why in sorted(vocab.dropped.items())))


def _write_graphs(made: GraphDir, vocab: Vocabulary, lm: Path | None, symbols: Symbols) -> Sizes:
    """Every graph of the directory; arcs, states, seconds, and the most memory so far of each."""
    sizes: Sizes = {}
    started = time.monotonic()
    for name, graph in _graphs(made, vocab, lm, symbols):
        sizes[name] = {**graphs.size(graph), **_cost(started)}
        if name in (*KEPT, search_name(lm)):
            graphs.save(graph, made.fst(name))
        started = time.monotonic()
    return sizes


def _graphs(
    made: GraphDir, vocab: Vocabulary, lm: Path | None, symbols: Symbols
) -> Iterator[tuple[str, Graph]]:
    plain = [(word, units) for word in sorted(vocab.lexicon) for units in vocab.lexicon[word]]
    yield "L", lexicon_graph(plain, symbols, backoff=False)
    lexicon = lexicon_graph(disambiguated(vocab.lexicon), symbols, backoff=lm is not None)
    yield "L_disambig", lexicon
    grammar = None
    if lm:
        grammar = read_grammar(lm, made.words, vocab.written)
        yield "G", grammar
    yield from compile_search(lexicon, grammar, symbols)


def _cost(started: float) -> dict[str, float]:
    """Seconds, and the most memory of this process and of kaldilm's so far, in MiB."""
    used = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {"seconds": round(time.monotonic() - started, 2), "peak_mib": round(max(used) / 1024)}


def _name(lm: Path | None, files: list[Path], further: list[str]) -> str:
    """The stem of the language model and a hash of all that the graphs are made of."""
    parts = [str(VERSION), *map(provenance.hash_file, files), *further]
    stem = lm.name.removesuffix(".gz").removesuffix(".arpa") if lm else "lexicon"
    return f"{stem}-{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:16]}"
