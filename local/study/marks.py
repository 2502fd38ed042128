"""Marks of what is done: their names say with which settings and inputs, so that others count as not done."""

import gzip
import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from study.cells import Cell

# of a recording in a manifest, the file: another one on every machine
AUDIO = re.compile(rb'"source": "[^"]*"')


def marks(found: Sequence[Cell], exp: Path, conf: Path, data: Path, options: str) -> dict[str, Path]:
    """The mark of every cell by its id; cells come after those that they need.

    It depends on the cell, its settings file, the manifests of its languages but not where their audio lies, `options`
    of the whole study, and the marks of what it needs.
    """
    made: dict[str, Path] = {}
    digests: dict[str, str] = {}
    for cell in found:
        parts = [
            options,
            repr(asdict(cell)),
            _digest(conf / f"{cell.conf}.yaml", digests) if cell.conf else "",
        ]
        parts += [_digest(path, digests) for path in _manifests(cell, data)]
        parts += [made[name].name for name in cell.needs]
        name = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
        made[cell.id] = exp / "done" / f"{cell.id.replace('/', '.')}-{name}"
    return made


def _manifests(cell: Cell, data: Path) -> list[Path]:
    """Those of its languages as prepared, whatever part of them it hears."""
    names = {name for field in (cell.source, cell.hears, cell.target) for name in field.split("+") if name}
    return sorted(path for name in names for path in (data / "manifests").glob(f"*{name}_cuts_*.jsonl.gz"))


def _digest(path: Path, known: dict[str, str]) -> str:
    if str(path) not in known:
        known[str(path)] = _digest_of(path) if path.is_file() else ""
    return known[str(path)]


def _digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
        for line in lines:
            digest.update(AUDIO.sub(b"", line))
    return digest.hexdigest()
