"""Who says what: the speakers of a corpus, each with a voice, utterances and seconds to fill."""

import math
import random
from dataclasses import dataclass

from mini_corpora.selection import HELD_OUT, Chooser, Compose, SentenceSource
from mini_corpora.voices import Voice, draw_voices

# Letters a second at espeak's default rate, on the high side, so that no speaker runs out of text.
LETTERS_PER_SECOND = 21
DEFAULT_RATE = 175
SPARE_UTTERANCES = 2


@dataclass(frozen=True)
class Style:
    """How people speak in a corpus: espeak rates, sentences an utterance, seconds a speaker, silence around speech."""

    rates: tuple[int, int]
    sentences_an_utterance: tuple[int, ...]
    train_seconds: float
    held_out_seconds: float
    pauses: tuple[float, float]


@dataclass(frozen=True)
class Task:
    """One speaker's work, done by a process of its own. `name` seeds everything random about it."""

    name: str
    language: str
    espeak_voice: str
    split: str
    number: int
    voice: Voice
    utterances: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Size:
    """How much to make: seconds of speech in each split."""

    train: float
    dev: float
    test: float


def plan(
    name: str, source: SentenceSource, style: Style, compose: Compose, size: Size, seed: int
) -> list[Task]:
    """Plan one corpus in one language; dev and test come first, so they do not change with the hours."""
    chooser = Chooser(source, name)
    tasks: list[Task] = []
    for split in (*HELD_OUT, "train"):
        rng = random.Random(f"{name}/{split}/speakers")
        seconds = getattr(size, split)
        each = style.train_seconds if split == "train" else style.held_out_seconds
        count = max(1, round(seconds / each))
        for number, voice in enumerate(draw_voices(split, count, style.rates, seed, rng)):
            texts = _utterances(chooser, split, style, compose, voice.rate, seconds / count, rng)
            label = f"{name}/{split}/{number}"
            grammar = source.grammar
            tasks.append(
                Task(label, grammar.language, grammar.voice, split, number, voice, texts, seconds / count)
            )
    return tasks


def _utterances(
    chooser: Chooser,
    split: str,
    style: Style,
    compose: Compose,
    rate: int,
    seconds: float,
    rng: random.Random,
) -> tuple[str, ...]:
    """Choose what surely fills the seconds; the speaker stops when they are full."""
    letters = math.ceil(seconds * LETTERS_PER_SECOND * rate / DEFAULT_RATE)
    texts: list[str] = []
    while sum(map(len, texts)) < letters:
        texts.append(chooser.take(split, rng.choice(style.sentences_an_utterance), compose, rng))
    texts += [chooser.take(split, 1, compose, rng) for _ in range(SPARE_UTTERANCES)]
    return tuple(texts)
