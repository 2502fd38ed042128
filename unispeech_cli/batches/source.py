"""Which cuts train together: those of one language, within the limits, with known units.

Legend: N cuts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from lhotse.cut import Cut

from unispeech_cli.batches.augment import AugmentSettings
from unispeech_cli.batches.index import Array, CutIndex, index_cuts
from unispeech_cli.batches.plan import Pool
from unispeech_cli.batches.shares import Part, shares
from unispeech_cli.frames import RECEPTIVE_FIELD, SAMPLE_RATE
from unispeech_cli.lang.tokens import TokenTable


@dataclass(frozen=True)
class Division:
    """How an update is divided: each of `ranks` goes through `batches` of at most `seconds` padded seconds."""

    ranks: int
    batches: int
    seconds: float

    def __str__(self) -> str:
        several = f"{self.ranks} ranks x " if self.ranks > 1 else ""
        return f"{several}{self.batches} batch{'es' if self.batches > 1 else ''} of {self.seconds:g} s"


@dataclass(frozen=True)
class LoaderSettings:
    """What a batch holds. Seconds are of audio; a batch's are padded."""

    # what one forward pass sees at most; bounded by memory
    seconds_per_batch: float = 75.0
    # what one optimiser step sees, over all batches of all ranks
    seconds_per_update: float = 4800.0
    # cuts outside are left out, and counted
    min_seconds: float = 0.1
    max_seconds: float = 20.0
    # labelled speech's share of the audio trained on; null: by the corpora's hours
    labeled_share: float | None = None
    # p(language) ~ hours ** alpha, for labelled and unlabelled speech each; null: languages are not told apart
    language_alpha: float | None = 0.5
    # processes that read audio ahead, of each rank; null: by the cores there are; 0 reads in the training process
    workers: int | None = None
    # batches that each of them has ready; null: about five minutes of audio
    prefetch: int | None = None
    # speech varied in speed, put in rooms and in noise; by default not
    augment: AugmentSettings = field(default_factory=AugmentSettings)

    def __post_init__(self) -> None:
        if self.seconds_per_batch <= 0 or self.seconds_per_update <= 0:
            raise ValueError("seconds_per_batch and seconds_per_update are above 0")
        if self.labeled_share is not None and not 0 <= self.labeled_share <= 1:
            raise ValueError(f"labeled_share is a share from 0 to 1, not {self.labeled_share:g}")
        if self.language_alpha is not None and self.language_alpha < 0:
            raise ValueError(f"language_alpha is 0 or more, not {self.language_alpha:g}")
        if self.workers is not None and self.workers < 0:
            raise ValueError(f"workers is a number of processes, not {self.workers}")
        if self.prefetch is not None and self.prefetch < 1:
            raise ValueError(f"prefetch is 1 batch or more, not {self.prefetch}")

    def division(self, ranks: int = 1) -> Division:
        """The fewest batches that hold `seconds_per_update`, the same number on every rank."""
        whole = self.seconds_per_update / (ranks * self.seconds_per_batch)
        batches = max(1, math.ceil(round(whole, 6)))
        return Division(
            ranks, batches, min(self.seconds_per_batch, self.seconds_per_update / (batches * ranks))
        )

    @property
    def shortest(self) -> float:
        """The least seconds trained on: the setting, but never less than one frame takes, played fastest."""
        return max(self.min_seconds, RECEPTIVE_FIELD / SAMPLE_RATE * max(1.0, *self.augment.speeds))


@dataclass(frozen=True)
class Source:
    """Cuts of some manifests that train together: labelled or not, of one language (None: not told apart)."""

    indexes: tuple[CutIndex, ...]
    labelled: bool
    language: str | None
    # (manifest, number) of every cut kept, and its seconds
    place_N2: Array
    seconds_N: Array
    left_out: int

    @property
    def hours(self) -> float:
        return float(self.seconds_N.sum(dtype=np.float64)) / 3600

    @property
    def part(self) -> Part:
        return Part(self.labelled, self.language, self.hours)

    def cut(self, number: int) -> Cut:
        manifest, place = self.place_N2[number]
        return self.indexes[manifest].cut(int(place))


def open_sources(
    manifests: Sequence[Path], labelled: bool, settings: LoaderSettings, tokens: TokenTable
) -> list[Source]:
    """As `kept_sources`. Raises ValueError, too, when labelled cuts have units that the token table lacks."""
    indexes = tuple(map(index_cuts, manifests))
    if labelled:
        check_units(manifests, indexes, tokens)
    return _kept(manifests, indexes, labelled, settings)


def kept_sources(manifests: Sequence[Path], labelled: bool, settings: LoaderSettings) -> list[Source]:
    """Index manifests and keep the cuts within the limits, each language by itself.

    Raises ValueError when nothing of a language is left.
    """
    return _kept(manifests, tuple(map(index_cuts, manifests)), labelled, settings)


def _kept(
    manifests: Sequence[Path], indexes: tuple[CutIndex, ...], labelled: bool, settings: LoaderSettings
) -> list[Source]:
    place_N2 = np.concatenate([_places(number, len(index)) for number, index in enumerate(indexes)])
    seconds_N = np.concatenate([index.seconds_N for index in indexes])
    kept_N = (seconds_N >= settings.shortest) & (seconds_N <= settings.max_seconds)
    sources = []
    languages = _languages(indexes, settings.language_alpha is not None)
    for language, own_N in languages.items():
        mine_N = kept_N & own_N
        if not mine_N.any():
            limits = f"{settings.shortest:g} .. {settings.max_seconds:g} s"
            of = f" of {language}" if len(languages) > 1 else ""
            raise ValueError(
                f"{', '.join(map(str, manifests))}: none of {own_N.sum()} cuts{of} lasts {limits}"
            )
        left_out = int((own_N & ~kept_N).sum())
        sources.append(Source(indexes, labelled, language, place_N2[mine_N], seconds_N[mine_N], left_out))
    return sources


def _places(manifest: int, cuts: int) -> Array:
    """(manifest, number) of each of its cuts."""
    return np.stack([np.full(cuts, manifest, dtype=np.int32), np.arange(cuts, dtype=np.int32)], 1)


def _languages(indexes: Sequence[CutIndex], apart: bool) -> dict[str | None, Array]:
    """Which cuts are of which language (N,), by name."""
    if not apart:
        return {None: np.ones(sum(map(len, indexes)), dtype=bool)}
    names = sorted({name for index in indexes for name in index.languages})
    codes = [np.array([names.index(name) for name in index.languages], dtype=np.int16) for index in indexes]
    code_N = np.concatenate([code[index.language_N] for code, index in zip(codes, indexes, strict=True)])
    return {name: code_N == code for code, name in enumerate(names)}


def check_units(manifests: Sequence[Path], indexes: Sequence[CutIndex], tokens: TokenTable) -> None:
    """Raise ValueError naming a manifest without training units, or with units that the table lacks."""
    for manifest, index in zip(manifests, indexes, strict=True):
        if not index.units:
            raise ValueError(f"{manifest} holds no training units; run `unispeech phonemize` on it first")
        for language, seen in index.units.items():
            try:
                tokens.encode(seen, language)
            except ValueError as error:
                cure = "the manifest and the lang directory do not belong together"
                raise ValueError(f"{manifest}: {error}; {cure}") from None


def pools(sources: Sequence[Source], settings: LoaderSettings) -> list[Pool]:
    """The sources with their shares of the audio trained on."""
    of_all = shares([source.part for source in sources], settings.labeled_share, settings.language_alpha)
    return [
        Pool(source.seconds_N, share, source.labelled) for source, share in zip(sources, of_all, strict=True)
    ]


def summary(sources: Sequence[Source], settings: LoaderSettings, ranks: int = 1) -> list[str]:
    """Lines on what is trained on, and how much of it an update sees on how many ranks."""
    limits = f"{settings.shortest:g} .. {settings.max_seconds:g} s"
    several = len(sources) > len({source.labelled for source in sources})
    lines = []
    for source, pool in zip(sources, pools(sources, settings), strict=True):
        of = f" {source.language or 'of no language'}" if several else ""
        share = f", {100 * pool.share:.1f} % of the audio trained on" if several else ""
        lines.append(
            f"{'labelled' if source.labelled else 'unlabelled'}{of}: {len(source.seconds_N)} cuts, "
            f"{source.hours:.2f} h{share}; {source.left_out} outside {limits}"
        )
    return lines + [f"an update: {settings.division(ranks)}"]
