"""LibriSpeech: <part>/<speaker>/<chapter>/*.flac and .trans.txt; books read slowly in a quiet room."""

import random
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile

from mini_corpora import acoustics
from mini_corpora.grammar import words
from mini_corpora.plan import Style, Task
from mini_corpora.speaking import Spoken, count_phones, random_numbers, start_voice, utterances
from mini_corpora.text import TextFile

RATE = 16000
PARTS = {"train": "train-clean-5", "dev": "dev-clean-2", "test": "test-clean"}
UTTERANCES_A_CHAPTER = 6
NOISE_SECONDS = 20
SPEAKERS_HEADER = ";ID  |SEX| SUBSET           |MINUTES| NAME\n"


def compose(sentences: list[str], _rng: random.Random) -> str:
    """An utterance is some sentences read in one breath."""
    return " ".join(sentences)


STYLE = Style(
    rates=(115, 145),
    sentences_an_utterance=(1, 2, 2, 3),
    train_seconds=60.0,
    held_out_seconds=36.0,
    pauses=(0.2, 0.5),
    compose=compose,
)


def render(task: Task, directory: Path) -> list[Spoken]:
    """Record one reader's chapters."""
    engine = start_voice(task)
    rng = random_numbers(task, "studio")
    studio = _Studio(rng)
    reader = 100 + 3 * task.number + list(PARTS).index(task.split)
    folder = directory / "LibriSpeech" / PARTS[task.split] / str(reader)
    read: list[tuple[str, str, float]] = []
    for number, text, wave in utterances(engine, task, RATE, STYLE.pauses):
        chapter = 10_000 + 10 * reader + number // UTTERANCES_A_CHAPTER
        name = f"{reader}-{chapter}-{number % UTTERANCES_A_CHAPTER:04d}"
        place = folder / str(chapter)
        place.mkdir(parents=True, exist_ok=True)
        soundfile.write(place / f"{name}.flac", studio.record(wave, rng), RATE, subtype="PCM_16")
        with open(place / f"{reader}-{chapter}.trans.txt", "a", encoding="utf-8") as transcript:
            transcript.write(f"{name} {_transcript(text)}\n")
        read.append((name, text, len(wave) / RATE))
    return [
        Spoken(
            task.split, str(reader), task.voice.gender, name, text, seconds, count_phones(engine, task, text)
        )
        for name, text, seconds in read
    ]


class _Studio:
    """One reader's quiet room and good microphone."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.noise = acoustics.coloured_noise(rng, NOISE_SECONDS * RATE, rng.uniform(0.8, 1.6))
        self.band = (rng.uniform(50, 90), 7600.0)
        self.snr_db = rng.uniform(38, 52)
        self.level_db = rng.uniform(-27, -22)

    def record(self, wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the wave as it is on file."""
        noisy = acoustics.with_noise(wave, acoustics.excerpt(rng, self.noise, len(wave)), self.snr_db)
        return acoustics.at_level(acoustics.filtered(noisy, self.band, RATE), self.level_db)


def _transcript(text: str) -> str:
    return " ".join(words(text, "en")).upper().replace("’", "'")


# https://www.openslr.org/11, which icefall puts into a folder lm/ beside the corpus
TEXT = TextFile(Path("lm", "librispeech-lm-norm.txt.gz"), _transcript)


def finish(directory: Path, _language: str, spoken: list[Spoken]) -> None:
    """Write SPEAKERS.TXT."""
    minutes: dict[tuple[int, str, str], float] = defaultdict(float)
    for one in spoken:
        minutes[int(one.speaker), one.gender[0].upper(), PARTS[one.split]] += one.seconds / 60
    lines = [
        f"{who:<5}| {sex} | {part:<17}| {m:5.2f} | Reader {who}\n"
        for (who, sex, part), m in sorted(minutes.items())
    ]
    (directory / "LibriSpeech" / "SPEAKERS.TXT").write_text(
        SPEAKERS_HEADER + "".join(lines), encoding="utf-8"
    )
