"""Ranks: the processes that train one model together, as torchrun starts them; alone there is one.

Gradients are summed here once an update, not by torch's wrapper: docs/distributed.md says why. Nothing that goes
between ranks is ever unpickled.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from unispeech_cli.trainer.weights import usable_device

Record = TypeVar("Record")

# what torchrun sets, or whoever starts the processes
VARIABLES = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
# a rank may wait so long for another that writes a checkpoint or reads from a slow disk
PATIENCE = timedelta(minutes=30)
# gradients that are summed in one go
BUCKET = 2**25


@dataclass(frozen=True)
class Ranks:
    """One process of `size` that do the same at the same time, each on its device. Every method is for all at once.

    Each raises OSError when another rank has gone.
    """

    rank: int
    size: int
    device: torch.device

    def __str__(self) -> str:
        return f"{self.size} rank{'s' if self.size > 1 else ''}"

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes and speaks."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """The sum of a tensor over ranks, without its gradient; alone the tensor itself."""
        if self.size == 1:
            return values
        summed = values.detach().to(self.device, copy=True)
        with self._together():
            dist.all_reduce(summed)
        return summed.to(values.device)

    def totals(self, values: Sequence[float]) -> list[float]:
        """The sums of numbers over ranks."""
        return list(self.sum(torch.tensor(values, dtype=torch.float64)).tolist())

    def any(self, flag: bool) -> bool:
        """Whether any rank says so."""
        return self.totals([float(flag)])[0] > 0

    def wait(self) -> None:
        """Come here all before any goes on."""
        self.totals([0.0])

    def texts(self, text: str) -> list[str]:
        """What each rank says, in their order."""
        if self.size == 1:
            return [text]
        data = text.encode()
        lengths = [int(n) for n in self.totals([len(data) * (r == self.rank) for r in range(self.size)])]
        # gloo divides by the length: by 0 it takes the process with it
        own = torch.zeros(max(*lengths, 1), dtype=torch.uint8)
        own[: len(data)] = torch.tensor(list(data), dtype=torch.uint8)
        every = [torch.zeros_like(own, device=self.device) for _ in lengths]
        with self._together():
            dist.all_gather(every, own.to(self.device))
        return [bytes(said[:n].tolist()).decode() for said, n in zip(every, lengths, strict=True)]

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Give each of these, the same on all ranks, the sum of its gradients; one without any counts as 0."""
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        for bucket in _buckets(parameters) if self.size > 1 else ():
            gradients = [parameter.grad for parameter in bucket if parameter.grad is not None]
            summed = self.sum(torch.cat([gradient.flatten() for gradient in gradients]))
            parts = summed.split([gradient.numel() for gradient in gradients])
            for gradient, part in zip(gradients, parts, strict=True):
                gradient.copy_(part.view_as(gradient))

    @contextmanager
    def first_goes_first(self) -> Iterator[None]:
        """What is made once and then found, as an index of a manifest: the others begin when the first is done."""
        if not self.is_first:
            self.wait()
        yield
        if self.is_first:
            self.wait()

    def records(self, records: Iterator[Record]) -> Iterator[Record]:
        """What the first rank tells; the others do their work in silence. At the end they part."""
        for record in records:
            if self.is_first:
                yield record
        if self.size > 1:
            self.wait()
            dist.destroy_process_group()

    @contextmanager
    def _together(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            raise OSError(
                f"rank {self.rank} lost the other ranks ({reason}); what ended them is said by them"
            ) from None


ALONE = Ranks(0, 1, torch.device("cpu"))


def join(device: str, patience: timedelta = PATIENCE) -> Ranks:
    """The ranks that torchrun has started, or this process alone; cuda is then a GPU for each.

    A rank waits for another at most as long as its `patience`.
    Raises ValueError for a device that is not there, or that all ranks would share.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Ranks(0, 1, usable_device(device))
    missing = [name for name in VARIABLES if name not in os.environ]
    if missing:
        raise ValueError(f"WORLD_SIZE is {size} but {missing[0]} is not set: start with torchrun")
    if device not in ("cpu", "cuda"):
        raise ValueError(
            f"--device {device} is one for {size} ranks: say cuda, and each takes its own, or cpu"
        )
    place = usable_device(device if device == "cpu" else f"cuda:{os.environ['LOCAL_RANK']}")
    if place.type == "cuda":
        torch.cuda.set_device(place)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if place.type == "cuda" else "gloo", timeout=patience)
    return Ranks(dist.get_rank(), size, place)


def _buckets(parameters: Sequence[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    """Neighbours of together at most `BUCKET` elements; a larger one stands alone."""
    bucket: list[nn.Parameter] = []
    held = 0
    for parameter in parameters:
        if bucket and held + parameter.numel() > BUCKET:
            yield bucket
            bucket, held = [], 0
        bucket.append(parameter)
        held += parameter.numel()
    if bucket:
        yield bucket


class Exchange:
    """The sum over ranks that is due once in each round of batches; who has no batch takes part with zeros.

    The first call in a round is summed. A later one, of a batch that is tried again in parts, gets back what it
    gives.
    """

    def __init__(self, ranks: Ranks, size: int) -> None:
        self._ranks, self._size, self._due = ranks, size, False

    def __call__(self, values: Tensor) -> Tensor:
        if not self._due:
            return values
        self._due = False
        return self._ranks.sum(values)

    @contextmanager
    def round(self) -> Iterator[None]:
        """A batch on every rank, or none."""
        self._due = self._ranks.size > 1 and self._size > 0
        yield
        if self._due:
            self(torch.zeros(self._size, device=self._ranks.device))
