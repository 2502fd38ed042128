"""Seconds, memory and size of HLG from a 3-gram of the King James Bible, and how well it can be searched.

    python bench/graph.py [--text FILE] [--units letters phones] [--verses 40]

Without --text, Debian's bible-kjv and bible-kjv-text are fetched with apt-get and unpacked in a temporary folder,
not installed. The 3-gram is local/lm's, triples seen once left out; every word has a pronunciation, its letters
or espeak-ng's phones. `unispeech graph` compiles in a process of its own.

Then the graph, and one made by the steps of icefall's compile_hlg.py, which pushes no weights, are searched in
the same made-up posteriors of verses (the right token of each frame raised above noise) with
k2.intersect_dense_pruned at several beams: word error rate, summed score, seconds.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import k2
import kaldialign
import numpy as np
import torch

from unispeech_cli.lang import directory, graphs, tokens
from unispeech_cli.lang.directory import Means
from unispeech_cli.lang.lexicon import read_lexicon, read_words
from unispeech_cli.lang.text import normalize
from unispeech_cli.lang.units import PhonemizeSettings, Source, open_voice
from unispeech_cli.lang.word_graph import place
from unispeech_cli.paths import GraphDir, LangDir

LM_TRAINER = Path(__file__).parent.parent / "local" / "lm"
WORDS_PER_VERSE = 12
# (search beam, most active states); the output beam is 8, k2's default for the lattice
BEAMS = ((20.0, 10_000), (12.0, 10_000), (8.0, 10_000), (20.0, 1_000))
# how far the right token is above the noise
RAISED = {"letters": 4.0, "phones": 4.5}


def bible(folder: Path) -> Path:
    """The verses, fetched from Debian."""
    for package in ("bible-kjv", "bible-kjv-text"):
        subprocess.run(["apt-get", "download", package], cwd=folder, check=True, capture_output=True)
    for deb in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", deb, folder], check=True)
    command = [folder / "usr/bin/bible", "-f", "-p", folder / "usr/lib", "-l", "100000", "gen1:1-rev22:21"]
    said = subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    # Ge1:1 In the beginning ...
    verses = [line.partition(" ")[2] for line in said.stdout.splitlines()]
    text = folder / "kjv.txt"
    text.write_text("\n".join(verses) + "\n", encoding="utf-8")
    return text


def sentences(text: Path) -> list[str]:
    """Normalised lines that hold words."""
    lines = (normalize(line, "en") for line in text.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def train(said: Sequence[str], arpa: Path) -> None:
    """A 3-gram in ARPA format."""
    command = [sys.executable, LM_TRAINER, arpa, "--order", "3", "--prune", "0", "0", "1"]
    subprocess.run(command, input="\n".join(said) + "\n", text=True, check=True)


def write_lang(root: Path, units: Any, words: Sequence[str]) -> None:
    """A lang directory of words on their own."""
    voice = open_voice(Source(units), "en", "remove")
    spoken = dict(zip(words, voice.pronounce(words), strict=True))
    lexicon = {word: variants for word, variants in spoken.items() if variants[0]}
    symbols = {unit for variants in lexicon.values() for units in variants for unit in units}
    table = tokens.build({"en": symbols | ({"|"} if units == "letters" else set())}, "shared")
    made = Means(units, "shared", None, None, PhonemizeSettings()).describe([])
    directory.write(LangDir(root), table, lexicon, None, {**made, "voices": {"en": voice.name}})


def compile_graphs(lang: Path, arpa: Path) -> GraphDir:
    """`unispeech graph`, its table printed."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "unispeech_cli", "graph", lang, "--lm", arpa, "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    rows = json.loads(done.stdout)["graphs"]
    for row in rows:
        print(
            f"  {row['graph']:16} {row['arcs']:>9,} arcs {row['states']:>9,} states {row['seconds']:6.2f} s"
        )
    print(f"  whole command {seconds:.1f} s, peak {max(row['peak MiB'] for row in rows)} MiB")
    return place(lang, arpa)


def icefall_hlg(made: GraphDir, tokens_in_all: int) -> Any:
    """HLG by the steps of icefall's compile_hlg.py: weights stay where determinisation leaves them."""
    lexicon, grammar = (k2.arc_sort(graphs.load(made.fst(name))) for name in ("L_disambig", "G"))
    lg = k2.connect(k2.determinize(k2.connect(k2.compose(lexicon, grammar))))
    arcs = lg.arcs.values().clone()
    arcs[arcs[:, 2] >= tokens_in_all, 2] = 0
    lg = k2.connect(k2.remove_epsilon(k2.Fsa(arcs, aux_labels=lg.aux_labels.remove_values_eq(0))))
    return k2.connect(k2.compose(graphs.ctc_topology(tokens_in_all), k2.arc_sort(lg)))


def posteriors(verses: Sequence[Sequence[str]], lang: Path, units: str) -> Any:
    """A dense FSA of verses, each token for a frame with one or two blanks behind it."""
    random = np.random.default_rng(1)
    table, lexicon = tokens.read(LangDir(lang).tokens), read_lexicon(LangDir(lang).lexicon)
    between = ["|"] if units == "letters" else []
    log_probs = []
    for words in verses:
        parted = [unit for word in words for unit in (*between, *lexicon[word][0])]
        said = table.encode(parted[len(between) :])
        frames = [label for token in said for label in (token, *[0] * random.integers(1, 3))]
        logit_TV = 1.2 * random.normal(size=(len(frames), len(table)))
        logit_TV[np.arange(len(frames)), frames] += RAISED[units]
        log_probs.append(torch.tensor(logit_TV, dtype=torch.float32).log_softmax(-1))
    segments = torch.tensor([[row, 0, len(one)] for row, one in enumerate(log_probs)], dtype=torch.int32)
    return k2.DenseFsaVec(torch.nn.utils.rnn.pad_sequence(log_probs, batch_first=True), segments)


def search(name: str, graph: Any, dense: Any, verses: Sequence[Sequence[str]], words: Sequence[str]) -> None:
    """Print what each beam finds and how long it takes."""
    for beam, states in BEAMS:
        started = time.perf_counter()
        lattice = k2.intersect_dense_pruned(graph, dense, beam, 8.0, 30, states)
        best = k2.shortest_path(lattice, use_double_scores=True)
        seconds = time.perf_counter() - started
        score = best.get_tot_scores(use_double_scores=True, log_semiring=False)
        lost = int(torch.isinf(score).sum())
        ids = k2.RaggedTensor(best.arcs.shape().compose(best.aux_labels.shape), best.aux_labels.values)
        heard = ids.remove_axis(1).remove_axis(1).remove_values_leq(0).tolist()
        errors = sum(
            kaldialign.edit_distance(list(said), [words[index] for index in found])["total"]
            for said, found in zip(verses, heard, strict=True)
        )
        rate = 100 * errors / sum(map(len, verses))
        print(
            f"  {name:9} beam {beam:4.0f}, {states:6} states: WER {rate:5.2f} %, {lost} verses lost, "
            f"score {score[~torch.isinf(score)].sum():.1f}, {seconds:5.2f} s"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--text", type=Path)
    parser.add_argument("--units", nargs="+", default=["letters", "phones"], choices=["letters", "phones"])
    parser.add_argument("--verses", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chmod(folder, 0o755)
        said = sentences(options.text or bible(folder))
        words = sorted({word for sentence in said for word in sentence.split()})
        train(said, folder / "3gram.arpa")
        step = max(1, len(said) // options.verses)
        verses = [sentence.split()[:WORDS_PER_VERSE] for sentence in said[::step]][: options.verses]
        # all are compiled before anything is searched: a process starts with the memory mark of its parent
        graphs_by_units = {}
        for units in options.units:
            print(f"{units}: {len(words):,} words")
            write_lang(folder / units, units, words)
            graphs_by_units[units] = compile_graphs(folder / units, folder / "3gram.arpa")
        for units, made in graphs_by_units.items():
            print(f"{units}: {len(verses)} verses")
            ids = list(read_words(made.words))
            dense = posteriors(verses, folder / units, units)
            search("ours", graphs.load(made.fst("HLG")), dense, verses, ids)
            other = icefall_hlg(made, len(tokens.read(LangDir(folder / units).tokens)))
            search("icefall's", other, dense, verses, ids)


if __name__ == "__main__":
    main()
