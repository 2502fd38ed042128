"""Speakers: an espeak variant, its pitch, range and rate, and the length of the vocal tract."""

import random
from dataclasses import dataclass

# The wheel's variants that stay intelligible: whispers, robots and the most distorted are left out.
MALE = (
    "Alex Andy Denis Diogo Gene Gene2 Henrique Hugo Mario Michael Mike Reed Tweaky adam antonio benjamin "
    "boris ed edward fast grandpa iven3 iven4 john klatt3 klatt4 m1 m2 m3 m4 m5 m6 m7 m8 max michel "
    "miguel pablo paul pedro quincy rob robert sandro victor"
)
FEMALE = "Andrea Annie Nguyen anika aunty belinda f1 f2 f3 f4 f5 grandma linda steph steph2 steph3"
GENDERS = ("female", "male")
VARIANTS = {"male": tuple(MALE.split()), "female": tuple(FEMALE.split())}
HELD_OUT_SHARE = {"dev": 0.12, "test": 0.2}

PITCHES = (25, 75)
PITCH_RANGES = (25, 80)
TRACTS = (0.96, 1.04)


@dataclass(frozen=True)
class Voice:
    """How one speaker sounds; `tract` stretches all frequencies down, 1.05 being a 5 % longer vocal tract."""

    variant: str
    gender: str
    pitch: int
    pitch_range: int
    rate: int
    tract: float


def variants_of(split: str, gender: str, seed: int) -> tuple[str, ...]:
    """Return the variants that only this split may use; they are the same for all corpora and languages."""
    names = list(VARIANTS[gender])
    random.Random(f"variants/{gender}/{seed}").shuffle(names)
    dev = round(HELD_OUT_SHARE["dev"] * len(names))
    test = dev + round(HELD_OUT_SHARE["test"] * len(names))
    bounds = {"dev": (0, dev), "test": (dev, test), "train": (test, len(names))}
    return tuple(names[slice(*bounds[split])])


def draw_voices(
    split: str,
    count: int,
    rates: tuple[int, int],
    seed: int,
    rng: random.Random,
    tracts: tuple[float, float] = TRACTS,
) -> list[Voice]:
    """Draw speakers, women and men by turns, every variant once before any comes again."""
    decks = {gender: list(variants_of(split, gender, seed)) for gender in GENDERS}
    for deck in decks.values():
        rng.shuffle(deck)
    return [_voice(GENDERS[i % 2], decks[GENDERS[i % 2]], i // 2, rates, tracts, rng) for i in range(count)]


def _voice(
    gender: str,
    deck: list[str],
    turn: int,
    rates: tuple[int, int],
    tracts: tuple[float, float],
    rng: random.Random,
) -> Voice:
    return Voice(
        variant=deck[turn % len(deck)],
        gender=gender,
        pitch=rng.randint(*PITCHES),
        pitch_range=rng.randint(*PITCH_RANGES),
        rate=rng.randint(*rates),
        tract=round(rng.uniform(*tracts), 3),
    )
