"""Who says what: the speakers of a corpus, each with a voice, utterances and seconds to fill."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from mini_corpora.selection import HELD_OUT, Chooser, Compose, SentenceSource
from mini_corpora.voices import TRACTS, Voice, draw_voices

LETTERS_PER_SECOND = 21  # at espeak's default rate, pauses between utterances included
DEFAULT_RATE = 175
FEWEST_UTTERANCES = 2


@dataclass(frozen=True)
class Surroundings:
    """Where people speak: decibels of their speech over noise, and the share of speakers who are heard in a room."""

    snr_db: tuple[float, float] = (28.0, 45.0)
    rooms: float = 0.1


@dataclass(frozen=True)
class Style:
    """How people speak in a corpus: espeak rates, seconds of pause; `compose` joins sentences.

    A speaker says `train_seconds` or `held_out_seconds`; vocal tracts are drawn from `tracts`.
    """

    rates: tuple[int, int]
    sentences_an_utterance: tuple[int, ...]
    train_seconds: float
    held_out_seconds: float
    pauses: tuple[float, float]
    compose: Compose
    tracts: tuple[float, float] = TRACTS
    surroundings: Surroundings = Surroundings()


@dataclass(frozen=True)
class Task:
    """One speaker's work, done by a process of its own. `name` seeds everything random about it."""

    name: str
    language: str
    espeak_voice: str
    split: str
    number: int
    seed: int
    voice: Voice
    utterances: tuple[str, ...]
    seconds: float
    surroundings: Surroundings = Surroundings()


@dataclass(frozen=True)
class Size:
    """How much to make: seconds of speech in each split."""

    train: float
    dev: float
    test: float


def plan(name: str, source: SentenceSource, style: Style, size: Size, seed: int) -> list[Task]:
    """Plan one corpus in one language; dev and test come first, so they do not change with the hours."""
    chooser = Chooser(source, name)
    return [
        task
        for split in (*HELD_OUT, "train")
        for task in _plan_split(f"{name}/{split}", split, chooser, style, getattr(size, split), seed)
    ]


def _plan_split(
    name: str, split: str, chooser: Chooser, style: Style, seconds: float, seed: int
) -> Iterator[Task]:
    rng = random.Random(f"{name}/speakers")
    count = max(1, round(seconds / (style.train_seconds if split == "train" else style.held_out_seconds)))
    for number, voice in enumerate(draw_voices(split, count, style.rates, seed, rng, style.tracts)):
        # More letters than anybody says in the time; a speaker stops when the time is over.
        letters = math.ceil(seconds / count * LETTERS_PER_SECOND * voice.rate / DEFAULT_RATE)
        yield Task(
            name=f"{name}/{number}",
            language=chooser.grammar.language,
            espeak_voice=chooser.grammar.voice,
            split=split,
            number=number,
            seed=seed,
            voice=voice,
            utterances=_utterances(chooser, split, style, letters, rng),
            seconds=seconds / count,
            surroundings=style.surroundings,
        )


def _utterances(
    chooser: Chooser, split: str, style: Style, letters: int, rng: random.Random
) -> tuple[str, ...]:
    texts: list[str] = []
    while sum(map(len, texts)) < letters or len(texts) < FEWEST_UTTERANCES:
        texts.append(chooser.take(split, rng.choice(style.sentences_an_utterance), style.compose, rng))
    return tuple(texts)
