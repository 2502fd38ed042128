"""Graphs as icefall reads them: k2.Fsa.from_dict(torch.load(lang_dir / "HLG.pt")), k2.SymbolTable.from_file."""

from pathlib import Path
from typing import Any

import pytest
import torch

from unispeech_cli.export_paths import ExportDir
from unispeech_cli.interop.icefall import write_icefall
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.paths import LangDir

pytestmark = pytest.mark.k2

TABLE = TokenTable(("<blk>", "n", "o", "t"))
BIGRAMS = """
\\data\\
ngram 1=5
ngram 2=2

\\1-grams:
-99 <s> 0
-0.6 </s>
-0.7 no -0.1
-0.7 know -0.1
-0.7 not -0.1

\\2-grams:
-0.1 know not
-0.1 <s> know

\\end\\
"""


@pytest.fixture
def made(tmp_path: Path) -> ExportDir:
    lang = LangDir(tmp_path / "lang")
    lang.root.mkdir()
    TABLE.write(lang.tokens)
    # two words that sound alike, and the beginning of a third
    lang.lexicon.write_text("no n o\nknow n o\nnot n o t\n")
    (tmp_path / "bigrams.arpa").write_text(BIGRAMS)
    (tmp_path / "icefall").mkdir()
    found = write_icefall(ExportDir(tmp_path / "icefall"), lang.root, tmp_path / "bigrams.arpa", TABLE)
    assert found == ["L", "L_disambig", "G", "HLG"]
    return ExportDir(tmp_path / "icefall")


def read(made: ExportDir, name: str) -> Any:
    import k2

    return k2.Fsa.from_dict(torch.load(made.graph(name), map_location="cpu"))


def test_hlg_says_the_words_of_the_language_model(made: ExportDir) -> None:
    import k2

    graph, words = read(made, "HLG"), k2.SymbolTable.from_file(str(made.words))
    assert graph.requires_grad is False and torch.equal(graph.lm_scores, graph.scores)
    said = torch.tensor([[1, 2, 0, 1, 2, 3]])
    log_prob_BTV = torch.nn.functional.one_hot(said, 4).float().mul(20).log_softmax(-1)
    dense = k2.DenseFsaVec(log_prob_BTV, torch.tensor([[0, 0, 6]], dtype=torch.int32))
    lattice = k2.intersect_dense_pruned(k2.create_fsa_vec([graph]), dense, 20.0, 8.0, 30, 10_000)
    path = k2.shortest_path(lattice, use_double_scores=True)
    ids = [index for arc in path.aux_labels.tolist() for index in arc if index > 0]
    assert [words[index] for index in ids] == ["know", "not"]


def test_symbols_are_those_of_the_graphs(made: ExportDir) -> None:
    import k2

    tokens, words = (k2.SymbolTable.from_file(str(path)) for path in (made.tokens, made.words))
    assert (tokens["<blk>"], tokens["t"], tokens["#0"], tokens["#2"]) == (0, 3, 4, 6)
    assert "#3" not in tokens.symbols
    assert int(read(made, "L_disambig").labels.max()) == tokens["#2"]
    assert int(read(made, "L").labels.max()) == tokens["t"]
    assert int(read(made, "G").labels.max()) == words["#0"]
    # what icefall's Lexicon does with L at once
    assert k2.arc_sort(read(made, "L").invert()).shape == read(made, "L").shape
