"""Speed, memory and word error rate of our decoding methods beside pyctcdecode and flashlight-text.

    python bench/decode.py [--text FILE] [--sentences 8000] [--test 60] [--keep DIR]

All of them decode the same log-probabilities with the same 3-gram, an ARPA file, one thread, each in a process of
its own; its memory is the kernel's VmHWM (imports, graph and language model included), its time that of the
processor in the search alone. The log-probabilities are those of a small convolutional network, trained here with
CTC to spell verses of the King James Bible from noisy vectors, a few a letter; the verses decoded are not among
them, nor in the text of the 3-gram. The weight of the language model (and of words, where a peer has one) is chosen
for each on other such verses. Real time is 20 ms a frame.

Needs the `bench` extra: pip install pyctcdecode kenlm flashlight-text.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import kaldialign
import numpy as np
import torch
from graph import bible, sentences, write_lang
from torch import Tensor, nn

from unispeech_cli.decoder.heard import Vocabulary
from unispeech_cli.decoder.methods import Method, SearchSettings
from unispeech_cli.decoder.searches import open_method
from unispeech_cli.lang import tokens
from unispeech_cli.lang.word_graph import word_graph
from unispeech_cli.paths import LangDir

LM_TRAINER = Path(__file__).parent.parent / "local" / "lm"
SECONDS_PER_FRAME, SECONDS_PER_BATCH = 0.02, 120.0
MOST_WORDS, DIMENSION, NOISE = 14, 24, 1.6
WEIGHTS = (0.3, 0.6, 0.9, 1.2, 1.6)
# (method, whether it has the language model)
OURS = {
    "greedy": False, "prefix-beam": False, "one-best": False, "nbest": False, "hlg": True,
    "nbest-rescoring": True, "lattice-rescoring": True,
}  # fmt: skip
PEERS = {"pyctcdecode": False, "flashlight-free": False, "pyctcdecode+lm": True, "flashlight+lm": True}
BEAM = 100
Decode = Callable[[list[np.ndarray]], list[str]]


def spell(sentence: str, table: tokens.TokenTable) -> list[int]:
    return table.encode(list(sentence.replace(" ", "|")))


def sung(ids: Sequence[int], voices: Tensor, generator: torch.Generator) -> Tensor:
    """Noisy vectors (T, D), three to five for each token."""
    lengths = torch.randint(3, 6, (len(ids),), generator=generator)
    clean = voices[torch.tensor(ids)].repeat_interleave(lengths, dim=0)
    return clean + NOISE * torch.randn(clean.shape, generator=generator)


def train(said: Sequence[str], table: tokens.TokenTable, voices: Tensor, updates: int) -> nn.Module:
    """A network from vectors to CTC's logits, trained for so many updates."""
    generator, shuffle = torch.Generator().manual_seed(1), random.Random(1)
    model = nn.Sequential(
        nn.Conv1d(DIMENSION, 96, 5, padding=2), nn.GELU(), nn.Conv1d(96, 96, 5, padding=2), nn.GELU(),
        nn.Conv1d(96, len(table), 1),
    )  # fmt: skip
    optimizer, started = torch.optim.Adam(model.parameters(), 4e-3), time.monotonic()
    for _ in range(updates):
        chosen = [spell(sentence, table) for sentence in shuffle.sample(said, 8)]
        heard = [sung(ids, voices, generator) for ids in chosen]
        wave_BDT = nn.utils.rnn.pad_sequence(heard, batch_first=True).transpose(1, 2)
        log_prob_TBV = model(wave_BDT).permute(2, 0, 1).log_softmax(-1)
        lengths = torch.tensor([len(one) for one in heard])
        labels, label_lengths = (
            torch.tensor([token for ids in chosen for token in ids]),
            torch.tensor([len(ids) for ids in chosen]),
        )
        loss = nn.functional.ctc_loss(log_prob_TBV, labels, lengths, label_lengths)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"network: {updates} updates in {time.monotonic() - started:.0f} s, loss {loss.item():.3f}")
    return model.eval()


def prepare(folder: Path, options: argparse.Namespace) -> None:
    """Language model, lang directory, and log-probabilities of verses to tune on and to test with."""
    said = [" ".join(line.split()[:MOST_WORDS]) for line in sentences(options.text or bible(folder))]
    said = sorted(set(said), key=lambda line: (hash_of(line), line))
    held, text = said[: 2 * options.test], said[2 * options.test :][: options.sentences]
    words = sorted({word for line in text for word in line.split()})
    known = set(words)
    held = [" ".join(word for word in line.split() if word in known) for line in held]
    arpa = folder / "3gram.arpa"
    subprocess.run(
        [sys.executable, LM_TRAINER, arpa, "--order", "3"], input="\n".join(text), text=True, check=True
    )
    write_lang(folder / "lang", "letters", words)
    table = tokens.read(LangDir(folder / "lang").tokens)
    voices = torch.randn(len(table), DIMENSION, generator=torch.Generator().manual_seed(2))
    model, generator = train(text, table, voices, options.updates), torch.Generator().manual_seed(3)
    heard = [sung(spell(line, table), voices, generator) for line in held]
    with torch.no_grad():
        found = [model(one.T[None])[0].T.log_softmax(-1).numpy() for one in heard]
    np.savez(folder / "log_probs.npz", *found)
    (folder / "held.json").write_text(json.dumps(held))
    (folder / "words.json").write_text(json.dumps(words))
    print(f"{len(words):,} words; {sum(map(len, found[options.test :])) * SECONDS_PER_FRAME:.0f} s to decode")


def hash_of(line: str) -> int:
    return random.Random(line).getrandbits(32)


def ours(name: str, folder: Path, weight: float, _: float) -> Decode:
    """A method of ours, in batches of 120 s."""
    lang, lm = folder / "lang", folder / "3gram.arpa"
    method = Method(name, lang if OURS[name] else None, lm if OURS[name] else None)
    table = tokens.read(LangDir(lang).tokens)
    settings = SearchSettings(lm_scale=weight)
    opened = open_method(method, Vocabulary(table, "letters"), settings, "cpu", print)

    def text(path: Any) -> str:
        if opened.vocabulary.words:
            return " ".join(opened.vocabulary.words[word] for word in path.words)
        return "".join(table.decode(path.ids)).replace("|", " ")

    def decode(log_probs: list[np.ndarray]) -> list[str]:
        order = sorted(range(len(log_probs)), key=lambda row: -len(log_probs[row]))
        found = [""] * len(log_probs)
        while order:
            most = max(1, int(SECONDS_PER_BATCH / SECONDS_PER_FRAME / len(log_probs[order[0]])))
            rows, order = order[:most], order[most:]
            frames = nn.utils.rnn.pad_sequence(
                [torch.from_numpy(log_probs[row]) for row in rows], batch_first=True
            )
            lengths = torch.tensor([len(log_probs[row]) for row in rows])
            for row, (path,) in zip(
                rows, opened.ladder(frames, lengths, list(map(str, rows)), print), strict=True
            ):
                found[row] = text(path)
        return found

    return decode


def pyctcdecode(name: str, folder: Path, weight: float, word_bonus: float) -> Decode:
    from pyctcdecode import build_ctcdecoder

    symbols = tokens.read(LangDir(folder / "lang").tokens).symbols
    labels = ["", *(" " if symbol == "|" else symbol for symbol in symbols[1:])]
    lm: dict[str, Any] = {}
    if PEERS[name]:
        unigrams = json.loads((folder / "words.json").read_text())
        lm = {
            "kenlm_model_path": str(folder / "3gram.arpa"),
            "unigrams": unigrams,
            "alpha": weight,
            "beta": word_bonus,
        }
    decoder = build_ctcdecoder(labels, **lm)
    return lambda log_probs: [decoder.decode(one, beam_width=BEAM) for one in log_probs]


def flashlight(name: str, folder: Path, weight: float, word_bonus: float) -> Decode:
    from flashlight.lib.text import decoder as fl
    from flashlight.lib.text.decoder.kenlm import KenLM
    from flashlight.lib.text.dictionary import Dictionary

    symbols = tokens.read(LangDir(folder / "lang").tokens).symbols
    ids = {symbol: index for index, symbol in enumerate(symbols)}
    common = {"beam_size": BEAM, "beam_size_token": len(symbols), "beam_threshold": 25.0, "log_add": True}
    if not PEERS[name]:
        plain = fl.LexiconFreeDecoderOptions(
            lm_weight=0.0, sil_score=0.0, criterion_type=fl.CriterionType.CTC, **common
        )
        free = fl.LexiconFreeDecoder(plain, fl.ZeroLM(), ids["|"], 0, [])
        return lambda log_probs: [_spelled(free, one, symbols) for one in log_probs]
    words = Dictionary(["<unk>", *json.loads((folder / "words.json").read_text())])
    lm = KenLM(str(folder / "3gram.arpa"), words)
    trie, start = fl.Trie(len(symbols), ids["|"]), lm.start(False)
    for index in range(1, words.index_size()):
        _, score = lm.score(start, index)
        trie.insert([ids[letter] for letter in (*words.get_entry(index), "|")], index, score)
    trie.smear(fl.SmearingMode.MAX)
    settings = fl.LexiconDecoderOptions(
        lm_weight=weight * np.log(10), word_score=word_bonus, unk_score=-np.inf, sil_score=0.0,
        criterion_type=fl.CriterionType.CTC, **common,
    )  # fmt: skip
    made = fl.LexiconDecoder(settings, trie, lm, ids["|"], 0, 0, [], False)
    # its words end with the boundary, and so must the last one
    ending = np.full((1, len(symbols)), -30.0, np.float32)
    ending[0, ids["|"]] = 0.0
    return lambda log_probs: [_worded(made, np.concatenate([one, ending]), words) for one in log_probs]


def _best(decoder: Any, log_prob_TV: np.ndarray) -> Any:
    emissions = np.ascontiguousarray(log_prob_TV, dtype=np.float32)
    return decoder.decode(emissions.ctypes.data, *emissions.shape)[0]


def _spelled(decoder: Any, log_prob_TV: np.ndarray, symbols: Sequence[str]) -> str:
    path = _best(decoder, log_prob_TV).tokens
    said = [t for t, before in zip(path, [-1, *path], strict=False) if t > 0 and t != before]
    return "".join(symbols[token] for token in said).replace("|", " ").strip()


def _worded(decoder: Any, log_prob_TV: np.ndarray, words: Any) -> str:
    return " ".join(words.get_entry(word) for word in _best(decoder, log_prob_TV).words if word >= 0)


def errors(said: Sequence[str], heard: Sequence[str]) -> int:
    pairs = zip(said, heard, strict=True)
    return sum(kaldialign.edit_distance(one.split(), other.split())["total"] for one, other in pairs)


def work(name: str, folder: Path, count: int) -> dict[str, Any]:
    """Choose the weights on the first verses, then decode the others."""
    torch.set_num_threads(1)
    loaded = np.load(folder / "log_probs.npz")
    log_probs = [loaded[key] for key in loaded.files]
    held = json.loads((folder / "held.json").read_text())
    make = ours if name in OURS else pyctcdecode if name.startswith("pyctc") else flashlight
    with_lm = {**OURS, **PEERS}[name]
    bonuses = (0.0, 1.5) if with_lm and name in PEERS else (0.0,)
    grid = [(weight, bonus) for weight in (WEIGHTS if with_lm else (0.0,)) for bonus in bonuses]
    tuned = min(grid, key=lambda pair: errors(held[:count], make(name, folder, *pair)(log_probs[:count])))
    decode = make(name, folder, *tuned)
    decode(log_probs[:2])
    started = time.process_time()
    heard = decode(log_probs[count:])
    seconds = time.process_time() - started
    wrong, speech = errors(held[count:], heard), sum(map(len, log_probs[count:])) * SECONDS_PER_FRAME
    return {
        "wer": 100 * wrong / sum(len(line.split()) for line in held[count:]),
        "real_time": seconds / speech,
        "peak_mib": peak_mib(),
        "weights": tuned,
    }


def peak_mib() -> float:
    """The most memory of this process; ru_maxrss would begin at its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def report(name: str, found: dict[str, Any]) -> None:
    weights = ", ".join(f"{weight:g}" for weight in found["weights"]) if {**OURS, **PEERS}[name] else "-"
    print(
        f"{name:18} WER {found['wer']:6.2f} %  real time {found['real_time']:.5f}  "
        f"peak {found['peak_mib']:5.0f} MiB  weights {weights}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--text", type=Path)
    parser.add_argument("--sentences", type=int, default=8_000)
    parser.add_argument("--test", type=int, default=60, help="verses to decode, and as many to tune on")
    parser.add_argument("--updates", type=int, default=600, help="of training")
    parser.add_argument("--keep", type=Path, help="folder for what is made; used again where it is there")
    parser.add_argument("--only", nargs="+", default=[*OURS, *PEERS])
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        print(json.dumps(work(options.work, options.keep, options.test)))
        return
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        folder = options.keep or Path(name)
        folder.mkdir(exist_ok=True)
        if not (folder / "held.json").is_file():
            prepare(folder, options)
            word_graph(folder / "lang", folder / "3gram.arpa")
        for one in options.only:
            command = [sys.executable, __file__, "--work", one, "--keep", folder, "--test", str(options.test)]
            done = subprocess.run(
                command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
            )
            if done.returncode:
                print(f"{one:18} failed: {done.stderr.strip().splitlines()[-1]}")
            else:
                report(one, json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
