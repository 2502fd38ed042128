"""CommonVoice: <lang>/clips/*.mp3 and the TSV files; read speech from everybody's own microphone."""

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from mini_corpora import acoustics
from mini_corpora.plan import Style, Surroundings, Task
from mini_corpora.selection import SPLITS
from mini_corpora.speaking import Spoken, count_phones, random_numbers, start_voice, utterances

COLUMNS = (
    *("client_id", "path", "sentence_id", "sentence", "sentence_domain", "up_votes", "down_votes"),
    *("age", "gender", "accents", "variant", "locale", "segment"),
)
REPORTED_COLUMNS = ("sentence", "sentence_id", "locale", "reason")
GENDERS = {"female": "female_feminine", "male": "male_masculine"}
AGES = ("teens", "twenties", "thirties", "fourties", "fifties", "sixties", "")

RATES = (32000, 32000, 32000, 32000, 48000)
NOISE_SECONDS = 6
FIRST_CLIP = {"train": 20_000_000, "dev": 30_000_000, "test": 40_000_000}
CLIPS_A_SPEAKER = 1000


def compose(sentences: list[str], _rng: random.Random) -> str:
    """One sentence is one clip."""
    return " ".join(sentences)


STYLE = Style(
    rates=(105, 165),
    sentences_an_utterance=(1,),
    train_seconds=30.0,
    held_out_seconds=17.0,
    pauses=(0.15, 0.5),
    compose=compose,
)


@dataclass(frozen=True)
class Microphone:
    """A speaker's recording gear and room."""

    rate: int
    band: tuple[float, float]
    noise: np.ndarray
    room: np.ndarray | None
    snr_db: float
    level_db: float


def render(task: Task, directory: Path) -> list[Spoken]:
    """Record one speaker's clips."""
    engine = start_voice(task)
    rng = random_numbers(task, "microphone")
    microphone = _draw_microphone(rng, task.surroundings)
    clips = directory / "clips"
    clips.mkdir(parents=True, exist_ok=True)
    lengths: list[tuple[str, str, float]] = []
    for number, text, wave in utterances(engine, task, microphone.rate, STYLE.pauses):
        clip_number = FIRST_CLIP[task.split] + task.number * CLIPS_A_SPEAKER + number
        name = f"common_voice_{task.language}_{clip_number}.mp3"
        clip = _record(wave, microphone, rng)
        soundfile.write(
            clips / name,
            clip,
            microphone.rate,
            format="MP3",
            subtype="MPEG_LAYER_III",
            bitrate_mode="VARIABLE",
            compression_level=0.5,
        )
        lengths.append((name, text, len(clip) / microphone.rate))
    speaker = hashlib.sha512(task.name.encode()).hexdigest()
    return [
        Spoken(task.split, speaker, task.voice.gender, name, text, seconds, count_phones(engine, task, text))
        for name, text, seconds in lengths
    ]


def _draw_microphone(rng: np.random.Generator, surroundings: Surroundings) -> Microphone:
    rate = int(rng.choice(RATES))
    size = NOISE_SECONDS * rate
    noise = acoustics.coloured_noise(rng, size, rng.uniform(0.3, 1.6))
    if rng.random() < 0.25:
        noise = acoustics.unit_power(noise + 0.7 * acoustics.hum(rng, size, rate))
    high = rng.uniform(4200, 7000) if rng.random() < 0.1 else rng.uniform(7500, 15000)
    reverberant = rng.random() < surroundings.rooms
    return Microphone(
        rate=rate,
        band=(rng.uniform(50, 180), high),
        noise=noise,
        room=acoustics.room(rng, rate, rng.uniform(0.12, 0.3), rng.uniform(-14, -6)) if reverberant else None,
        snr_db=rng.uniform(*surroundings.snr_db),
        level_db=rng.uniform(-33, -20),
    )


def _record(wave: np.ndarray, microphone: Microphone, rng: np.random.Generator) -> np.ndarray:
    speech = wave if microphone.room is None else acoustics.in_room(wave, microphone.room)
    noise = acoustics.excerpt(rng, microphone.noise, len(speech))
    speech = acoustics.with_noise(speech, noise, microphone.snr_db + rng.uniform(-2, 2))
    return acoustics.at_level(
        acoustics.filtered(speech, microphone.band, microphone.rate), microphone.level_db + rng.uniform(-2, 2)
    )


def finish(directory: Path, language: str, spoken: list[Spoken]) -> None:
    """Write the TSV files beside the clips."""
    rows = {split: [_row(one, language) for one in spoken if one.split == split] for split in SPLITS}
    tables = rows | {
        "validated": [row for split in SPLITS for row in rows[split]],
        "invalidated": [],
        "other": [],
    }
    for name, lines in tables.items():
        _write_table(directory / f"{name}.tsv", COLUMNS, lines)
    _write_table(directory / "reported.tsv", REPORTED_COLUMNS, [])
    lengths = [(one.clip, str(round(1000 * one.seconds))) for one in spoken]
    _write_table(directory / "clip_durations.tsv", ("clip", "duration[ms]"), lengths)


def _row(one: Spoken, language: str) -> tuple[str, ...]:
    sentence_id = hashlib.sha256(one.text.encode()).hexdigest()
    person = int(one.speaker[:8], 16)
    age, up_votes = AGES[person % len(AGES)], str(2 + person % 4)
    fields = (one.speaker, one.clip, sentence_id, one.text, "", up_votes, "0", age, GENDERS[one.gender])
    return (*fields, "", "", language, "")


def _write_table(path: Path, columns, rows) -> None:
    lines = ["\t".join(row) for row in (columns, *rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
