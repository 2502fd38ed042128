"""Manifests -> batches: by plan for training, by duration for decoding and validation."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from lhotse.cut import Cut
from torch.utils.data import DataLoader, Dataset

from unispeech_cli.batches.augment import Augmenter, open_augmenter
from unispeech_cli.batches.batch import Batch
from unispeech_cli.batches.feeding import WATCHED, Appetite, Readers, readers
from unispeech_cli.batches.index import index_cuts
from unispeech_cli.batches.plan import Planned, endless_plan
from unispeech_cli.batches.reading import Loaded, load
from unispeech_cli.batches.source import LoaderSettings, Source, check_units, pools
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.stopping import serve

OnFault = Callable[[str], None]

# seconds after which a batch that has not come never will
MOST_SECONDS = 900
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
    batch of which nothing could be read, so that the count of batches stays the position in the plan. A line,
    too, when whoever takes the batches waited for much of the time. Raises ValueError after 20 of those in a
    row, OSError where a process that reads has died or is stuck.
    """
    division = settings.division(size)
    plan = endless_plan(
        pools(sources, settings), division.seconds, seed, speeds=settings.augment.speeds, skip=skip
    )
    reader = _Reader(sources, tokens, open_augmenter(settings.augment, seed))
    ahead = readers(settings.workers, settings.prefetch, division.seconds)
    appetite, unreadable = Appetite(ahead.workers, WATCHED * division.batches), 0
    for loaded, waited, seconds in _clocked(_loaded(reader, islice(plan, rank, None, size), ahead)):
        yield _reported(loaded, on_fault)
        unreadable = 0 if loaded.batch is not None else unreadable + 1
        if unreadable == MOST_UNREADABLE:
            raise ValueError(f"{unreadable} batches in a row could not be read, at last {loaded.faults[-1]}")
        if line := appetite.after(waited, seconds):
            on_fault(line)


def _loaded(reader: "_Reader", plan: Iterator[Planned], ahead: Readers) -> Iterator[Loaded]:
    prefetch: dict[str, Any] = {"prefetch_factor": ahead.prefetch} if ahead.workers else {}
    others = multiprocessing.active_children()
    loader = DataLoader(
        reader,
        sampler=plan,
        batch_size=None,
        num_workers=ahead.workers,
        worker_init_fn=partial(_serve, os.getpid()),
        # the loader draws a seed for its workers; the training's own generator must not move on a resume
        generator=torch.Generator(),
        **prefetch,
    )
    with readers_alive():
        coming = iter(loader)
        if not ahead.workers:
            yield from coming
            return
        while True:
            try:
                with _alarm(MOST_SECONDS):
                    loaded = next(coming)
            except StopIteration:
                return
            except _Late:
                _kill([child for child in multiprocessing.active_children() if child not in others])
                raise OSError(
                    f"no batch has come for {MOST_SECONDS} s: processes that read audio are stuck, for want of shared "
                    "memory (/dev/shm) or of a disk that answers; fewer data.workers; the same command goes on"
                ) from None
            yield loaded


class _Late(Exception):
    """What was waited for has not come."""


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise _Late where what is within takes longer; the loader's own timeout ends no wait for half a message."""

    def ring(number: int, frame: object) -> None:
        raise _Late

    heard = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, heard)


def _kill(stuck: list[BaseProcess]) -> None:
    """End readers that hear no request to end; torch, which raises wherever it hears of such a death, hears nothing."""
    heard = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for reader in stuck:
        reader.kill()
    for reader in stuck:
        # one that waits for a disk does not even die
        reader.join(5)
    signal.signal(signal.SIGCHLD, heard)


def _serve(parent: int, worker: int) -> None:
    """A reader lives as long as its training: asked to stop, as SLURM asks all processes, it reads what is needed."""
    serve(parent)


@contextmanager
def readers_alive() -> Iterator[None]:
    """Within it the death of a process that reads audio is an OSError; torch tells it wherever the signal comes."""
    try:
        yield
    except (RuntimeError, ConnectionResetError, EOFError) as error:
        # the latter two come where it died while it handed a batch over
        if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
            raise
        cure = "the system ends such when memory is short: fewer data.workers or a lower data.prefetch"
        raise OSError(f"a process that reads audio has died; {cure}; the same command goes on") from None


def _clocked(source: Iterator[Loaded]) -> Iterator[tuple[Loaded, float, float]]:
    """What comes, the seconds waited for it, and the seconds since the one before came."""
    came = time.perf_counter()
    while True:
        asked = time.perf_counter()
        try:
            loaded = next(source)
        except StopIteration:
            return
        before, came = came, time.perf_counter()
        yield loaded, came - asked, came - before


def grouped(seconds: Sequence[float], seconds_per_batch: float) -> Iterator[list[int]]:
    """Numbers of neighbours, of which the longest come first, whose padded seconds fit."""
    group: list[int] = []
    for number in range(len(seconds)):
        if group and seconds[group[0]] * (len(group) + 1) > seconds_per_batch:
            yield group
            group = []
        group.append(number)
    if group:
        yield group


def inference_batches(
    cuts: Iterable[Cut], seconds_per_batch: float, tokens: TokenTable | None, on_fault: OnFault
) -> Iterator[Batch]:
    """Every cut once, the longest first; with labels where there are `tokens` and the cut is transcribed.

    A cut whose audio cannot be read, or is under 400 samples, is left out with a line to `on_fault`.
    """
    ordered = sorted(cuts, key=lambda cut: -cut.duration)
    for numbers in grouped([cut.duration for cut in ordered], seconds_per_batch):
        batch = _reported(load([ordered[number] for number in numbers], tokens), on_fault)
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


class _Reader(Dataset[Loaded]):
    def __init__(self, sources: Sequence[Source], tokens: TokenTable, augmenter: Augmenter | None) -> None:
        self._sources, self._tokens, self._augmenter = sources, tokens, augmenter

    def __getitem__(self, planned: Planned) -> Loaded:
        source = self._sources[planned.pool]
        try:
            cuts = [source.cut(number) for number in planned.cuts]
        except OSError as error:
            return Loaded(None, (f"batch {planned.number} left out: {error}",))
        heard = None if self._augmenter is None else partial(self._augmenter.heard, batch=planned.number)
        return load(cuts, self._tokens if source.labelled else None, planned.speeds, heard)


def _reported(loaded: Loaded, on_fault: OnFault) -> Batch | None:
    for fault in loaded.faults:
        on_fault(fault)
    return loaded.batch
