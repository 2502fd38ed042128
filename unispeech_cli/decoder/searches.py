"""A method by its name -> the search that it is, with graphs, likely words and what to do where it fails.

Shapes: B utterances, T frames, V tokens.
"""

from dataclasses import dataclass, replace
from functools import cache

from torch import Tensor

from unispeech_cli.decoder.beam import PrefixBeams, prefix_beam
from unispeech_cli.decoder.bias import Bias
from unispeech_cli.decoder.biased_graph import biased_topology, with_bonuses
from unispeech_cli.decoder.fallback import Heard, Ladder, Rung, Search, Tell
from unispeech_cli.decoder.graph_search import Choice, GraphSearch
from unispeech_cli.decoder.heard import Vocabulary
from unispeech_cli.decoder.lattice import search_graph
from unispeech_cli.decoder.methods import RESCORING, Method, SearchSettings
from unispeech_cli.decoder.phrases import WordBias, read_lines, token_bias, word_bias
from unispeech_cli.decoder.rescoring import Grammar, rescoring_grammar
from unispeech_cli.decoder.search import greedy
from unispeech_cli.lang.graphs import ctc_topology, import_k2
from unispeech_cli.lang.lexicon import read_lexicon
from unispeech_cli.lang.pronouncer import Pronouncer
from unispeech_cli.lang.transcript import Speller
from unispeech_cli.lang.word_graph import compiled, grammar, word_graph
from unispeech_cli.paths import LangDir

_CHOICES: dict[str, Choice] = {
    "one-best": "best path",
    "hlg": "best path",
    "nbest": "likeliest text",
    "nbest-rescoring": "rescored text",
    "lattice-rescoring": "rescored path",
}


@dataclass(frozen=True)
class Opened:
    """A method ready to search, and what the ids of its paths stand for."""

    ladder: Ladder
    vocabulary: Vocabulary


def open_method(
    method: Method, vocabulary: Vocabulary, settings: SearchSettings, device: str, tell: Tell
) -> Opened:
    """Load or compile what a method searches with; a line to `tell` for likely words that cannot be heard.

    Raises ValueError in one line where k2, a lang directory or a language model is not fit.
    """
    plainest = Rung("greedy search", _greedy(len(method.settings)))
    if method.name == "greedy":
        return Opened(Ladder(plainest), vocabulary)
    if method.name == "prefix-beam":
        phrases = _token_phrases(method, vocabulary, settings, tell)
        wanted = Rung("prefix beam search", _prefix_beam(settings.prefix, phrases, 1))
        return Opened(Ladder(wanted, plain=(plainest,)), vocabulary)
    # before any work: where it is absent, the line that installs it
    import_k2()
    if method.has_words:
        search, vocabulary = _word_search(method, vocabulary, settings, device, tell)
    else:
        search = _token_search(method, vocabulary, settings, device, tell)
    plain = Rung("prefix beam search", _prefix_beam(settings.prefix, None, len(method.settings)))
    return Opened(Ladder(Rung(method.name, search), _saving(search, device), (plain, plainest)), vocabulary)


def _saving(search: GraphSearch, device: str) -> tuple[Rung, ...]:
    """The same search in less memory."""
    narrow = Rung("narrower beams", search.narrowed())
    on_cpu = cache(lambda: search.on("cpu"))
    there = Rung(
        "search on the CPU", lambda log_prob_BTV, lengths_B: on_cpu()(log_prob_BTV, lengths_B), "cpu"
    )
    return (narrow,) if device == "cpu" else (narrow, there)


def _greedy(results: int) -> Search:
    def search(log_prob_BTV: Tensor, frame_lengths_B: Tensor) -> list[Heard | None]:
        return [(path,) * results for path in greedy(log_prob_BTV, frame_lengths_B)]

    return search


def _prefix_beam(beams: PrefixBeams, phrases: Bias | None, results: int) -> Search:
    def search(log_prob_BTV: Tensor, frame_lengths_B: Tensor) -> list[Heard | None]:
        found = prefix_beam(log_prob_BTV, frame_lengths_B, beams, phrases)
        return [(paths[0],) * results for paths in found]

    return search


def _token_phrases(
    method: Method, vocabulary: Vocabulary, settings: SearchSettings, tell: Tell
) -> Bias | None:
    if method.bias is None:
        return None
    speller = Speller.of(method.lang_dir, vocabulary.table, vocabulary.units, None)
    found = token_bias(read_lines(method.bias, settings.bias_bonus), speller)
    for line in found.lacking:
        tell(f"--bias {method.bias}: left out {line}")
    return found.phrases


def _token_search(
    method: Method, vocabulary: Vocabulary, settings: SearchSettings, device: str, tell: Tell
) -> GraphSearch:
    """In the CTC topology: any token may follow any other."""
    phrases = _token_phrases(method, vocabulary, settings, tell)
    tokens = len(vocabulary.table)
    graph = ctc_topology(tokens) if phrases is None else biased_topology(tokens, phrases)
    choice = _CHOICES[method.name]
    return GraphSearch(graph.to(device), False, choice, settings.beams, settings.nbest, 1.0, None)


def _word_search(
    method: Method, vocabulary: Vocabulary, settings: SearchSettings, device: str, tell: Tell
) -> tuple[GraphSearch, Vocabulary]:
    """In HLG, or HL without a language model."""
    assert method.lang_dir is not None
    made = word_graph(method.lang_dir, method.lm)
    lexicon = read_lexicon(compiled(method.lang_dir, method.lm).lexicon)
    vocabulary = replace(vocabulary, words=made.words, lexicon=lexicon)
    expected = _word_phrases(method, vocabulary, settings, tell)
    graph = with_bonuses(made.graph, expected.bonuses) if expected.bonuses else made.graph
    search = GraphSearch(
        search_graph(graph, settings.lm_scale, device),
        True,
        _CHOICES[method.name],
        settings.beams,
        settings.nbest,
        settings.lm_scale,
        method.scales,
        _rescoring(method, vocabulary, device),
        expected.phrases,
        settings.rescored_arcs,
        settings.swept_arcs,
    )
    return search, vocabulary


def _word_phrases(method: Method, vocabulary: Vocabulary, settings: SearchSettings, tell: Tell) -> WordBias:
    if method.bias is None or method.lang_dir is None:
        return WordBias({}, None, ())
    language = Pronouncer.of(LangDir(method.lang_dir), vocabulary.table).language
    lines = read_lines(method.bias, settings.bias_bonus)
    found = word_bias(lines, vocabulary.words, vocabulary.lexicon, language)
    if found.lacking:
        tell(f"--bias {method.bias}: words that the graph lacks: {' '.join(found.lacking)}")
    return found


def _rescoring(method: Method, vocabulary: Vocabulary, device: str) -> Grammar | None:
    if method.name not in RESCORING:
        return None
    lm = method.rescore_lm or method.lm
    assert lm is not None and method.lang_dir is not None
    return rescoring_grammar(grammar(method.lang_dir, lm, vocabulary.words), device)
