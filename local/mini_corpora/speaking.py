"""One speaker at work: utterances to waves, and the record of what was said."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import soxr

from mini_corpora.acoustics import padded, unit_power
from mini_corpora.espeak import Engine
from mini_corpora.plan import Task


@dataclass(frozen=True)
class Spoken:
    """One utterance on disk. `clip` is its file or its id, `text` the words said, `seconds` its length."""

    split: str
    speaker: str
    gender: str
    clip: str
    text: str
    seconds: float
    phones: Counter[str]


def number_from(*parts: object) -> int:
    """Return a number that depends on the parts alone, the same in every process."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:4], "big")


def random_numbers(task: Task, purpose: str) -> np.random.Generator:
    """Return the random numbers of one speaker for one purpose."""
    return np.random.default_rng(number_from(task.name, purpose))


def start_voice(task: Task, variant: str = "") -> Engine:
    """Start the engine with the speaker's voice, or the speaker's manner in another variant."""
    voice = task.voice
    engine = Engine()
    engine.set_voice(
        f"{task.espeak_voice}+{variant or voice.variant}", voice.rate, voice.pitch, voice.pitch_range
    )
    return engine


def say(engine: Engine, task: Task, text: str, number: int, rate: int) -> np.ndarray:
    """Return the text as a wave of unit power at `rate` samples a second, in the speaker's voice."""
    wave = engine.speak(text, number_from(task.name, "breath", number) >> 1)
    # Read as if sampled at another rate, all resonances move together: another length of vocal tract.
    return unit_power(soxr.resample(wave, engine.rate / task.voice.tract, rate))


def utterances(
    engine: Engine, task: Task, rate: int, pauses: tuple[float, float]
) -> Iterator[tuple[int, str, np.ndarray]]:
    """Yield the number, text and wave of utterances, silence around, until the speaker's seconds are full."""
    rng = random_numbers(task, "pauses")
    done = 0.0
    for number, text in enumerate(task.utterances):
        wave = padded(say(engine, task, text, number, rate), rng.uniform(*pauses), rng.uniform(*pauses), rate)
        seconds = len(wave) / rate
        if number and done + seconds / 2 > task.seconds:
            return
        done += seconds
        yield number, text, wave


def count_phones(engine: Engine, task: Task, text: str) -> Counter[str]:
    """Count the phones of a text as the language's plain voice says it."""
    engine.set_voice(task.espeak_voice)
    return Counter(engine.phones(text))
