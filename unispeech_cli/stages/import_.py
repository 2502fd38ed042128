"""A checkpoint of transformers or fairseq in; a checkpoint directory of ours out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unispeech_cli.interop.fairseq import read_fairseq
from unispeech_cli.interop.imported import Imported, outputs, write
from unispeech_cli.interop.transformers import read_transformers, transformers_files
from unispeech_cli.paths import CheckpointDir
from unispeech_cli.provenance import describe, differences
from unispeech_cli.records import Note, Records


def import_(
    source: Path, out: Path, *, dictionary: Path | None = None, encoder_only: bool = False
) -> Records:
    """Read a directory of transformers or a .pt file of fairseq and write what decode and finetune read.

    Nothing that is stored in the files is run. The same command again does nothing; what was imported from
    others is never overwritten. Raises ValueError in one line where the files are damaged or of another network,
    or where `out` is something else, FileNotFoundError for what is missing.
    """
    place = CheckpointDir(out)
    wanted = _made(source, dictionary, encoder_only)
    if _is_made(place, wanted):
        yield Note(f"{out} is imported from these files; nothing to do")
        return
    read = read_transformers if source.is_dir() else read_fairseq
    imported = read(source, dictionary, encoder_only)
    try:
        write(place, imported, wanted)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None
    yield from (Note(line) for line in imported.notes)
    yield Note(f"{out}: {_told(imported)}")


def _made(source: Path, dictionary: Path | None, encoder_only: bool) -> dict[str, Any]:
    if not source.exists():
        raise FileNotFoundError(f"no file or directory {source}")
    if source.is_file() and source.suffix in (".safetensors", ".bin", ".json"):
        raise ValueError(f"{source} is a part of a model: give the directory that holds its config.json")
    files = transformers_files(source) if source.is_dir() else [source]
    made = describe("import", [*files, *([dictionary] if dictionary else [])], {"encoder_only": encoder_only})
    # by name: the same model in another place is the same
    hashes = {Path(name).name: value for name, value in made.pop("inputs").items()}
    return {**made, "source": str(source), "hashes": hashes}


def _is_made(place: CheckpointDir, wanted: Mapping[str, Any]) -> bool:
    compared = {name: wanted[name] for name in ("unispeech", "options", "hashes")}
    differing = differences(place.origin, compared)
    if differing:
        raise ValueError(
            f"{place.root} was imported from others ({'; '.join(differing[:3])}): remove it or name another --out"
        )
    if differing is None and place.root.exists() and (not place.root.is_dir() or any(place.root.iterdir())):
        raise ValueError(f"{place.root} exists and is no imported checkpoint: name another --out")
    return differing == []


def _told(imported: Imported) -> str:
    encoder, number = imported.model.encoder, outputs(imported.weights)
    head = "no CTC head"
    if number:
        head = f"{number} outputs" + ("" if imported.vocabulary else " without symbols")
    size = sum(value.numel() for value in imported.weights.values())
    name = imported.origin.architecture or imported.origin.model_type
    return f"{name}, {encoder.layers} layers of {encoder.dim}, {size:,} parameters, {head}"
