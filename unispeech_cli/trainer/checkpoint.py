"""Checkpoints: whole or absent, checksummed, read back without unpickling anything."""

import json
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from unispeech_cli.atomic import atomic_dir, remove_dir
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.paths import CheckpointDir, ExpDir
from unispeech_cli.provenance import hash_file


@dataclass(frozen=True)
class Position:
    """Where a training stands."""

    update: int
    # batches of the plan consumed, by all ranks together
    batches: int
    best: float | None = None
    best_update: int | None = None
    # of a batch of the plan; another plan has other places. None: of an older version
    seconds_per_batch: float | None = None
    # of fp16
    loss_scale: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Identity:
    """What makes weights usable without the experiment around them."""

    # the resolved settings as YAML
    settings: str
    tokens: TokenTable


def save(
    place: CheckpointDir,
    model: nn.Module,
    position: Position,
    identity: Identity,
    optimizer: torch.optim.Optimizer | None = None,
    shadow: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a checkpoint; without an optimiser it serves decoding and fine-tuning only.

    With `shadow`, a moving average of the weights, that is what others read; the weights that train lie beside it.
    Raises OSError naming the directory when it cannot be written; nothing half-written stays behind.
    """
    with _whole(place) as fresh:
        state: dict[str, Any] = {"position": vars(position)}
        if optimizer is not None:
            tensors, state["param_groups"] = _flattened(optimizer)
            save_file(tensors, fresh.optimizer)
            save_file(_random(), fresh.random)
            if shadow is not None:
                save_file(_contiguous(model.state_dict()), fresh.trained)
        _write_parts(fresh, model.state_dict() if shadow is None else shadow, state, identity)


def save_imported(
    place: CheckpointDir, weights: Mapping[str, Tensor], identity: Identity, origin: str
) -> None:
    """Write a checkpoint of weights that were trained elsewhere, and with it whence they come.

    Raises OSError naming the directory when it cannot be written.
    """
    with _whole(place) as fresh:
        fresh.origin.write_text(origin, encoding="utf-8")
        _write_parts(fresh, weights, {"position": vars(Position(0, 0))}, identity)


def save_averaged(
    place: CheckpointDir,
    weights: Mapping[str, Tensor],
    position: Position,
    identity: Identity,
    averaged: Mapping[str, Any],
) -> None:
    """Write a checkpoint of weights that are the mean of others, and with it of which.

    Raises OSError naming the directory when it cannot be written.
    """
    with _whole(place) as fresh:
        _write_parts(fresh, weights, {"position": vars(position), "averaged": averaged}, identity)


def restore(
    place: CheckpointDir,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    shadow: Mapping[str, Tensor] | None = None,
) -> Position:
    """Bring model, optimiser, random state and the moving average to where a checkpoint was written.

    Raises ValueError naming a file whose checksum does not match.
    """
    verify(place)
    weights = _load(place.weights)
    for name, value in (shadow or {}).items():
        value.copy_(weights[name])
    model.load_state_dict(weights if shadow is None else _load(place.trained))
    state = json.loads(place.state.read_text(encoding="utf-8"))
    optimizer.load_state_dict(_unflattened(_load(place.optimizer), state["param_groups"]))
    _restore_random(_load(place.random))
    return Position(**state["position"])


def promote(source: CheckpointDir, place: CheckpointDir) -> None:
    """Make `place` of what others read in a checkpoint: its weights, not what it takes to train on.

    Raises OSError naming the directory when it cannot be written.
    """
    state = json.loads(source.state.read_text(encoding="utf-8"))
    with _whole(place) as fresh:
        for name in (source.weights.name, source.settings.name, source.tokens.name):
            shutil.copyfile(source.root / name, fresh.root / name)
        fresh.state.write_text(json.dumps({"position": state["position"]}), encoding="utf-8")
        _seal(fresh)


def read_position(place: CheckpointDir) -> Position:
    """Where a training stood. Raises ValueError where the checkpoint is damaged."""
    verify(place)
    return Position(**json.loads(place.state.read_text(encoding="utf-8"))["position"])


def latest(experiment: ExpDir) -> CheckpointDir | None:
    """The newest checkpoint, None where there is none."""
    updates = experiment.checkpoints()
    return experiment.checkpoint(updates[-1]) if updates else None


def prune(experiment: ExpDir, until: int, keep: int, spared: Collection[int] = ()) -> None:
    """Of the checkpoints up to an update remove all but the newest `keep` and those spared; best/ is not among them.

    Later ones are of a run before this one, damaged, and will be written over.
    """
    former = [update for update in experiment.checkpoints() if update <= until][:-keep]
    for update in [update for update in former if update not in spared]:
        remove_dir(experiment.checkpoint(update).root)


def read_weights(place: CheckpointDir) -> dict[str, Tensor]:
    """The verified weights of a checkpoint, on the CPU."""
    verify(place)
    return _load(place.weights)


@contextmanager
def _whole(place: CheckpointDir) -> Iterator[CheckpointDir]:
    """A directory that becomes `place`, or nothing of it."""
    try:
        with atomic_dir(place.root) as root:
            yield CheckpointDir(root)
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise OSError(
            f"{place.root} could not be written ({reason}); make room and run the same command again"
        ) from None


def _write_parts(
    place: CheckpointDir, weights: Mapping[str, Tensor], state: Mapping[str, Any], identity: Identity
) -> None:
    """What every checkpoint has; checksums, of all that is there, come last."""
    save_file(_contiguous(weights), place.weights)
    place.state.write_text(json.dumps(state), encoding="utf-8")
    place.settings.write_text(identity.settings, encoding="utf-8")
    identity.tokens.write(place.tokens)
    _seal(place)


def _seal(place: CheckpointDir) -> None:
    sums = {path.name: hash_file(path) for path in sorted(place.root.iterdir())}
    place.checksums.write_text(json.dumps(sums, indent=2), encoding="utf-8")


def _contiguous(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.contiguous() for name, value in weights.items()}


def verify(place: CheckpointDir) -> None:
    """Raises ValueError naming the file of a checkpoint that is missing or not what was written."""
    if not place.checksums.is_file():
        raise ValueError(f"{place.root} is not a checkpoint: no {place.checksums.name}")
    try:
        sums = dict(json.loads(place.checksums.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise ValueError(f"{place.checksums} is damaged; remove {place.root}") from None
    for name, expected in sums.items():
        if not (place.root / name).is_file():
            raise ValueError(f"{place.root} is damaged: no {name}; remove it")
        if hash_file(place.root / name) != expected:
            raise ValueError(f"{place.root / name} is damaged: its checksum differs; remove {place.root}")


def _load(path: Path) -> dict[str, Tensor]:
    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise ValueError(f"{path} is not readable as safetensors: {error}") from None


def _flattened(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    state = optimizer.state_dict()
    tensors = {
        f"{number}.{name}": torch.as_tensor(value).contiguous()
        for number, values in state["state"].items()
        for name, value in values.items()
    }
    return tensors, state["param_groups"]


def _unflattened(tensors: Mapping[str, Tensor], groups: list[dict[str, Any]]) -> dict[str, Any]:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = value
    return {"state": state, "param_groups": groups}


def _random() -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _restore_random(states: Mapping[str, Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
