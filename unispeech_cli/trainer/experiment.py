"""Whose directory it is: an experiment is made from settings, tokens and inputs, and never from others."""

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from unispeech_cli.atomic import write_text
from unispeech_cli.lang.tokens import read as read_tokens
from unispeech_cli.paths import CheckpointDir, ExpDir
from unispeech_cli.provenance import hash_file, hash_manifest
from unispeech_cli.trainer.checkpoint import Identity

# settings that move nothing that is trained: another machine may want others
FREE = {"data.workers", "data.prefetch", "run.keep", "run.keep_best", "run.recompute", "run.compile"}


@contextmanager
def held(experiment: ExpDir) -> Iterator[None]:
    """Within it no other process trains here; before it nothing is written but an empty file.

    Raises ValueError while another process holds it, and for what is no experiment.
    """
    _check_place(experiment)
    experiment.root.mkdir(parents=True, exist_ok=True)
    with experiment.lock.open("a") as stream:
        # record locks stay with this process: workers that outlive a killed training do not hold them
        try:
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            raise ValueError(f"{experiment.root} is being trained by another process") from None
        except OSError:
            pass  # a file system without locks
        yield


def claim(
    experiment: ExpDir,
    identity: Identity,
    inputs: Mapping[str, Sequence[Path]],
    init: CheckpointDir | None,
    defaults: str = "",
) -> None:
    """Make the experiment directory, or see that it is this very experiment.

    `defaults` are those of all settings, as YAML: an experiment made before a setting existed counts with its
    default; what is `FREE` may change. Raises ValueError naming what differs: an experiment made otherwise is
    never trained on.
    """
    wanted = {name: {str(path): hash_manifest(path) for path in paths} for name, paths in inputs.items()}
    wanted["init"] = {} if init is None else {str(init.root): hash_file(init.checksums)}
    made = json.dumps(wanted, indent=2)
    _check_place(experiment)
    if not experiment.inputs.is_file():
        _make(experiment, identity, made)
        return
    saved = _with_defaults(yaml.safe_load(experiment.settings.read_text("utf-8")), yaml.safe_load(defaults))
    _same(experiment, "settings", saved, yaml.safe_load(identity.settings))
    difference = read_tokens(experiment.tokens).difference(identity.tokens)
    if difference:
        raise ValueError(
            f"{experiment.root} was made with other tokens (first) than now (second): {difference}"
        )
    _same(experiment, "inputs", json.loads(experiment.inputs.read_text("utf-8")), json.loads(made))


def _check_place(experiment: ExpDir) -> None:
    """An experiment, what is left of the making of one, or nothing."""
    if experiment.root.exists() and not experiment.root.is_dir():
        raise ValueError(f"{experiment.root} is a file; choose another directory")
    if not experiment.root.is_dir() or experiment.inputs.is_file():
        return
    own = {path.name for path in (experiment.settings, experiment.tokens, experiment.inputs, experiment.lock)}
    # what a kill left of one of them counts as it
    if any(path.name.rpartition("-fresh-")[2] not in own for path in experiment.root.iterdir()):
        missing = experiment.inputs.name
        raise ValueError(
            f"{experiment.root} exists and is not an experiment (no {missing}); choose another directory"
        )


def _make(experiment: ExpDir, identity: Identity, inputs: str) -> None:
    write_text(experiment.settings, identity.settings)
    identity.tokens.write(experiment.tokens)
    # last: with it the directory is an experiment
    write_text(experiment.inputs, inputs)


def _same(experiment: ExpDir, what: str, found: Any, wanted: Any) -> None:
    was, now = _flat(found), _flat(wanted)
    compared = (name for name in {**was, **now} if name not in FREE)
    name = next((name for name in compared if was.get(name) != now.get(name)), None)
    if name is not None:
        raise ValueError(
            f"{experiment.root} was made with other {what}: {name} {_shown(was.get(name))}, "
            f"now {_shown(now.get(name))}; give the former ones or choose another directory"
        )


def _with_defaults(found: Any, defaults: Any) -> Any:
    """A tree, and what it has no name for as `defaults` have it; a part that is none stays none."""
    if not isinstance(found, dict) or not isinstance(defaults, dict):
        return found
    known = {name: _with_defaults(value, defaults.get(name)) for name, value in found.items()}
    return {**defaults, **known}


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Leaves by dotted name."""
    if not isinstance(tree, dict):
        return {prefix: tree}
    parts = [_flat(value, f"{prefix}.{name}" if prefix else name) for name, value in tree.items()]
    return {name: leaf for part in parts for name, leaf in part.items()}


def _shown(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:12]}…"
