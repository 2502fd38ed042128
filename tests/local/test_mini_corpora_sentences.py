"""What the mini corpora say: grammars, disjoint splits, the rule of four words, voices."""

import gzip
import random
import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "local"))

from mini_corpora.cli import LANGUAGE_FILES, orders, parse
from mini_corpora.grammar import load_grammar, sentences, word_types
from mini_corpora.plan import Task, plan
from mini_corpora.selection import Chooser, SentenceSource, pieces, split_of
from mini_corpora.text import utterances, write_text
from mini_corpora.voices import GENDERS, VARIANTS, variants_of

SPLITS = ("train", "dev", "test")


def four_words(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[\w'’-]+", text.lower())
    return set(zip(words, words[1:], words[2:], words[3:], strict=False))


def planned(options: str) -> list[Task]:
    (order,) = orders(parse(["--out", "unused", *options.split()]))
    return plan(f"x/{order.seed}", order.source, order.layout.style, order.size, order.seed)


def test_another_seed_speaks_other_sentences_in_other_voices():
    first, second = (planned(f"--languages en --seed {seed}") for seed in (1, 2))
    texts = [{text for task in tasks for text in task.utterances} for tasks in (first, second)]
    assert len(texts[0] & texts[1]) <= 5
    assert not {task.voice for task in first} & {task.voice for task in second}


@pytest.mark.parametrize("corpus", ["commonvoice", "librispeech", "tedlium3"])
def test_no_held_out_sentence_shares_four_words_with_many_training_sentences(corpus):
    tasks = planned(f"--languages en --hours 1.5 --corpora {corpus}")
    texts = {
        split: [text for task in tasks if task.split == split for text in task.utterances] for split in SPLITS
    }
    held_out = set().union(*(four_words(text) for split in ("dev", "test") for text in texts[split]))
    in_train = Counter(run for text in texts["train"] for run in four_words(text))
    assert len(texts["train"]) > 800
    assert max(in_train[run] for run in held_out) <= 5


def test_the_rule_of_four_words_rejects():
    lines = tuple(f"Yesterday we all went home to number {name}." for name in map(str, range(300)))
    chooser = Chooser(SentenceSource(load_grammar(LANGUAGE_FILES / "en.yaml"), lines), "x")
    rng = random.Random(0)
    taken = chooser.take("test", 1, lambda texts, _: texts[0], rng)
    assert split_of(taken, "en") == "test"
    with pytest.raises(ValueError, match="no new train sentence"):
        for _ in range(6):
            chooser.take("train", 1, lambda texts, _: texts[0], rng)


def test_variants_are_disjoint_between_splits():
    for gender in GENDERS:
        parts = [variants_of(split, gender, 1) for split in SPLITS]
        assert sorted(name for part in parts for name in part) == sorted(VARIANTS[gender])
        assert all(parts)


@pytest.mark.parametrize("path", sorted(LANGUAGE_FILES.glob("*.yaml")), ids=lambda path: path.stem)
def test_language_file_is_rich_enough(path):
    grammar = load_grammar(path)
    assert grammar.language == path.stem
    assert len(word_types(grammar)) >= (1500 if path.stem == "en" else 600)
    stream = sentences(grammar, random.Random(1))
    lengths = [len(next(stream).split()) for _ in range(500)]
    assert 3 <= np.median(lengths) <= 9 and max(lengths) <= 20


def test_sentences_from_a_file(tmp_path):
    source = tmp_path / "lines.txt"
    syllables = [a + b for a in "bdfglmnprstv" for b in "aeiou"]
    rng = random.Random(0)
    lines = [" ".join("".join(rng.choices(syllables, k=3)) for _ in range(7)) for _ in range(400)]
    source.write_text("\n".join(lines) + "\n\n" + lines[0], encoding="utf-8")
    tasks = planned(f"--languages it --sentences it={source} --hours 0.05 --dev-minutes 0.5 --test-minutes 1")
    texts = [text for task in tasks for text in task.utterances]
    assert len(texts) == len(set(texts)) and set(texts) <= set(lines)
    assert all(split_of(text, "it") == task.split for task in tasks for text in task.utterances)


def test_a_word_that_yaml_takes_for_a_truth_value_is_named(tmp_path):
    path = tmp_path / "xx.yaml"
    path.write_text("language: xx\nvoice: en\nlists: {answer: [maybe, no]}\ntemplates: ['{answer}']\n")
    with pytest.raises(ValueError, match="answer has False, which is not text"):
        load_grammar(path)


def test_a_template_with_an_unknown_list_is_named(tmp_path):
    path = tmp_path / "xx.yaml"
    path.write_text("language: xx\nvoice: en\nlists: {noun: [cat]}\ntemplates: ['the {nuon} sleeps']\n")
    with pytest.raises(ValueError, match="unknown list nuon"):
        load_grammar(path)


def sentences_of(texts: Iterable[str]) -> set[tuple[str, ...]]:
    return {pieces(sentence, "en") for text in texts for sentence in re.split(r"(?<=[.!?…]) ", text)}


@pytest.mark.parametrize("seed", [1, 2])
def test_text_for_language_models_holds_no_sentence_of_dev_or_test(seed):
    (order,) = orders(parse(["--out", "unused", "--corpora", "librispeech", "--text", "2000"]))
    text = list(utterances("x/1", order.source, order.layout.style, order.text_utterances))
    tasks = planned(f"--corpora librispeech --seed {seed}")
    held_out = sentences_of(said for task in tasks for said in task.utterances if task.split != "train")
    assert len(set(text)) == 2000
    assert len(held_out) > 100 and not held_out & sentences_of(text)


def test_text_is_the_same_bytes_at_any_time(tmp_path):
    written = []
    for name in ("a.gz", "b.gz"):
        write_text(tmp_path / name, iter(["ONE", "TWO"]))
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    assert gzip.decompress(written[0]) == b"ONE\nTWO\n"
