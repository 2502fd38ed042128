"""Cuts -> batches: audio and labels, by plan for training, by duration for decoding and validation."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import torch
from lhotse.cut import Cut
from torch.utils.data import DataLoader, Dataset

from unispeech_cli.audio import read_cut
from unispeech_cli.batches.batch import Batch, Example, collate
from unispeech_cli.batches.index import index_cuts
from unispeech_cli.batches.plan import Planned, endless_plan
from unispeech_cli.batches.source import LoaderSettings, Source, check_units, pools
from unispeech_cli.frames import RECEPTIVE_FIELD, ctc_frames_needed, num_frames
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.manifests import units

OnFault = Callable[[str], None]

# this many batches in a row without one readable cut are not a few bad files
MOST_UNREADABLE = 20


def training_batches(
    sources: Sequence[Source],
    tokens: TokenTable,
    settings: LoaderSettings,
    seed: int,
    skip: int,
    on_fault: OnFault,
    rank: int = 0,
    size: int = 1,
) -> Iterator[Batch | None]:
    """Batches without end, from batch number `skip` of the plan on; of `size` ranks each takes every size-th.

    A cut whose audio cannot be read is left out of its batch, with a line to `on_fault`; None stands for a
    batch of which nothing could be read, so that the count of batches stays the position in the plan. Raises
    ValueError after 20 of those in a row.
    """
    plan = endless_plan(pools(sources, settings), settings.division(size).seconds, seed)
    loader = DataLoader(
        _Reader(sources, tokens),
        sampler=islice(plan, skip + rank, None, size),
        batch_size=None,
        num_workers=settings.workers,
        # the loader draws a seed for its workers; the training's own generator must not move on a resume
        generator=torch.Generator(),
    )
    unreadable = 0
    for loaded in loader:
        yield _reported(loaded, on_fault)
        unreadable = 0 if loaded.batch is not None else unreadable + 1
        if unreadable == MOST_UNREADABLE:
            raise ValueError(f"{unreadable} batches in a row could not be read, at last {loaded.faults[-1]}")


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
class HeldOut:
    """Development cuts, gone through whole each time; without tokens they are taken as unlabelled."""

    cuts: tuple[Cut, ...]
    tokens: TokenTable | None
    seconds_per_batch: float
    # of how many parts this is one
    parts: int = 1

    def part(self, rank: int, size: int) -> "HeldOut":
        """What one of `size` ranks goes through: about as much as the others."""
        longest_first = sorted(self.cuts, key=lambda cut: -cut.duration)
        return replace(self, cuts=tuple(longest_first[rank::size]), parts=size)

    def batches(self, device: torch.device, on_fault: OnFault) -> Iterator[Batch]:
        """As `inference_batches`. Raises ValueError when no cut at all can be read, of a part not."""
        read = False
        for batch in inference_batches(self.cuts, self.seconds_per_batch, self.tokens, on_fault):
            read = True
            yield batch.to(device)
        if not read and self.parts == 1:
            raise ValueError(f"none of {len(self.cuts)} development cuts can be read")


def open_held_out(manifests: Sequence[Path], tokens: TokenTable | None, seconds_per_batch: float) -> HeldOut:
    """Open development manifests, all their cuts whatever they last.

    Raises ValueError when there are none, or when `tokens` are given and a manifest has no units or others.
    """
    indexes = [index_cuts(manifest) for manifest in manifests]
    if tokens is not None:
        check_units(manifests, indexes, tokens)
    cuts = tuple(index.cut(number) for index in indexes for number in range(len(index)))
    if not cuts:
        raise ValueError("no development cuts to choose the best checkpoint on; give --dev")
    return HeldOut(cuts, tokens, seconds_per_batch)


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
            faults.append(f"{cut.id} left out: {str(error).removeprefix(f'cut {cut.id}: ')}")
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
        _check_room(labels, num_frames(len(wave_S)))
    return Example(cut.id, language, wave_S, None if labels is None else torch.tensor(labels))


def _check_room(labels: Sequence[int], frames: int) -> None:
    if ctc_frames_needed(labels) > frames:
        needed = f"{len(labels)} labels need {ctc_frames_needed(labels)} frames, not {frames}"
        raise ValueError(f"{needed}; `unispeech phonemize` drops such cuts")


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
