"""What made a file or directory: hashes of inputs, options, versions; "same inputs, nothing to do"."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from unispeech_cli import __version__
from unispeech_cli.atomic import write_text
from unispeech_cli.paths import SharDir


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex. Raises FileNotFoundError naming it."""
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_manifest(path: Path) -> str:
    """SHA-256 of a manifest of cuts, in hex; of a Shar directory: of its cuts, and of the sizes of its audio.

    Reads what it hashes once: about a second for a gigabyte. Raises FileNotFoundError naming what is missing.
    """
    if not path.is_dir():
        return hash_file(path)
    place = SharDir(path)
    if not place.cuts:
        raise FileNotFoundError(f"{path}: no cuts.000000.jsonl.gz in it; a directory of Lhotse Shar has them")
    parts = {shard.name: hash_file(shard) for shard in place.cuts}
    parts |= {shard.name: str(shard.stat().st_size) for shard in place.recordings}
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def describe(
    stage: str, inputs: Iterable[Path], options: Mapping[str, Any], packages: Iterable[str] = ()
) -> dict[str, Any]:
    """A record of what a stage is about to read: hash per input file, options, versions of `packages`."""
    return {
        "stage": stage,
        "unispeech": __version__,
        "inputs": {str(path): hash_file(path) for path in sorted(set(inputs))},
        "options": json.loads(json.dumps(dict(options), default=str)),
        "versions": {name: _version(name) for name in packages},
    }


def differences(mark: Path, wanted: Mapping[str, Any]) -> list[str] | None:
    """How the record at `mark` differs from `wanted`: None when there is no record, [] when it is the same."""
    if not mark.is_file():
        return None
    try:
        found = json.loads(mark.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise ValueError(
            f"{mark} is not the JSON that this program writes; remove it to run the stage again"
        ) from None
    return compare(found, wanted)


def compare(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """How one record differs from another: a line for each part, [] where they are the same."""
    return [line for part in wanted for line in _lines(part, found.get(part), wanted[part])]


def record(mark: Path, made: Mapping[str, Any]) -> None:
    """Write the record atomically; the last act of a stage."""
    write_text(mark, json.dumps(made, indent=2, ensure_ascii=False) + "\n")


def _lines(part: str, found: Any, wanted: Any) -> list[str]:
    if found == wanted:
        return []
    if not isinstance(wanted, Mapping) or not isinstance(found, Mapping):
        return [f"{part}: {_shown(found)} -> {_shown(wanted)}"]
    names = [name for name in {**found, **wanted} if found.get(name) != wanted.get(name)]
    return [f"{part} {name}: {_shown(found.get(name))} -> {_shown(wanted.get(name))}" for name in names]


def _shown(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:12]}…"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "absent"
