"""The lines of a manifest of cuts: each with what it says, and an error that names the one which is no cut."""

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

# what a cut with audio always has
NAMES = ("type", "id", "start", "duration", "channel", "recording")

Json = dict[str, Any]


def cut_lines(manifest: Path, names: Sequence[str] = NAMES) -> Iterator[tuple[bytes, Json]]:
    """Every line and its JSON, one at a time, of a `.jsonl` or `.jsonl.gz` whose cuts have all of `names`.

    Raises ValueError naming the line that is not a cut, FileNotFoundError without the manifest.
    """
    read = 0
    try:
        with _open(manifest) as source:
            for line in source:
                if line.strip():
                    yield line, _checked(json.loads(line), names)
                read += 1
    except (ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{manifest} line {read + 1}: {error}; make the manifest again") from None


def _open(manifest: Path) -> IO[bytes]:
    return gzip.open(manifest, "rb") if manifest.suffix == ".gz" else manifest.open("rb")  # type: ignore[return-value]


def _checked(cut: Any, names: Sequence[str]) -> Json:
    missing = [name for name in names if name not in cut] if isinstance(cut, dict) else list(names)
    if missing:
        raise ValueError(f"not a Lhotse cut with a recording: no {', '.join(missing)}")
    return dict(cut)
