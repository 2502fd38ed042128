"""Cuts -> batches: reading audio and labels by plan for training, in duration order for decoding and validation."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from lhotse.cut import Cut
from torch.utils.data import DataLoader, Dataset

from unispeech_cli.audio import read_cut
from unispeech_cli.batches.batch import Batch, Example, collate
from unispeech_cli.batches.index import Array, CutIndex, index_cuts
from unispeech_cli.batches.plan import Planned, Pool, endless_plan
from unispeech_cli.frames import RECEPTIVE_FIELD, SAMPLE_RATE, ctc_frames_needed, num_frames
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.manifests import units

OnFault = Callable[[str], None]


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

    @property
    def batches_per_update(self) -> int:
        """Accumulation: how many batches make an update."""
        return max(1, round(self.seconds_per_update / self.seconds_per_batch))


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
        return float(self.seconds_N.sum()) / 3600

    def cut(self, number: int) -> Cut:
        manifest, place = self.place_N2[number]
        return self.indexes[manifest].cut(int(place))


def open_source(manifests: Sequence[Path], labelled: bool, settings: LoaderSettings, tokens: TokenTable) -> Source:
    """Index manifests and keep the cuts within the limits.

    Raises ValueError when labelled cuts have units that the token table lacks, or when nothing is left.
    """
    indexes = tuple(index_cuts(manifest) for manifest in manifests)
    if labelled:
        for manifest, index in zip(manifests, indexes, strict=True):
            _check_units(manifest, index, tokens)
    places = [np.stack([np.full(len(index), m), np.arange(len(index))], 1) for m, index in enumerate(indexes)]
    place_N2 = np.concatenate(places)
    seconds_N = np.concatenate([index.seconds_N for index in indexes])
    shortest = max(settings.min_seconds, RECEPTIVE_FIELD / SAMPLE_RATE)
    kept_N = (seconds_N >= shortest) & (seconds_N <= settings.max_seconds)
    if not kept_N.any():
        limits = f"{shortest:g} .. {settings.max_seconds:g} s"
        raise ValueError(f"{', '.join(map(str, manifests))}: none of {len(seconds_N)} cuts lasts {limits}")
    return Source(indexes, labelled, place_N2[kept_N], seconds_N[kept_N], int((~kept_N).sum()))


def training_batches(
    sources: Sequence[Source],
    tokens: TokenTable,
    settings: LoaderSettings,
    seed: int,
    skip: int,
    on_fault: OnFault,
) -> Iterator[Batch | None]:
    """Batches without end, from batch number `skip` of the plan on.

    A cut whose audio cannot be read is left out of its batch, with a line to `on_fault`; None stands for a batch
    of which nothing could be read, so that the count of batches stays the position in the plan.
    """
    plan = endless_plan(_pools(sources, settings.labeled_share), settings.seconds_per_batch, seed)
    reader = _Reader(sources, tokens)
    loader = DataLoader(
        reader,
        sampler=islice(plan, skip, None),  # type: ignore[arg-type]
        batch_size=None,
        num_workers=settings.workers,
    )
    for loaded in loader:
        yield _reported(loaded, on_fault)


def inference_batches(
    cuts: Iterable[Cut], seconds_per_batch: float, tokens: TokenTable | None, on_fault: OnFault
) -> Iterator[Batch]:
    """Every cut once, the longest first; with labels where there are `tokens` and the cut is transcribed.

    A cut whose audio cannot be read, or is under 400 samples, is left out with a line to `on_fault`.
    """
    for group in _grouped(sorted(cuts, key=lambda cut: -cut.duration), seconds_per_batch):
        batch = _reported(_load(group, tokens), on_fault)
        if batch is not None:
            yield batch


@dataclass(frozen=True)
class _Loaded:
    batch: Batch | None
    faults: tuple[str, ...]


class _Reader(Dataset[_Loaded]):
    def __init__(self, sources: Sequence[Source], tokens: TokenTable) -> None:
        self._sources, self._tokens = sources, tokens

    def __getitem__(self, planned: Planned) -> _Loaded:
        source = self._sources[planned.pool]
        cuts = [source.cut(number) for number in planned.cuts]
        return _load(cuts, self._tokens if source.labelled else None)


def _load(cuts: Sequence[Cut], tokens: TokenTable | None) -> _Loaded:
    examples, faults = [], []
    for cut in cuts:
        try:
            examples.append(_example(cut, tokens))
        except (ValueError, OSError) as error:
            faults.append(f"{cut.id} left out: {error}")
    return _Loaded(collate(examples) if examples else None, tuple(faults))


def _example(cut: Cut, tokens: TokenTable | None) -> Example:
    wave_S = torch.from_numpy(read_cut(cut))
    if len(wave_S) < RECEPTIVE_FIELD:
        raise ValueError(f"{len(wave_S)} samples at 16 kHz; the model needs {RECEPTIVE_FIELD}")
    supervision = cut.supervisions[0] if cut.supervisions else None
    language = (supervision.language if supervision else None) or ""
    labels = None
    if tokens is not None and supervision is not None and (spoken := units(supervision)):
        labels = tokens.encode(spoken, language)
        assert ctc_frames_needed(labels) <= num_frames(len(wave_S)), f"{cut.id}: phonemize should have dropped it"
    return Example(cut.id, language, wave_S, None if labels is None else torch.tensor(labels))


def _reported(loaded: _Loaded, on_fault: OnFault) -> Batch | None:
    for fault in loaded.faults:
        on_fault(fault)
    return loaded.batch


def _grouped(cuts: Sequence[Cut], seconds_per_batch: float) -> Iterator[list[Cut]]:
    """Neighbours, longest first, whose padded seconds fit."""
    group: list[Cut] = []
    for cut in cuts:
        if group and group[0].duration * (len(group) + 1) > seconds_per_batch:
            yield group
            group = []
        group.append(cut)
    if group:
        yield group


def _pools(sources: Sequence[Source], labeled_share: float | None) -> list[Pool]:
    """Shares by hours, or the given share for the labelled sources and the rest for the others."""
    hours = {kind: sum(source.hours for source in sources if source.labelled is kind) for kind in (True, False)}
    total = sum(hours.values())
    share = hours[True] / total if labeled_share is None else labeled_share
    of_kind = {True: share if hours[False] else 1.0, False: 1.0 - share if hours[True] else 1.0}
    return [Pool(s.seconds_N, of_kind[s.labelled] * s.hours / hours[s.labelled]) for s in sources]


def _check_units(manifest: Path, index: CutIndex, tokens: TokenTable) -> None:
    if not index.units:
        raise ValueError(f"{manifest} holds no training units; run `unispeech phonemize` on it first")
    for language, seen in index.units.items():
        try:
            tokens.encode(seen, language)
        except ValueError as error:
            raise ValueError(f"{manifest}: {error}; the manifest and the lang directory do not belong together") from None
