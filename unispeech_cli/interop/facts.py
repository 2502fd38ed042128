"""What a model card says of a checkpoint: its network, and from what it was made."""

import json
from collections.abc import Sequence
from pathlib import Path

from unispeech_cli import __version__
from unispeech_cli.interop.leaving import Leaving
from unispeech_cli.lang.tokens import TokenTable, owner
from unispeech_cli.lang.units import units_of
from unispeech_cli.paths import CheckpointDir, ExpDir
from unispeech_cli.provenance import hash_file
from unispeech_cli.scorer.report import Result
from unispeech_cli.scorer.results import UNKNOWN


def facts(leaving: Leaving, kind: str) -> dict[str, str]:
    """The network by its numbers; `kind` is its class in transformers."""
    frontend, encoder, tokens = leaving.settings.frontend, leaving.settings.encoder, leaving.tokens
    norms = "before" if encoder.pre_norm else "after"
    units = f"{len(tokens)}, {units_of(tokens)} and blank" if len(tokens) > 1 else "not known"
    return {
        "network": f"{kind}, {leaving.parameters / 1e6:.1f} million parameters",
        "encoder": f"{encoder.layers} layers of {encoder.dim}, {encoder.heads} heads, norms {norms} blocks",
        "frontend": f"{frontend.channels} channels, {frontend.norm} norm; 16 kHz, a frame every 20 ms",
        "waveform": "brought to zero mean and unit variance" if frontend.normalize_wave else "taken as it is",
        "tokens": units,
    }


def languages(tokens: TokenTable, results: Sequence[Result]) -> list[str]:
    """The languages that units belong to, or else those of the test sets."""
    if tokens.is_separate:
        return sorted({owner(symbol) for symbol in tokens.symbols if ":" in symbol})
    spoken = {language for result in results for language in result.groups.get("language", {})}
    return sorted(spoken - {UNKNOWN})


def provenance_of(place: CheckpointDir, leaving: Leaving) -> dict[str, str]:
    """By which program and from what the checkpoint was made, as far as the files beside it tell."""
    state = json.loads(place.state.read_text(encoding="utf-8"))["position"]
    found = {"exported by": f"unispeech {__version__}", "weights": f"SHA-256 {hash_file(place.weights)}"}
    if leaving.origin:
        known = leaving.origin["architecture"] or leaving.origin["model_type"]
        return {**found, "imported from": f"{known}, {leaving.origin['format']}"}
    return {**found, "update": str(state["update"]), **_inputs(ExpDir(place.root.parent))}


def _inputs(experiment: ExpDir) -> dict[str, str]:
    """The manifests by role, and the checkpoint that training started from: names, without their directories."""
    if not experiment.inputs.is_file():
        return {}
    roles = json.loads(experiment.inputs.read_text(encoding="utf-8"))
    shown = {
        role: ", ".join(f"{Path(file).name} ({digest[:12]})" for file, digest in files.items())
        for role, files in roles.items()
    }
    return {role: names for role, names in shown.items() if names}
