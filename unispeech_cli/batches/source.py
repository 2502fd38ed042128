"""Which cuts train together: those of some manifests that are within the limits and have known units.

Legend: N cuts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lhotse.cut import Cut

from unispeech_cli.batches.index import Array, CutIndex, index_cuts
from unispeech_cli.batches.plan import Pool
from unispeech_cli.frames import RECEPTIVE_FIELD, SAMPLE_RATE
from unispeech_cli.lang.tokens import TokenTable


@dataclass(frozen=True)
class LoaderSettings:
    """What a batch holds. Seconds are of audio; a batch's are padded."""

    # what one forward pass sees at most; bounded by memory
    seconds_per_batch: float = 75.0
    # what one optimiser step sees, over all its batches
    seconds_per_update: float = 4800.0
    # cuts outside are left out, and counted
    min_seconds: float = 0.1
    max_seconds: float = 20.0
    # labelled speech's share of the audio trained on; null: by the corpora's hours
    labeled_share: float | None = None
    # processes that read audio ahead; 0 reads in the training process
    workers: int = 2

    def __post_init__(self) -> None:
        if self.seconds_per_batch <= 0 or self.seconds_per_update <= 0:
            raise ValueError("seconds_per_batch and seconds_per_update are above 0")
        if self.labeled_share is not None and not 0 <= self.labeled_share <= 1:
            raise ValueError(f"labeled_share is a share from 0 to 1, not {self.labeled_share:g}")
        if self.workers < 0:
            raise ValueError(f"workers is a number of processes, not {self.workers}")

    @property
    def batches_per_update(self) -> int:
        """Accumulation: how many batches make an update."""
        return max(1, round(self.seconds_per_update / self.seconds_per_batch))

    @property
    def shortest(self) -> float:
        """The least seconds trained on: the setting, but never less than one frame takes."""
        return max(self.min_seconds, RECEPTIVE_FIELD / SAMPLE_RATE)


@dataclass(frozen=True)
class Source:
    """Cuts of some manifests that train together, labelled or not."""

    indexes: tuple[CutIndex, ...]
    labelled: bool
    # (manifest, number) of every cut kept, and its seconds
    place_N2: Array
    seconds_N: Array
    left_out: int

    @property
    def hours(self) -> float:
        return float(self.seconds_N.sum(dtype=np.float64)) / 3600

    def cut(self, number: int) -> Cut:
        manifest, place = self.place_N2[number]
        return self.indexes[manifest].cut(int(place))


def open_source(
    manifests: Sequence[Path], labelled: bool, settings: LoaderSettings, tokens: TokenTable
) -> Source:
    """Index manifests and keep the cuts within the limits.

    Raises ValueError when labelled cuts have units that the token table lacks, or when nothing is left.
    """
    indexes = tuple(index_cuts(manifest) for manifest in manifests)
    if labelled:
        check_units(manifests, indexes, tokens)
    places = [np.stack([np.full(len(index), m), np.arange(len(index))], 1) for m, index in enumerate(indexes)]
    place_N2 = np.concatenate(places)
    seconds_N = np.concatenate([index.seconds_N for index in indexes])
    kept_N = (seconds_N >= settings.shortest) & (seconds_N <= settings.max_seconds)
    if not kept_N.any():
        limits = f"{settings.shortest:g} .. {settings.max_seconds:g} s"
        raise ValueError(f"{', '.join(map(str, manifests))}: none of {len(seconds_N)} cuts lasts {limits}")
    return Source(indexes, labelled, place_N2[kept_N], seconds_N[kept_N], int((~kept_N).sum()))


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


def pools(sources: Sequence[Source], labeled_share: float | None) -> list[Pool]:
    """Shares by hours, or the given share for the labelled sources and the rest for the others."""
    hours = {True: 0.0, False: 0.0}
    for source in sources:
        hours[source.labelled] += source.hours
    share = hours[True] / sum(hours.values()) if labeled_share is None else labeled_share
    of_kind = {True: share if hours[False] else 1.0, False: 1.0 - share if hours[True] else 1.0}
    return [Pool(s.seconds_N, of_kind[s.labelled] * s.hours / hours[s.labelled]) for s in sources]


def summary(sources: Sequence[Source], settings: LoaderSettings) -> list[str]:
    """Lines on what is trained on, and how much of it an update sees."""
    limits = f"{settings.shortest:g} .. {settings.max_seconds:g} s"
    lines = [
        f"{'labelled' if source.labelled else 'unlabelled'}: {len(source.seconds_N)} cuts, "
        f"{source.hours:.2f} h; {source.left_out} outside {limits}"
        for source in sources
    ]
    return lines + [f"an update: {settings.batches_per_update} batches of {settings.seconds_per_batch:g} s"]
