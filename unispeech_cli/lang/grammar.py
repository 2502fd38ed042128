"""ARPA -> G, the grammar over word ids, by kaldilm.

kaldilm ends the whole process where a file is not to its taste, so it works in a process of its own.
"""

import importlib.util
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from unispeech_cli.lang import arpa
from unispeech_cli.lang.graphs import Graph, import_k2
from unispeech_cli.lang.lexicon import DISAMBIGUATION, read_words


def read_grammar(lm: Path, words: Path, written: Mapping[str, str]) -> Graph:
    """G of an ARPA file over the ids of words.txt.

    Labels are word ids, `#0` where it backs off, with auxiliary label 0. N-grams with a word that is not in
    `written` (the LM's spelling -> that of words.txt) are left out. Scores are natural logarithms.
    Raises ValueError in one line where the file cannot be used.
    """
    if importlib.util.find_spec("kaldilm") is None:
        raise ValueError("reading a language model needs kaldilm: pip install kaldilm")
    with TemporaryDirectory(prefix="unispeech-lm-") as folder:
        kept = Path(folder) / "kept.arpa"
        arpa.rewrite(lm, kept, written)
        return import_k2().Fsa.from_openfst(_compiled(lm, kept, words), acceptor=False)


def for_rescoring(grammar: Graph, words: Path) -> Graph:
    """G as k2.intersect_device wants it: a vector of one acceptor of words, epsilon at every state.

    Backing off is epsilon; `lm_scores` are the scores, on self-loops 0.
    """
    k2 = import_k2()
    arcs = grammar.arcs.values().clone()
    arcs[arcs[:, 2] == read_words(words)[DISAMBIGUATION], 2] = 0
    ready = k2.arc_sort(k2.add_epsilon_self_loops(k2.create_fsa_vec([k2.Fsa(arcs)])))
    ready.lm_scores = ready.scores.clone()
    return ready


def _compiled(lm: Path, kept: Path, words: Path) -> str:
    """kaldilm's text of the transducer."""
    command = [sys.executable, "-m", "kaldilm", f"--read-symbol-table={words}"]
    options = [f"--disambig-symbol={DISAMBIGUATION}", "--max-arpa-warnings=0", str(kept)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["it says nothing"]
        raise ValueError(f"kaldilm cannot make a grammar of {lm}: {reason[0]}")
    return done.stdout
