"""Decoding in HLG against a search through every labelling of every frame, on cases small enough for that."""

import math
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from unispeech_cli.lang import graphs
from unispeech_cli.lang.word_graph import WordGraph, compiled, grammar, word_graph
from unispeech_cli.paths import LangDir

pytestmark = pytest.mark.k2

FRAMES = 7
# prefixes of one another, a doubled letter, and words that are heard in others
LETTERS = {"a": ["a"], "aa": ["a a"], "ab": ["a b"], "aba": ["a b a"], "b": ["b"]}
# homophones (ka, kah; be, bee), a word of two pronunciations, prefixes
PHONES = {"ka": ["k a"], "kah": ["k a"], "be": ["b"], "bee": ["b"], "k": ["k", "k a b"], "kak": ["k a k"]}
# the words of LETTERS and of PHONES stand in one another's places
ARPA = """
\\data\\
ngram 1=9
ngram 2=9
ngram 3=4

\\1-grams:
-99 <s> -0.3
-0.9 </s>
-1.1 {0} -0.25
-0.7 {1} -0.4
-1.3 {2} -0.1
-0.8 {3}
-1.0 {4} -0.2
-0.5 <unk> -0.1
-2.0 nowhere

\\2-grams:
-0.4 <s> {0} -0.15
-0.6 <s> {2} -0.2
-0.5 {0} {1} -0.3
-0.2 {1} {0} -0.1
-1.5 {2} {2}
-0.3 {1} </s>
-0.1 {0} <unk>
-0.1 <unk> {0}
-0.1 <s> <s>

\\3-grams:
-0.05 <s> {0} {1}
-0.35 {0} {1} {0}
-0.45 {1} {0} {1}
-0.02 {0} {1} <s>

\\end\\
"""


def write_lang(root: Path, lexicon: dict[str, list[str]], boundary: bool) -> list[str]:
    """A lang directory as other toolkits make them; its symbols."""
    units = sorted({unit for said in lexicon.values() for units in said for unit in units.split()})
    symbols = ["<blk>", *units, *(["|"] if boundary else [])]
    lang = LangDir(root)
    lang.tokens.write_text("".join(f"{symbol} {index}\n" for index, symbol in enumerate(symbols)))
    lang.lexicon.write_text("".join(f"{word} {units}\n" for word, said in lexicon.items() for units in said))
    return symbols


def write_lm(root: Path, lexicon: dict[str, list[str]]) -> tuple[str, Path]:
    """ARPA over the first five words of a lexicon, and its file."""
    arpa, path = ARPA.format(*lexicon), root / "3gram.arpa"
    path.write_text(arpa)
    return arpa, path


def best_by_tokens(log_prob_TV: np.ndarray, symbols: list[str]) -> dict[tuple[str, ...], float]:
    """The best score of every token sequence, over every labelling of the frames there is."""
    found: dict[tuple[str, ...], float] = {}
    for labels in product(range(len(symbols)), repeat=len(log_prob_TV)):
        fresh = [a for a, before in zip(labels, (0, *labels[:-1]), strict=True) if a not in (0, before)]
        score = sum(log_prob_TV[frame, label] for frame, label in enumerate(labels))
        said = tuple(symbols[label] for label in fresh)
        found[said] = max(score, found.get(said, -math.inf))
    return found


def sentences(
    said: tuple[str, ...], lexicon: dict[str, list[str]], boundary: bool
) -> Iterator[tuple[str, ...]]:
    """Every sequence of words that is spoken so."""
    if boundary:
        spelled = {tuple(units.split()): word for word, variants in lexicon.items() for units in variants}
        parts = [tuple(part.split()) for part in " ".join(said).split("|")] if said else []
        if all(part in spelled for part in parts):
            yield tuple(spelled[part] for part in parts)
        return
    if not said:
        yield ()
    for word, variants in lexicon.items():
        for units in map(str.split, variants):
            if list(said[: len(units)]) == units:
                yield from ((word, *rest) for rest in sentences(said[len(units) :], lexicon, boundary))


class Model:
    """Scores of sentences by an ARPA text; backing off is taken wherever it scores better, as in a graph."""

    def __init__(self, arpa: str) -> None:
        self.ngrams: dict[tuple[str, ...], tuple[float, float]] = {}
        order = 0
        for line in arpa.splitlines():
            fields = line.split()
            if line.endswith("-grams:"):
                order = int(line[1])
            words, rest = tuple(fields[1 : order + 1]), fields[order + 1 :]
            if line.startswith("-") and "<unk>" not in words and "<s>" not in words[1:]:
                self.ngrams[words] = (float(fields[0]), float(rest[0]) if rest else 0.0)

    def score(self, words: tuple[str, ...]) -> float:
        """Natural logarithm."""
        said = ("<s>", *words, "</s>")
        return math.log(10) * sum(self._next(said[max(0, n - 2) : n], said[n]) for n in range(1, len(said)))

    def _next(self, history: tuple[str, ...], word: str) -> float:
        explicit = self.ngrams.get((*history, word), (-math.inf,))[0]
        if not history:
            return explicit
        return max(explicit, self.ngrams.get(history, (0.0, 0.0))[1] + self._next(history[1:], word))


def searched(graph: WordGraph, log_prob_TV: np.ndarray) -> tuple[tuple[str, ...], float, float]:
    """Words, score and LM score of the best path that k2 finds."""
    import k2

    dense = k2.DenseFsaVec(
        torch.tensor(log_prob_TV[None], dtype=torch.float32),
        torch.tensor([[0, 0, len(log_prob_TV)]], dtype=torch.int32),
    )
    lattice = k2.intersect_dense_pruned(graph.graph, dense, 100.0, 100.0, 1, 10_000)
    path = k2.shortest_path(lattice, use_double_scores=True)
    ids = [index for index in path.aux_labels.values.tolist() if index > 0]
    score = path.get_tot_scores(use_double_scores=True, log_semiring=False).item()
    return tuple(graph.words[index] for index in ids), score, path.lm_scores.sum().item()


def posteriors(symbols: list[str], seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    logit_TV = 2.5 * random.normal(size=(FRAMES, len(symbols)))
    return logit_TV - np.log(np.exp(logit_TV).sum(axis=1, keepdims=True))


@pytest.mark.parametrize(
    ("lexicon", "boundary"), [(LETTERS, True), (PHONES, False)], ids=["letters", "phones"]
)
def test_best_path_is_the_best_of_all_there_are(
    tmp_path: Path, lexicon: dict[str, list[str]], boundary: bool
) -> None:
    symbols = write_lang(tmp_path, lexicon, boundary)
    arpa, lm = write_lm(tmp_path, lexicon)
    model, with_lm, without = Model(arpa), word_graph(tmp_path, lm), word_graph(tmp_path, None)
    known = {word: lexicon[word] for word in list(lexicon)[:5]}
    lengths = set()
    for seed in range(4):
        log_prob_TV = posteriors(symbols, seed)
        said = best_by_tokens(log_prob_TV, symbols)
        scored: dict[tuple[str, ...], float] = {}
        for units, score in said.items():
            for words in sentences(units, known, boundary):
                scored[words] = max(scored.get(words, -math.inf), score + model.score(words))
        expected = max(scored, key=scored.__getitem__)
        words, score, lm_score = searched(with_lm, log_prob_TV)
        assert words == expected
        assert score == pytest.approx(scored[expected], abs=1e-3)
        assert lm_score == pytest.approx(model.score(expected), abs=1e-3)
        lengths.add(len(words))
        free = [
            score for units, score in said.items() if any(True for _ in sentences(units, lexicon, boundary))
        ]
        assert searched(without, log_prob_TV)[1] == pytest.approx(max(free), abs=1e-3)
    assert len(lengths) > 1


def spoken_with(graph: WordGraph, symbols: list[str], said: str) -> tuple[str, ...] | None:
    """The words heard where every frame says one of these tokens for certain; None where nothing fits."""
    certain = [symbols.index(token) for frame in said.split() for token in ("<blk>", frame)]
    log_prob_TV = np.full((len(certain), len(symbols)), -1000.0)
    log_prob_TV[np.arange(len(certain)), certain] = 0.0
    words, score, _ = searched(graph, log_prob_TV)
    return words if score > -100 else None


def test_letters_part_words_between_them_and_nowhere_else(tmp_path: Path) -> None:
    symbols = write_lang(tmp_path, LETTERS, boundary=True)
    graph = word_graph(tmp_path, None)
    assert spoken_with(graph, symbols, "a a | b") == ("aa", "b")
    assert spoken_with(graph, symbols, "a | a | b") == ("a", "a", "b")
    assert spoken_with(graph, symbols, "b") == ("b",)
    for wrong in ("| b", "b |", "b | | b", "a a b"):
        assert spoken_with(graph, symbols, wrong) is None


def test_each_language_of_separate_inventories_parts_words_its_own_way(tmp_path: Path) -> None:
    lang = LangDir(tmp_path)
    symbols = ["<blk>", "es:a", "es:|", "it:a", "it:b", "it:|"]
    lang.tokens.write_text("".join(f"{symbol} {index}\n" for index, symbol in enumerate(symbols)))
    lang.lexicon.write_text("a es:a\na it:a\nb it:b\n")
    graph = word_graph(tmp_path, None)
    assert spoken_with(graph, symbols, "es:a es:| es:a") == ("a", "a")
    assert spoken_with(graph, symbols, "it:b it:| it:a") == ("b", "a")
    for wrong in ("it:b es:| it:a", "es:a es:| it:b"):
        assert spoken_with(graph, symbols, wrong) is None


def test_pieces_need_nothing_between_words(tmp_path: Path) -> None:
    symbols = write_lang(tmp_path, {"no": ["▁no"], "not": ["▁no t"], "ton": ["▁t on"]}, boundary=False)
    graph = word_graph(tmp_path, None)
    assert spoken_with(graph, symbols, "▁no t ▁t on ▁no") == ("not", "ton", "no")


def test_larger_grammar_scores_sentences_of_the_lattice(tmp_path: Path) -> None:
    import k2

    write_lang(tmp_path, PHONES, boundary=False)
    arpa, lm = write_lm(tmp_path, PHONES)
    words = ("<eps>", "be", "bee", "k", "ka", "kah", "other", "#0", "<s>", "</s>")
    larger = grammar(tmp_path, lm, words)
    for said in (("ka", "kah", "ka"), ("be", "be"), ("k",), ()):
        path = k2.linear_fsa([[words.index(word) for word in said]])
        path = k2.arc_sort(k2.add_epsilon_self_loops(path))
        found = k2.intersect_device(larger, path, torch.zeros(1, dtype=torch.int32), sorted_match_a=True)
        score = (
            k2.remove_epsilon_self_loops(k2.connect(found))
            .get_tot_scores(use_double_scores=True, log_semiring=False)
            .item()
        )
        assert score == pytest.approx(Model(arpa).score(said), abs=1e-4)
    assert torch.equal(larger.lm_scores, larger.scores)


def test_directory_holds_the_graphs_their_words_and_what_made_them(tmp_path: Path) -> None:
    write_lang(tmp_path, PHONES, boundary=False)
    _, lm = write_lm(tmp_path, PHONES)
    made = compiled(tmp_path, lm)
    assert made.root.parent == tmp_path / "graphs"
    assert made.root.name.startswith("3gram-")
    assert made.dropped.read_text() == "<unk>\tnot a word\nnowhere\tno pronunciation\n"
    assert "kah k a #2" in made.lexicon_disambig.read_text().splitlines()
    assert made.words.read_text().split()[::2] == [
        "<eps>",
        "be",
        "bee",
        "k",
        "ka",
        "kah",
        "#0",
        "<s>",
        "</s>",
    ]
    for name in ("L", "L_disambig", "G", "HLG"):
        assert graphs.size(graphs.load(made.fst(name)))["arcs"] > 0


def test_graphs_are_made_once_for_the_same_contents(tmp_path: Path) -> None:
    write_lang(tmp_path, LETTERS, boundary=True)
    _, lm = write_lm(tmp_path, LETTERS)
    first = compiled(tmp_path, lm)
    stamp = first.provenance.stat().st_mtime_ns
    (tmp_path / "elsewhere").mkdir()
    moved = lm.rename(tmp_path / "elsewhere" / lm.name)
    assert compiled(tmp_path, moved) == first
    assert first.provenance.stat().st_mtime_ns == stamp
    moved.write_text(moved.read_text().replace("-0.05 <s>", "-0.06 <s>"))
    assert compiled(tmp_path, moved) != first


def test_faulty_directory_is_told_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    write_lang(tmp_path, LETTERS, boundary=True)
    LangDir(tmp_path).lexicon.write_text("aa a\nab a x\nb b\n")
    with pytest.raises(
        ValueError, match=r"line 1: word aa is not spelled .* \(and 1 faults more: "
    ) as raised:
        word_graph(tmp_path, None)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "graphs").exists()
