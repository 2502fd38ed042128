"""Graph methods against enumeration: every path of frames, every sequence of words, the language model by hand."""

import itertools
import math
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from unispeech_cli.decoder.bias import Phrase, bias
from unispeech_cli.decoder.biased_graph import biased_topology, with_bonuses
from unispeech_cli.decoder.graph_search import Choice, GraphSearch
from unispeech_cli.decoder.lattice import Beams, lattices, search_graph
from unispeech_cli.decoder.nbest import NbestSettings, nbest
from unispeech_cli.decoder.rescoring import grammar_scores, rescoring_grammar
from unispeech_cli.decoder.search import BestPath
from unispeech_cli.lang.lexicon import write_lexicon
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.lang.word_graph import WordGraph, grammar, word_graph
from unispeech_cli.paths import LangDir

pytestmark = pytest.mark.k2

TABLE = TokenTable(("<blk>", "|", "a", "b"))
LEXICON = {"a": [("a",)], "ab": [("a", "b")], "b": [("b",)], "ba": [("b", "a")]}
WIDE = Beams(200.0, 200.0, 1, 1_000_000)
MANY = NbestSettings(paths=2_000, scale=0.2)
BIGRAMS = {
    ("<s>",): (-99.0, -0.3), ("</s>",): (-0.7, 0.0), ("a",): (-0.6, -0.2), ("ab",): (-0.9, -0.1),
    ("b",): (-1.1, 0.0), ("ba",): (-0.8, -0.4),
    ("<s>", "a"): (-0.3, 0.0), ("a", "ba"): (-0.5, 0.0), ("ba", "ab"): (-0.4, 0.0), ("ab", "</s>"): (-0.2, 0.0),
    ("b", "b"): (-2.5, 0.0),
}  # fmt: skip
TRIGRAMS = {
    **{gram: (score, -0.25 if len(gram) == 2 else backoff) for gram, (score, backoff) in BIGRAMS.items()},
    ("<s>", "a", "ba"): (-1.2, 0.0), ("a", "ba", "ab"): (-0.1, 0.0), ("ba", "ab", "</s>"): (-0.9, 0.0),
    ("b", "b", "</s>"): (-0.05, 0.0),
}  # fmt: skip
Texts = dict[tuple[str, ...], tuple[float, float]]
Grams = dict[tuple[str, ...], tuple[float, float]]


def arpa(grams: Grams) -> str:
    orders = sorted({len(gram) for gram in grams})
    lines = ["\\data\\", *(f"ngram {n}={sum(len(gram) == n for gram in grams)}" for n in orders), ""]
    for order in orders:
        lines.append(f"\\{order}-grams:")
        for gram, (score, backoff) in grams.items():
            if len(gram) == order:
                lines.append(f"{score}\t{' '.join(gram)}" + (f"\t{backoff}" if order < orders[-1] else ""))
        lines.append("")
    return "\n".join([*lines, "\\end\\", ""])


def ways(grams: Grams, history: tuple[str, ...], word: str) -> dict[tuple[str, ...], float]:
    """What a word may score, by the history that G remembers then: it may back off although it has the n-gram."""
    found: dict[tuple[str, ...], float] = {}
    if history:
        backoff = grams[history][1]
        found = {after: backoff + score for after, score in ways(grams, history[1:], word).items()}
    if (*history, word) in grams:
        after = (*history, word)
        while after and (after not in grams or len(after) == max(map(len, grams))):
            after = after[1:]
        found[after] = max(grams[*history, word][0], found.get(after, -math.inf))
    return found


def lm_score(grams: Grams, words: tuple[str, ...]) -> float:
    """The likeliest way through G, a natural logarithm."""
    found = {("<s>",): 0.0}
    for word in (*words, "</s>"):
        reached: dict[tuple[str, ...], float] = defaultdict(lambda: -math.inf)
        for history, so_far in found.items():
            for after, score in ways(grams, history, word).items():
                reached[after] = max(reached[after], so_far + score)
        found = dict(reached)
    return max(found.values()) * math.log(10)


def texts(log_prob_TV: Tensor) -> Texts:
    """Every sequence of words that the frames can say: its best path, and the sum of its paths."""
    best: dict[tuple[int, ...], float] = defaultdict(lambda: -math.inf)
    total: dict[tuple[int, ...], float] = defaultdict(float)
    for path in itertools.product(range(len(TABLE)), repeat=len(log_prob_TV)):
        score = sum(log_prob_TV[frame, token].item() for frame, token in enumerate(path))
        said = tuple(token for token, _ in itertools.groupby(path) if token)
        best[said], total[said] = max(best[said], score), total[said] + math.exp(score)
    found = {}
    for count in range(4):
        for words in itertools.product(LEXICON, repeat=count):
            spelled = tuple(TABLE.ids[letter] for letter in "|".join(words))
            if spelled in best:
                found[words] = (best[spelled], math.log(total[spelled]))
    return found


@pytest.fixture(scope="module")
def lang_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lang = LangDir(tmp_path_factory.mktemp("lang"))
    TABLE.write(lang.tokens)
    write_lexicon(lang.lexicon, LEXICON)
    (lang.root / "2.arpa").write_text(arpa(BIGRAMS))
    (lang.root / "3.arpa").write_text(arpa(TRIGRAMS))
    return lang.root


@pytest.fixture(scope="module")
def made(lang_dir: Path) -> WordGraph:
    return word_graph(lang_dir, lang_dir / "2.arpa")


LENGTHS = [6, 4, 3]


@pytest.fixture(scope="module")
def log_prob_BTV() -> Tensor:
    return (1.5 * torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(11))).log_softmax(-1)


@pytest.fixture(scope="module")
def said(log_prob_BTV: Tensor) -> list[Texts]:
    return [texts(log_prob_BTV[row, :length]) for row, length in enumerate(LENGTHS)]


def searched(
    made: WordGraph, log_prob_BTV: Tensor, choice: Choice, **options: object
) -> list[list[BestPath]]:
    """For each utterance a path for each scale."""
    scale = options.pop("lm_scale", 1.0)
    assert isinstance(scale, float)
    search = GraphSearch(search_graph(made.graph, scale, "cpu"), True, choice, WIDE, MANY, scale, None)
    search = replace(search, **options)  # type: ignore[arg-type]
    heard = search(log_prob_BTV, torch.tensor(LENGTHS))
    assert None not in heard
    return [list(paths) for paths in heard if paths is not None]


def says(made: WordGraph, path: BestPath) -> tuple[str, ...]:
    return tuple(made.words[word] for word in path.words)


def best_of(said: Texts, grams: Grams, scale: float) -> tuple[tuple[str, ...], float]:
    scores = {w: best + scale * lm_score(grams, w) for w, (best, _) in said.items()}
    words = max(scores, key=lambda words: scores[words])
    return words, scores[words]


def test_hlg_finds_the_best_of_all_texts_at_every_scale(
    made: WordGraph, log_prob_BTV: Tensor, said: list[Texts]
) -> None:
    scales = (0.0, 0.3, 1.0, 2.0)
    swept = searched(made, log_prob_BTV, "best path", scales=scales)
    for row in range(len(LENGTHS)):
        for scale, path in zip(scales, swept[row], strict=True):
            words, score = best_of(said[row], BIGRAMS, scale)
            assert says(made, path) == words
            assert path.score == pytest.approx(score, abs=1e-3)
            assert "".join(TABLE.decode(path.ids)) == "|".join(words)


def test_utterances_searched_together_say_what_each_says_alone(made: WordGraph, log_prob_BTV: Tensor) -> None:
    search = GraphSearch(made.graph, True, "best path", WIDE, MANY, 1.0, (0.5, 1.0))
    alone = search(log_prob_BTV, torch.tensor(LENGTHS))
    for one, other in zip(alone, search.together(log_prob_BTV, torch.tensor(LENGTHS)), strict=True):
        assert one is not None and other is not None
        for path, same in zip(one, other, strict=True):
            assert path.score == pytest.approx(same.score, abs=1e-4)
            assert replace(path, score=0.0) == replace(same, score=0.0)


@pytest.mark.parametrize("scale", [0.2, 1.7])
def test_a_sweep_of_the_lattice_is_decoding_again(
    made: WordGraph, log_prob_BTV: Tensor, scale: float
) -> None:
    swept = searched(made, log_prob_BTV, "best path", lm_scale=0.7, scales=(scale,))
    again = searched(made, log_prob_BTV, "best path", lm_scale=scale)
    for (found,), (expected,) in zip(swept, again, strict=True):
        assert (found.words, found.frames, found.last) == (expected.words, expected.frames, expected.last)
        assert found.score == pytest.approx(expected.score, abs=1e-4)


@pytest.mark.parametrize("choice", ["rescored text", "rescored path"])
def test_a_larger_grammar_replaces_that_of_the_search(
    made: WordGraph, lang_dir: Path, log_prob_BTV: Tensor, said: list[Texts], choice: Choice
) -> None:
    larger = rescoring_grammar(grammar(lang_dir, lang_dir / "3.arpa", made.words), "cpu")
    scales = (0.4, 1.0, 2.0)
    found = searched(made, log_prob_BTV, choice, grammar=larger, scales=scales, lm_scale=0.5)
    for row in range(len(LENGTHS)):
        for scale, path in zip(scales, found[row], strict=True):
            words, score = best_of(said[row], TRIGRAMS, scale)
            assert says(made, path) == words
            assert path.score == pytest.approx(score, abs=1e-3)
            assert len(path.ids) == len(path.frames) == len(path.last)


@pytest.mark.parametrize("grams", [BIGRAMS, TRIGRAMS], ids=["bigrams", "trigrams"])
def test_a_grammar_scores_texts_with_all_its_ways_to_back_off(
    made: WordGraph, lang_dir: Path, grams: Grams
) -> None:
    name = f"{max(map(len, grams))}.arpa"
    larger = rescoring_grammar(grammar(lang_dir, lang_dir / name, made.words), "cpu")
    every = [words for count in range(4) for words in itertools.product(LEXICON, repeat=count)]
    found = grammar_scores([tuple(made.words.index(word) for word in words) for words in every], larger)
    assert found == pytest.approx([lm_score(grams, words) for words in every], abs=1e-4)
    assert grammar_scores([], larger) == []


def test_an_empty_text_alone_is_a_graph_of_one_arc_and_is_scored(made: WordGraph, lang_dir: Path) -> None:
    (lang_dir / "1.arpa").write_text(arpa({(word,): (-0.7, 0.0) for word in ("<s>", "</s>", *LEXICON)}))
    unigrams = rescoring_grammar(grammar(lang_dir, lang_dir / "1.arpa", made.words), "cpu")
    assert grammar_scores([()], unigrams) == pytest.approx([-0.7 * math.log(10)], abs=1e-4)


def test_texts_of_a_lattice_have_the_sums_of_their_paths(
    lang_dir: Path, log_prob_BTV: Tensor, said: list[Texts]
) -> None:
    made = word_graph(lang_dir, None)
    found = lattices(log_prob_BTV, torch.tensor(LENGTHS), made.graph, WIDE, has_words=True)
    assert found is not None
    for row, some in zip(found.rows, nbest(found, MANY), strict=True):
        expected = said[row]
        assert some[0].total == pytest.approx(max(total for _, total in expected.values()), abs=1e-4)
        for text in some:
            best, total = expected[says(made, text.path)]
            assert text.path.score == pytest.approx(best, abs=1e-4)
            assert text.total == pytest.approx(total, abs=1e-4)


def test_likely_words_and_phrases_gain_their_bonus(
    made: WordGraph, log_prob_BTV: Tensor, said: list[Texts]
) -> None:
    b, ba = made.words.index("b"), made.words.index("ba")
    phrases = bias([Phrase((b, b), 9.0)])
    biased = replace(made, graph=with_bonuses(made.graph, {ba: 4.0}))
    found = searched(biased, log_prob_BTV, "best path", phrases=phrases)
    for row in range(len(LENGTHS)):
        scores = {
            words: best
            + lm_score(BIGRAMS, words)
            + 4.0 * words.count("ba")
            + 9.0 * sum(pair == ("b", "b") for pair in itertools.pairwise(words))
            for words, (best, _) in said[row].items()
        }
        words = max(scores, key=lambda words: scores[words])
        assert says(made, found[row][0]) == words
        assert found[row][0].score == pytest.approx(scores[words], abs=1e-3)


@pytest.mark.parametrize("boundary", [None, 1])
def test_likely_tokens_in_the_topology_gain_what_they_gain_in_a_prefix_beam(
    log_prob_BTV: Tensor, boundary: int | None
) -> None:
    from unispeech_cli.decoder.beam import PrefixBeams, prefix_beam

    phrases = bias([Phrase((2, 3) if boundary is None else (1, 2, 3, 1), 3.0)], boundary)
    found = lattices(log_prob_BTV, torch.tensor(LENGTHS), biased_topology(4, phrases), WIDE, has_words=False)
    assert found is not None
    every = PrefixBeams(10_000, 1e3, 1_000, 1e3, 1.0)
    expected = prefix_beam(log_prob_BTV, torch.tensor(LENGTHS), every, phrases)
    for row, texts_of in zip(found.rows, nbest(found, MANY), strict=True):
        assert texts_of[0].ids == expected[row][0].ids
        assert texts_of[0].total == pytest.approx(expected[row][0].score, abs=1e-4)


def test_a_topology_that_would_be_too_large_is_refused() -> None:
    phrases = bias([Phrase(tuple(range(1, 60)), 1.0)])
    with pytest.raises(ValueError, match=r"60 units of phrases and 500 tokens.*use --method prefix-beam"):
        biased_topology(500, phrases)


def test_what_no_path_can_say_is_none_and_no_frames_say_nothing(made: WordGraph) -> None:
    # only "|", which no sentence begins with, and beams that see nothing else
    log_prob_BTV = torch.full((2, 5, 4), -60.0)
    log_prob_BTV[:, :, 1] = 0.0
    search = GraphSearch(made.graph, True, "best path", Beams(5.0, 5.0, 1, 4), MANY, 1.0, (0.5, 1.0))
    none, nothing = search(log_prob_BTV, torch.tensor([5, 0]))
    assert none is None
    assert nothing == (BestPath((), (), (), 0.0),) * 2


def test_the_text_of_the_best_path_is_among_few_that_are_drawn(log_prob_BTV: Tensor) -> None:
    from unispeech_cli.decoder.search import greedy
    from unispeech_cli.lang.graphs import ctc_topology

    found = lattices(log_prob_BTV, torch.tensor(LENGTHS), ctc_topology(4), WIDE, has_words=False)
    assert found is not None
    expected = greedy(log_prob_BTV, torch.tensor(LENGTHS))
    for row, some in zip(found.rows, nbest(found, NbestSettings(paths=1, scale=0.01)), strict=True):
        assert expected[row].ids in [text.ids for text in some]
        assert len(some) <= 2
