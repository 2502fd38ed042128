"""Files inside an uncompressed tar: where each lies, and reading one without going through the others."""

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Member:
    """The bytes of one file in a tar; as text `shard.tar@512+2048`."""

    tar: Path
    offset: int
    size: int

    def __str__(self) -> str:
        return f"{self.tar}@{self.offset}+{self.size}"

    def read(self) -> bytes:
        """All its bytes. Raises FileNotFoundError without the tar, ValueError where it ends too early."""
        try:
            descriptor = os.open(self.tar, os.O_RDONLY)
        except FileNotFoundError:
            raise FileNotFoundError(f"no archive {self.tar}") from None
        try:
            data = os.pread(descriptor, self.size, self.offset)
        finally:
            os.close(descriptor)
        if len(data) < self.size:
            raise ValueError(f"{self.tar}: it ends before the {self.size} bytes at {self.offset}")
        return data


def member(text: str) -> Member:
    """What `str` of a member wrote. Raises ValueError for another text."""
    tar, _, place = text.rpartition("@")
    offset, plus, size = place.partition("+")
    if not (tar and plus and offset.isdigit() and size.isdigit()):
        raise ValueError(f"{text}: not a place in an archive, as shard.tar@512+2048")
    return Member(Path(tar), int(offset), int(size))


def members(tar: Path) -> Iterator[tuple[str, Member]]:
    """Name and place of every file, in order; only heads are read.

    Raises FileNotFoundError without the tar, ValueError where it is none, is compressed or breaks off.
    """
    end = 0
    try:
        with tarfile.open(tar, "r:") as archive:
            while (found := archive.next()) is not None:
                if found.isreg():
                    yield found.name, Member(tar, found.offset_data, found.size)
                end = found.offset_data + -(-found.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
                # a million heads would stay in memory
                archive.members = []  # type: ignore[attr-defined]
        # two blocks of nothing end a tar; tarfile takes one that breaks off in a head for whole
        if tar.stat().st_size < end + 2 * tarfile.BLOCKSIZE:
            raise EOFError("it breaks off")
    except FileNotFoundError:
        raise FileNotFoundError(f"no archive {tar}") from None
    except (tarfile.TarError, EOFError) as error:
        raise ValueError(f"{tar}: not a whole, uncompressed tar ({error})") from None
