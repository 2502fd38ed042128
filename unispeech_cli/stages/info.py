"""A checkpoint in; tables of what it is out."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from safetensors import safe_open

from unispeech_cli.lang.tokens import read as read_tokens
from unispeech_cli.lang.units import units_of
from unispeech_cli.paths import CheckpointDir, ExpDir
from unispeech_cli.records import Records, Table
from unispeech_cli.trainer.checkpoint import verify
from unispeech_cli.trainer.journal import read_lines
from unispeech_cli.trainer.weights import find

Cell = str | int | float | None
Row = tuple[Cell, ...]


def info(checkpoint: Path) -> Records:
    """What an experiment or a checkpoint directory holds; weights are counted, not loaded.

    Raises FileNotFoundError where there is no checkpoint, ValueError where it is damaged.
    """
    place = find(checkpoint)
    verify(place)
    settings, state = _settings(place), _json(place.state)
    shapes, origin = _shapes(place.weights), _json(place.origin) if place.origin.is_file() else {}
    yield Table("checkpoint", ("what", "value"), list(_checkpoint(place, settings, state, shapes, origin)))
    yield Table("parameters", ("part", "parameters"), _parameters(shapes))
    yield Table("tokens", ("what", "value"), list(_tokens(place, origin)))
    yield Table("metrics", ("update", "measure", "value"), list(_metrics(place)))
    yield Table("settings", ("setting", "value"), list(_flat(settings)))
    yield Table("provenance", ("role", "file", "sha256"), list(_provenance(place, origin)))


def _checkpoint(
    place: CheckpointDir,
    settings: Mapping[str, Any],
    state: Mapping[str, Any],
    shapes: Mapping[str, tuple[int, ...]],
    origin: Mapping[str, Any],
) -> Iterator[Row]:
    encoder, position = settings["model"]["encoder"], state["position"]
    yield "directory", str(place.root)
    yield "network", _network(settings["model"], shapes)
    if origin:
        yield "imported from", f"{origin['format']}: {origin['architecture'] or origin['model_type']}"
    yield "encoder", f"{encoder['layers']} layers, {encoder['dim']} wide, {encoder['heads']} heads"
    yield "normalisation", "before each block" if encoder["pre_norm"] else "after each block"
    yield "parameters", sum(map(math.prod, shapes.values()))
    if "averaged" in state:
        yield "average of", ", ".join(state["averaged"])
    yield "update", position["update"]
    yield "best", position.get("best")
    yield "best update", position.get("best_update")


def _network(model: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> str:
    head = "CTC head" if "head.weight" in shapes else "no CTC head"
    if "quantizer.codebook" not in shapes:
        return f"encoder, {head}"
    space = model["quantizer"].get("space", "context")
    return f"encoder, codebook, {head} ({'UniSpeech' if space == 'context' else 'wav2vec 2.0'} pre-training)"


def _parameters(shapes: Mapping[str, tuple[int, ...]]) -> list[Row]:
    """Of each module, those of the context network one by one."""
    sizes: Counter[str] = Counter()
    for name, shape in shapes.items():
        parts = name.split(".")
        sizes[".".join(parts[:2]) if parts[0] == "context" else parts[0]] += math.prod(shape)
    return [*sizes.items(), ("all", sum(sizes.values()))]


def _tokens(place: CheckpointDir, origin: Mapping[str, Any]) -> Iterator[Row]:
    table = read_tokens(place.tokens)
    yield "tokens", len(table)
    if len(table) > 1:
        yield "units", units_of(table)
        yield "inventories", "one for each language" if table.is_separate else "one"
    yield "fingerprint", table.fingerprint
    if origin.get("token_order"):
        yield "blank before the import", origin["token_order"].index(0)
    yield "symbols", " ".join(table.symbols)


def _metrics(place: CheckpointDir) -> Iterator[Row]:
    """The least of every dev figure of the experiment around the checkpoint."""
    least: dict[str, tuple[float, int]] = {}
    for line in read_lines(_around(place).metrics):
        for name in line:
            if name.startswith("dev_") and line[name] is not None:
                found = (float(line[name]), int(line["update"]))
                least[name] = min(least.get(name, found), found)
    yield from ((update, name, value) for name, (value, update) in least.items())


def _provenance(place: CheckpointDir, origin: Mapping[str, Any]) -> Iterator[Row]:
    """What it was trained on or imported from."""
    for name, digest in origin.get("hashes", {}).items():
        yield "imported", name, digest
    experiment = _around(place)
    roles = _json(experiment.inputs) if experiment.inputs.is_file() else {}
    for role, files in roles.items():
        yield from ((role, name, digest) for name, digest in files.items())


def _around(place: CheckpointDir) -> ExpDir:
    return ExpDir(place.root.parent)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[Row]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            plain = value is None or isinstance(value, str | int | float)
            yield f"{prefix}{name}", value if plain else json.dumps(value)


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    with safe_open(path, framework="pt") as stored:
        return {name: tuple(stored.get_slice(name).get_shape()) for name in stored.keys()}  # noqa: SIM118


def _settings(place: CheckpointDir) -> dict[str, Any]:
    return dict(yaml.safe_load(place.settings.read_text(encoding="utf-8")))


def _json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))
