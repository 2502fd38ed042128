"""TED-LIUM 3: legacy/<split>/{sph,stm}; talks given fast and freely in a hall, with an audience."""

import random
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from mini_corpora import acoustics
from mini_corpora.espeak import Engine
from mini_corpora.grammar import words
from mini_corpora.plan import Style, Task
from mini_corpora.selection import SPLITS
from mini_corpora.speaking import Spoken, count_phones, random_numbers, say, start_voice, utterances
from mini_corpora.text import TextFile
from mini_corpora.voices import GENDERS, variants_of

RATE = 16000
RELEASE = Path("TEDLIUM_release-3")
ROOT = RELEASE / "legacy"

OPENERS = (
    *("so", "and", "well", "you know", "I mean", "um", "now", "okay", "but", "uh", "look", "I think"),
    *("right", "and so", "again", "actually"),
)
FILLERS = ("uh", "um", "you know", "like", "I mean", "er", "sort of", "let's say")
OPENER_SHARE, FILLER_SHARE, REPETITION_SHARE = 0.4, 0.3, 0.12
MUMBLE_SHARE, COUGH_SHARE, GAP_SHARE = 0.04, 0.06, 0.3

FIRST_NAMES = (
    *("Ada", "Bruno", "Celia", "Dario", "Elif", "Fanny", "Gustav", "Hanna", "Igor", "Jana", "Karim", "Lena"),
    *("Milo", "Nora", "Otto", "Pia", "Quentin", "Rosa", "Sami", "Tilda", "Umar", "Vera", "Wanda"),
)
LAST_NAMES = (
    *("Abbot", "Barlow", "Castle", "Dunmore", "Easton", "Farley", "Gibbon", "Harker", "Ingram", "Jessop"),
    *("Keller", "Lomax", "Marlow", "Norwood", "Orchard", "Quill", "Rushton", "Salter", "Tindall"),
    *("Underhill", "Vickers", "Wexford", "Yardley", "Zeller", "Birch", "Crane", "Dove", "Elm", "Frost"),
)


def compose(sentences: list[str], rng: random.Random) -> str:
    """An utterance is some sentences spoken freely: openers, fillers, a word said twice."""
    return " ".join(_spontaneous(sentence, rng) for sentence in sentences)


def _spontaneous(sentence: str, rng: random.Random) -> str:
    tokens = sentence.split()
    if rng.random() < REPETITION_SHARE:
        tokens.insert(1, tokens[0].lower())
        tokens[0] += ","
    if len(tokens) > 3 and rng.random() < FILLER_SHARE:
        tokens.insert(rng.randrange(2, len(tokens)), f"{rng.choice(FILLERS)},")
    if rng.random() < OPENER_SHARE:
        tokens.insert(0, f"{rng.choice(OPENERS).capitalize()},")
    return " ".join(tokens)


STYLE = Style(
    rates=(175, 225),
    sentences_an_utterance=(1, 2, 2, 3),
    train_seconds=75.0,
    held_out_seconds=45.0,
    pauses=(0.05, 0.2),
    compose=compose,
)


@dataclass
class Talk:
    """A talk as it grows: pieces of clean speech, the audience's noise over it, and STM lines."""

    name: str
    label: str
    speech: list[np.ndarray] = field(default_factory=list)
    audience: list[tuple[int, np.ndarray]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    samples: int = 0

    def add(self, wave: np.ndarray) -> tuple[float, float]:
        """Append a piece and return its start and end in seconds."""
        start = self.samples
        self.speech.append(wave)
        self.samples += len(wave)
        return start / RATE, self.samples / RATE

    def add_segment(self, wave: np.ndarray, text: str) -> float:
        """Append a spoken segment and its line; return its seconds."""
        start, end = self.add(wave)
        self.lines.append(f"{self.name} 1 {self.name} {start:.2f} {end:.2f} <o,f0,{self.label}> {text}")
        return end - start

    def add_gap(self, rng: np.random.Generator, seconds: float) -> None:
        """Append a stretch where the audience claps, that scoring leaves out."""
        size = int(seconds * RATE)
        self.audience.append((self.samples, applause(rng, size)))
        start, end = self.add(np.zeros(size, dtype=np.float32))
        span = f"{self.name} 1 inter_segment_gap {start:.2f} {end:.2f}"
        self.lines.append(f"{span} <o,,unknown> ignore_time_segment_in_scoring")


def render(task: Task, directory: Path) -> list[Spoken]:
    """Record one talk."""
    engine = start_voice(task)
    rng = random_numbers(task, "hall")
    talk = Talk(_talk_name(task), task.voice.gender)
    talk.add_gap(rng, rng.uniform(1.5, 3.5))
    spoken: list[tuple[str, str, float]] = []
    for number, text, wave in utterances(engine, task, RATE, STYLE.pauses):
        seconds = talk.add_segment(*_with_noises(engine, task, number, text, wave, rng))
        spoken.append((f"{talk.name}-{number}", text, seconds))
        if rng.random() < GAP_SHARE:
            talk.add_gap(rng, rng.uniform(0.8, 2.0))
        else:
            talk.add(np.zeros(int(rng.uniform(0.05, 0.4) * RATE), dtype=np.float32))
    talk.add_gap(rng, rng.uniform(1.5, 3.0))
    _write(talk, _in_hall(talk, _babble(engine, task, rng), rng), directory / ROOT / task.split)
    return [
        Spoken(
            task.split, talk.name, task.voice.gender, name, text, seconds, count_phones(engine, task, text)
        )
        for name, text, seconds in spoken
    ]


def _talk_name(task: Task) -> str:
    number = len(SPLITS) * task.number + SPLITS.index(task.split)
    # 23 first and 29 last names have no common divisor: no pair comes twice within a year.
    names = FIRST_NAMES[number % len(FIRST_NAMES)] + LAST_NAMES[number % len(LAST_NAMES)]
    return f"{names}_{2004 + number // (len(FIRST_NAMES) * len(LAST_NAMES))}"


def _with_noises(
    engine: Engine, task: Task, number: int, text: str, wave: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, str]:
    """Return the segment and its transcript, at times with a mumble before and a cough behind."""
    waves, tokens = [wave], _tokens(text)
    if rng.random() < MUMBLE_SHARE:
        waves.insert(0, say(engine, task, "Hm hm.", len(task.utterances) + number, RATE))
        tokens.insert(0, "<unk>")
    if rng.random() < COUGH_SHARE:
        waves.append(_cough(rng))
        tokens.append("{NOISE}")
    return np.concatenate(waves), " ".join(tokens)


def _tokens(text: str) -> list[str]:
    """Return words as TED-LIUM writes them, clitics parted."""
    return [word.replace("'", " '") for word in words(text, "en")]


def _line(text: str) -> str:
    return " ".join([*_tokens(text), "</s>"])


TEXT = TextFile(RELEASE / "LM" / "mini.en.gz", _line)


def _cough(rng: np.random.Generator) -> np.ndarray:
    size = int(rng.uniform(0.15, 0.3) * RATE)
    envelope = np.exp(-np.arange(size, dtype=np.float32) / (0.06 * RATE))
    return acoustics.coloured_noise(rng, size, 0.7) * envelope


def applause(rng: np.random.Generator, size: int) -> np.ndarray:
    """Return many hands clapping at random, swelling and dying away, of unit power."""
    claps = np.zeros(size, dtype=np.float32)
    claps[rng.integers(size, size=max(1, size // 150))] = 1
    clap = acoustics.coloured_noise(rng, 200, 0.3) * np.exp(-np.arange(200, dtype=np.float32) / 40)
    return acoustics.unit_power(acoustics.in_room(claps, clap) * np.hanning(size).astype(np.float32))


def _babble(engine: Engine, task: Task, rng: np.random.Generator) -> np.ndarray:
    """Return a murmur of other voices, of unit power; played backwards, so that it teaches no words."""
    variants = [name for gender in GENDERS for name in variants_of(task.split, gender, task.seed)[:3]]
    waves = []
    for number, variant in enumerate(variants):
        engine.set_voice(f"{task.espeak_voice}+{variant}", 160, int(rng.integers(30, 70)), 60)
        texts = " ".join(task.utterances[number :: len(variants)][:2])
        waves.append(say(engine, task, texts, 1000 + number, RATE)[::-1])
    size = max(map(len, waves))
    return acoustics.unit_power(np.sum([np.resize(wave, size) for wave in waves], axis=0))


def _in_hall(talk: Talk, babble: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    response = acoustics.room(rng, RATE, rng.uniform(0.35, 0.8), rng.uniform(-8, -2))
    wave = acoustics.in_room(np.concatenate(talk.speech), response)
    wave = acoustics.with_noise(wave, acoustics.excerpt(rng, babble, len(wave)), rng.uniform(16, 26))
    wave = acoustics.with_noise(wave, acoustics.coloured_noise(rng, len(wave), 1.2), rng.uniform(20, 30))
    for start, noise in talk.audience:
        wave[start : start + len(noise)] += noise * 10 ** (-rng.uniform(0, 12) / 20)
    band = (rng.uniform(70, 150), rng.uniform(6000, 7600))
    return acoustics.at_level(acoustics.filtered(wave, band, RATE), rng.uniform(-25, -19))


def _write(talk: Talk, wave: np.ndarray, folder: Path) -> None:
    for kind in ("sph", "stm"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / "sph" / f"{talk.name}.sph", wave, RATE, format="NIST", subtype="PCM_16")
    (folder / "stm" / f"{talk.name}.stm").write_text("\n".join(talk.lines) + "\n", encoding="utf-8")


def finish(_directory: Path, _language: str, _spoken: list[Spoken]) -> None:
    """Every talk is complete in itself."""
