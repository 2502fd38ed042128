"""The gradient of one batch: whole, in halves where memory runs out, or a fault that says why there is none.

Gradients are asked for, not left in `.grad`: a batch that fails half-way leaves nothing behind.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from unispeech_cli.batches.batch import Batch
from unispeech_cli.objective.unispeech import Losses
from unispeech_cli.trainer.guard import Fault, heard
from unispeech_cli.trainer.precision import Precision

OnFault = Callable[[str], None]


class Objective(Protocol):
    """What a model computes of a batch -> losses, whose names it tells beforehand."""

    @property
    def terms(self) -> Sequence[str]: ...

    @property
    def watched(self) -> Sequence[str]: ...

    def __call__(self, output: Any, batch: Batch, /) -> Losses: ...


@dataclass(frozen=True)
class Outcome:
    """What came of a batch: losses and gradients, or neither."""

    batch: Batch
    # with the gradients in the order of the parameters, None where one has no part in the loss
    losses: Losses | None = None
    gradients: tuple[Tensor | None, ...] = ()
    # loss or gradient is not a number
    fault: Fault | None = None
    # gradients are beyond the range of fp16, which a smaller scale mends
    overflow: bool = False


def outcomes(
    model: nn.Module,
    objective: Objective,
    precision: Precision,
    parameters: Mapping[str, nn.Parameter],
    batch: Batch,
    on_fault: OnFault,
) -> Iterator[Outcome]:
    """Of a batch one; where memory runs out one of each half, or none where that is not enough.

    What was split or left out is told to `on_fault` by cut.
    """
    parts = [batch]
    while parts:
        part = parts.pop(0)
        try:
            yield _outcome(model, objective, precision, parameters, part)
            continue
        except (RuntimeError, MemoryError) as error:
            if not _is_memory(error):
                raise
        # after the block: what the error holds of the failed attempt is free by now
        if part.wave_BS.is_cuda:
            torch.cuda.empty_cache()
        cuts, rows = ", ".join(part.cut_ids), len(part.cut_ids)
        if part is batch and rows > 1:
            on_fault(f"out of memory, tried again in halves: {cuts}")
            parts = [batch.rows(0, rows // 2), batch.rows(rows // 2, rows)]
        else:
            on_fault(f"out of memory, left out: {cuts}; a smaller data.seconds_per_batch helps")


def _outcome(
    model: nn.Module,
    objective: Objective,
    precision: Precision,
    parameters: Mapping[str, nn.Parameter],
    batch: Batch,
) -> Outcome:
    with precision.autocast():
        output = model(batch.wave_BS, batch.wave_lengths_B, seeds=batch.seeds)
    losses = objective(output, batch)
    total = losses.total
    if not bool(total.detach().isfinite()):
        wrong = next((name for name, term in losses.terms.items() if not term.isfinite()), "total")
        return Outcome(
            batch, fault=Fault(f"loss {wrong} is {losses.terms.get(wrong, total):g}", heard(batch))
        )
    weights = list(parameters.values())
    gradients = torch.autograd.grad(total * precision.loss_scale.value, weights, allow_unused=True)
    unsound = _not_finite(dict(zip(parameters, gradients, strict=True)))
    if unsound is None:
        return Outcome(batch, losses, gradients)
    if precision.loss_scale.moves:
        return Outcome(batch, overflow=True)
    return Outcome(batch, fault=Fault(f"gradient of {unsound} is not finite", heard(batch)))


def _not_finite(gradients: Mapping[str, Tensor | None]) -> str | None:
    """The name of a gradient that is not all numbers."""
    there = {name: gradient for name, gradient in gradients.items() if gradient is not None}
    # infinities and NaN survive a sum; a sum may be infinite without them
    if bool(torch.stack([gradient.sum() for gradient in there.values()]).sum().isfinite()):
        return None
    return next((name for name, gradient in there.items() if not gradient.isfinite().all()), None)


def add_gradients(parameters: Mapping[str, nn.Parameter], gradients: Sequence[Tensor | None]) -> None:
    """Add to `.grad` what came of a batch; nothing where nothing came."""
    if not gradients:
        return
    for weight, gradient in zip(parameters.values(), gradients, strict=True):
        if gradient is not None:
            # a copy: gradients of two weights may be one tensor
            weight.grad = gradient.clone() if weight.grad is None else weight.grad.add_(gradient)


def _is_memory(error: Exception) -> bool:
    told = str(error)
    return (
        isinstance(error, MemoryError | torch.cuda.OutOfMemoryError)
        or "DefaultCPUAllocator" in told
        or "CUDA out of memory" in told
    )
