"""n-gram models: worked by hand, sums over the vocabulary, another way of computing them."""

import gzip
import io
import math
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "local"))

from lm.cli import main
from lm.kneser_ney import discounts

SCRIPT = Path(__file__).parents[2] / "local" / "train_lm.sh"
Model = dict[tuple[str, ...], tuple[float, float]]

WORKED = "a b\na c\nb b a\n"


def trained(monkeypatch, path: Path, text: str, *options: object) -> Model:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    assert main([str(path), *map(str, options)]) == 0
    return read(path)


def read(path: Path) -> Model:
    """n-gram -> probability, backoff. Fields are parted by tabs, and there are as many n-grams as are announced."""
    model, announced = {}, 0
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("ngram "):
            announced += int(line.split("=")[1])
        elif "\t" in line:
            probability, words, backoff = [*line.split("\t"), "0"][:3]
            model[tuple(words.split(" "))] = (10 ** float(probability), 10 ** float(backoff))
    assert len(model) == announced
    return model


def probability(model: Model, context: tuple[str, ...], word: str) -> float:
    if (*context, word) in model:
        return model[*context, word][0]
    return model.get(context, (0, 1))[1] * probability(model, context[1:], word)


def perplexity(model: Model, order: int, sentences: list[str]) -> float:
    total, count = 0.0, 0
    for sentence in sentences:
        words = ["<s>", *sentence.split(), "</s>"]
        for end in range(1, len(words)):
            context = tuple(words[max(0, end - order + 1) : end])
            total += math.log(probability(model, context, words[end]))
            count += 1
    return math.exp(-total / count)


def sentences(seed: int, count: int, words: int) -> list[str]:
    """Sentences where each word depends on the one before, frequent and rare words among them."""
    rng = random.Random(seed)
    vocabulary = [f"w{number}" for number in range(words)]
    texts = []
    for _ in range(count):
        number, sentence = 0, []
        while len(sentence) < 2 or rng.random() < 0.85:
            number = (3 * number + int(rng.paretovariate(0.6))) % words
            sentence.append(vocabulary[number])
        texts.append(" ".join(sentence))
    return texts


def test_worked_by_hand(monkeypatch, tmp_path):
    """Seen to its left: a 2 words, b 3, c 1, </s> 3, of 9; discounts 0.5, 1, 1.5, so gamma() is 4.5/9, a fifth each.

    After <s>: a twice, b once: gamma(<s>) = (1 + 0.5)/3. After a: b, c, </s> once each: gamma(a) = 3 * 0.5/3.
    """
    model = trained(monkeypatch, tmp_path / "lm.arpa", WORKED, "--order", 2)
    a, b, c, end = 1 / 9 + 0.1, 1.5 / 9 + 0.1, 0.5 / 9 + 0.1, 1.5 / 9 + 0.1
    expected = {
        ("<unk>",): (0.1, 1),
        ("a",): (a, 0.5),
        ("b",): (b, 0.5),
        ("c",): (c, 0.5),
        ("</s>",): (end, 1),
        ("<s>", "a"): (1 / 3 + 0.5 * a, 1),
        ("<s>", "b"): (0.5 / 3 + 0.5 * b, 1),
        ("a", "b"): (0.5 / 3 + 0.5 * b, 1),
        ("c", "</s>"): (0.5 + 0.5 * end, 1),
        ("b", "a"): (0.5 / 3 + 0.5 * a, 1),
    }
    assert {words: model[words] for words in expected} == pytest.approx(
        {words: pytest.approx(pair, rel=1e-5) for words, pair in expected.items()}
    )
    assert model["<s>",] == (pytest.approx(1e-99), pytest.approx(0.5, rel=1e-5))
    assert len(model) == 15


def test_discounts_come_from_counts_of_counts():
    """8 n-grams once, 4 twice, 2 thrice, 1 four times: Y = 8/16."""
    counts = np.array([1] * 8 + [2] * 4 + [3] * 2 + [4])
    assert discounts(counts) == pytest.approx((1 - 2 * 0.5 * 4 / 8, 2 - 3 * 0.5 * 2 / 4, 3 - 4 * 0.5 / 2))
    assert discounts(counts[:-1]) == (0.5, 1.0, 1.5)


@pytest.mark.parametrize("options", [(), ("--prune", 0, 0, 1), ("--prune", 0, 1, 2)])
def test_sums_to_one_after_every_context(monkeypatch, tmp_path, options):
    texts = sentences(1, 300, 60)
    model = trained(monkeypatch, tmp_path / "lm.arpa", "\n".join(texts), "--order", 3, *options)
    vocabulary = [words[0] for words in model if len(words) == 1 and words[0] != "<s>"]
    contexts = [(), ("never", "seen"), *(words for words in model if len(words) < 3 and "</s>" not in words)]
    assert len(contexts) > 60
    for context in contexts:
        assert sum(probability(model, context, word) for word in vocabulary) == pytest.approx(1, abs=1e-4)


def by_definition(texts: list[str], order: int) -> Callable[[tuple[str, ...]], float]:
    """The probability of an n-gram, with dictionaries, from Chen & Goodman's formulas."""
    padded = [("<s>", *text.split(), "</s>") for text in texts]
    raw = [
        Counter(words[i : i + k] for words in padded for i in range(len(words) - k + 1))
        for k in range(1, order + 1)
    ]
    counts = [raw[-1]]
    for k in range(order - 2, -1, -1):
        lefts = Counter(ngram[1:] for ngram in raw[k + 1])
        counts.insert(0, Counter({n: raw[k][n] if n[0] == "<s>" else lefts[n] for n in raw[k]}))
    del counts[0]["<s>",]
    uniform = 1 / (len(counts[0]) + 1)

    def p(ngram: tuple[str, ...]) -> float:
        if not ngram:
            return uniform
        level = counts[len(ngram) - 1]
        seen = Counter(level.values())
        d = [0, 0.5, 1, 1.5]
        if all(seen[k] for k in (1, 2, 3, 4)):
            y = seen[1] / (seen[1] + 2 * seen[2])
            d = [0] + [k - (k + 1) * y * seen[k + 1] / seen[k] for k in (1, 2, 3)]
        after = [count for other, count in level.items() if other[:-1] == ngram[:-1]]
        gamma = sum(d[min(count, 3)] for count in after) / sum(after)
        own = max(0, level[ngram] - d[min(level[ngram], 3)]) / sum(after)
        return own + gamma * p(ngram[1:])

    return p


def test_equals_the_definition(monkeypatch, tmp_path):
    texts = sentences(2, 400, 40)
    model = trained(monkeypatch, tmp_path / "lm.arpa", "\n".join(texts), "--order", 3)
    expected = by_definition(texts, 3)
    for ngram in random.Random(1).sample(sorted(set(model) - {("<s>",), ("<unk>",)}), 200):
        assert model[ngram][0] == pytest.approx(expected(ngram), rel=1e-5), ngram


def test_a_longer_history_predicts_new_sentences_better(monkeypatch, tmp_path):
    text, new = "\n".join(sentences(3, 3000, 60)), sentences(4, 100, 60)
    found = [
        perplexity(trained(monkeypatch, tmp_path / "lm.arpa", text, "--order", k), k, new) for k in (1, 2, 3)
    ]
    assert found[1] < 0.7 * found[0] and found[2] < 1.1 * found[1]


def test_words_outside_a_list_are_unknown(monkeypatch, tmp_path):
    (tmp_path / "words").write_text("a b")
    model = trained(monkeypatch, tmp_path / "lm.arpa", WORKED, "--words", tmp_path / "words")
    assert {words[0] for words in model} == {"<s>", "</s>", "<unk>", "a", "b"}
    assert ("a", "<unk>", "</s>") in model


@pytest.mark.parametrize(("text", "told"), [("\n \n", "no word"), ("a b\n<s> a\n", "line 2: <s> and </s>")])
def test_what_cannot_be_used_is_told_in_one_line(monkeypatch, tmp_path, capsys, text, told):
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    assert main([str(tmp_path / "lm.arpa")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
    assert not list(tmp_path.iterdir())


def run_script(path: str, *options: object) -> subprocess.CompletedProcess[str]:
    command = [str(SCRIPT), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PATH": path})


def test_the_script_makes_an_arpa_once_for_the_same_text(tmp_path):
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    text, arpa = tmp_path / "text.gz", tmp_path / "lm" / "2gram.arpa"
    text.write_bytes(gzip.compress(WORKED.encode()))
    done = run_script(path, text, arpa, "--order", 2)
    assert done.returncode == 0, done.stderr
    assert len(read(arpa)) == 15
    written = arpa.stat().st_mtime_ns
    assert "nothing to do" in run_script(path, text, arpa, "--order", 2).stderr
    assert arpa.stat().st_mtime_ns == written


def test_the_script_takes_lmplz_where_it_is_on_the_path(tmp_path):
    (tmp_path / "lmplz").write_text(
        '#!/bin/sh\ncat > "${0%/*}/heard"\nwhile [ "$1" != --arpa ]; do shift; done\necho made > "$2"\n'
    )
    (tmp_path / "lmplz").chmod(0o755)
    (tmp_path / "text").write_text(WORKED)
    done = run_script(f"{tmp_path}:/usr/bin:/bin", tmp_path / "text", tmp_path / "lm.arpa")
    assert done.returncode == 0, done.stderr
    assert ((tmp_path / "lm.arpa").read_text(), (tmp_path / "heard").read_text()) == ("made\n", WORKED)
