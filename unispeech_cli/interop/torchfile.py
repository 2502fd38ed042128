"""What torch.save wrote, in its zip form and in the one before torch 1.6, without running anything stored in it.

Tensors are read when they are asked for, so that an optimiser in the file costs nothing.
"""

import math
import pickle
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from unispeech_cli.interop.inert import ForbiddenName, StoredTensor
from unispeech_cli.interop.unpickle import unpickle

_MAGIC = 0x1950A86A20F9469CFC6C


@dataclass(frozen=True)
class TorchFile:
    """A file of torch.save: its root value, and where the bytes of its storages lie."""

    path: Path
    # dictionaries, lists, scalars, `Stub` and `StoredTensor`
    root: Any
    # first byte and number of bytes by the storage's key
    places: Mapping[str, tuple[int, int]]

    def tensors(self, tree: Any) -> dict[str, Tensor]:
        """The tensors of a flat dictionary of the root. Raises ValueError where they do not lie in the file."""
        if not isinstance(tree, dict):
            raise ValueError(f"{self.path} holds no weights where they belong")
        stored = {str(name): value for name, value in tree.items() if isinstance(value, StoredTensor)}
        with self.path.open("rb") as stream:
            return {name: self._read(stream, name, value) for name, value in stored.items()}

    def _read(self, stream: IO[bytes], name: str, stored: StoredTensor) -> Tensor:
        dtype, width = getattr(torch, stored.kind), _width(stored.kind)
        begin, size = self.places.get(stored.key, (0, 0))
        reach = stored.offset + _reach(stored)
        # the count, too: with strides of 0 a few bytes would become a tensor of any size
        needed = max(reach, math.prod(stored.shape)) * width
        if min((stored.offset, *stored.shape, *stored.stride)) < 0 or needed > size:
            raise ValueError(f"{self.path} is damaged: {name} does not lie in it")
        if 0 in stored.shape:
            return torch.empty(stored.shape, dtype=dtype)
        stream.seek(begin + stored.offset * width)
        data = bytearray(stream.read((reach - stored.offset) * width))
        flat = torch.frombuffer(data, dtype=dtype)
        return flat.as_strided(stored.shape, stored.stride).clone()


def open_torch_file(path: Path) -> TorchFile:
    """Read the values of a file of torch.save, not yet its tensors.

    Raises ValueError in one line for a damaged file and for one that holds more than weights and plain values,
    FileNotFoundError where there is none.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        return _open_zip(path) if zipfile.is_zipfile(path) else _open_legacy(path)
    except ForbiddenName as error:
        raise ValueError(
            f"{path} asks for {error}, which is no part of weights; nothing of it was run, and it is not read"
        ) from None
    except (pickle.UnpicklingError, zipfile.BadZipFile, struct.error, EOFError, RuntimeError) as error:
        raise ValueError(f"{path} is damaged or not a file of torch.save ({_line(error)})") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__


def _width(kind: str) -> int:
    """Bytes of an element."""
    return torch.empty(0, dtype=getattr(torch, kind)).element_size()


def _reach(stored: StoredTensor) -> int:
    """Elements from the first to behind the last."""
    if 0 in stored.shape:
        return 0
    return 1 + sum((size - 1) * step for size, step in zip(stored.shape, stored.stride, strict=True))


def _open_zip(path: Path) -> TorchFile:
    with zipfile.ZipFile(path) as archive:
        pickled = next((name for name in archive.namelist() if name.endswith("/data.pkl")), None)
        if pickled is None:
            raise zipfile.BadZipFile("no data.pkl in it")
        folder = pickled.removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
            raise zipfile.BadZipFile("its bytes are in big-endian order")
        with archive.open(pickled) as stream:
            root = unpickle(stream)
        infos = [info for info in archive.infolist() if info.filename.startswith(f"{folder}data/")]
    with path.open("rb") as raw:
        places = {info.filename.removeprefix(f"{folder}data/"): _stored_at(raw, info) for info in infos}
    return TorchFile(path, root, places)


def _stored_at(raw: IO[bytes], info: zipfile.ZipInfo) -> tuple[int, int]:
    """Where the bytes of an uncompressed member begin: behind its local header, which tells its own length."""
    if info.compress_type != zipfile.ZIP_STORED:
        raise zipfile.BadZipFile("its storages are compressed")
    raw.seek(info.header_offset)
    header = raw.read(30)
    name, extra = struct.unpack("<26xHH", header)
    return info.header_offset + len(header) + name + extra, info.file_size


def _open_legacy(path: Path) -> TorchFile:
    with path.open("rb") as stream:
        if unpickle(stream) != _MAGIC:
            raise pickle.UnpicklingError("it does not begin as such files do")
        unpickle(stream)  # version of the format
        system = unpickle(stream)
        if not isinstance(system, dict) or not system.get("little_endian", True):
            raise pickle.UnpicklingError("its bytes are in big-endian order")
        kinds: dict[str, str] = {}
        root = unpickle(stream, kinds)
        places = _legacy_places(stream, unpickle(stream), kinds)
    return TorchFile(path, root, places)


def _legacy_places(stream: IO[bytes], keys: Any, kinds: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    """Storages follow each other in the order of their keys: a count of elements, then the elements."""
    end = stream.seek(0, 1)
    size = stream.seek(0, 2)
    places = {}
    for key in map(str, keys):
        stream.seek(end)
        (count,) = struct.unpack("<q", stream.read(8))
        begin, end = end + 8, end + 8 + count * (_width(kinds[key]) if key in kinds else 0)
        if count < 0 or key not in kinds or end > size:
            raise pickle.UnpicklingError("it ends too early")
        places[key] = (begin, end - begin)
    return places
