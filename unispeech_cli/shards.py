"""Parts of a stage's work, `--shard 3/8`, and what must hold before they are put together.

Whatever a stage goes through is dealt out in blocks of neighbours: block b goes to shard b mod N + 1. A shard leaves
a directory, complete or absent, whose record says from what it was made and which bytes lie in it.
"""

import gzip
import json
import shutil
import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from unispeech_cli import provenance
from unispeech_cli.atomic import atomic_dir, remove_dir, sweep
from unispeech_cli.provenance import hash_file
from unispeech_cli.records import Note, Record
from unispeech_cli.shard_paths import PartDir, PartsDir, ShardsDir

Item = TypeVar("Item")


@dataclass(frozen=True)
class Shard:
    """Number 1 to `of` of the shards of a piece of work. Raises ValueError for another number."""

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise ValueError(f"--shard {self}: I/N goes from 1/N to N/N")

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def takes(self, block: int) -> bool:
        """Whether a block, counted from 0, is this shard's."""
        return block % self.of == self.number - 1


def parse(text: str | None) -> Shard | None:
    """`3/8` as it stands on a command line; None where nothing stands. Raises ValueError for anything else."""
    if text is None:
        return None
    number, slash, of = text.partition("/")
    if not (slash and number.isdecimal() and of.isdecimal()):
        raise ValueError(f"--shard {text}: expected I/N, as 3/8 for the third of eight")
    return Shard(int(number), int(of))


class Dealt(Generic[Item]):
    """The items of one shard; `total` is how many there were of all so far. Without a shard, all of them."""

    def __init__(self, items: Iterable[Item], shard: Shard | None, block: int) -> None:
        self._items, self._shard, self._block = items, shard, block
        self.total = 0

    def __iter__(self) -> Iterator[Item]:
        for item in self._items:
            self.total += 1
            if self._shard is None or self._shard.takes((self.total - 1) // self._block):
                yield item


@dataclass(frozen=True)
class Part:
    """What a shard has made: where it lies, from what it was made, and what it has to tell."""

    place: PartDir
    shard: Shard
    made: Mapping[str, Any]
    facts: Mapping[str, Any]


def is_left_to_do(place: PartsDir, shard: Shard, wanted: Mapping[str, Any]) -> Generator[Record, None, bool]:
    """Whether a shard is still to be made; says so where it is not, and what differs where it is made again.

    Raises ValueError where parts of another division lie there.
    """
    _check_division(place, {of for _, of in place.found()} | {shard.of})
    part = place.part(shard.number, shard.of)
    differing = provenance.differences(part.record, _recorded(shard, wanted))
    if differing == []:
        yield Note(f"{part.root}: same inputs, nothing to do")
    elif differing:
        yield Note(f"{part.root} is made again: {'; '.join(differing[:3])}")
    return differing != []


@contextmanager
def part(
    place: PartsDir, shard: Shard, wanted: Mapping[str, Any]
) -> Iterator[tuple[PartDir, dict[str, Any]]]:
    """Yield a directory to fill and a place for facts; it appears with its record when all went well."""
    facts: dict[str, Any] = {}
    path = place.part(shard.number, shard.of).root
    # nobody else makes this shard
    sweep(path.parent, path.name)
    with atomic_dir(path) as root:
        fresh = PartDir(root)
        yield fresh, facts
        files = {str(file.relative_to(root)): hash_file(file) for file in sorted(root.rglob("*"))}
        provenance.record(fresh.record, {**_recorded(shard, wanted), "facts": facts, "files": files})


def facts_of(place: PartsDir, shard: Shard) -> Mapping[str, Any]:
    """What a shard that is done has to tell."""
    return _read(place.part(shard.number, shard.of), shard).facts


def collect(place: PartsDir) -> list[Part]:
    """All parts of a piece of work, in order.

    Raises ValueError where one is missing, damaged, of another division, or made of or by something else than the
    others, and where what they were made of has changed since.
    """
    found = place.found()
    divisions = {of for _, of in found}
    _check_division(place, divisions)
    (of,) = divisions or {0}
    missing = sorted(set(range(1, of + 1)) - {number for number, _ in found})
    if missing or not found:
        raise ValueError(f"{place.root}: {_listed(missing)} of {of} not done; --shard I/{of} makes each")
    parts = [_read(place.part(number, of), Shard(number, of)) for number, _ in found]
    for one in parts[1:]:
        differing = provenance.compare(one.made, parts[0].made)
        if differing:
            raise ValueError(
                f"{one.place.root} (first) and {parts[0].place.root} (second) were made of different things: "
                f"{'; '.join(differing[:3])}; run one of them again"
            )
    _check_inputs(parts[0])
    return parts


def in_order(parts: Sequence[Iterable[Item]], total: int, block: int, first: int = 0) -> Iterator[Item]:
    """What shards made of `total` items, in the order of the items; the first block of them has number `first`.

    Raises ValueError where a shard has too few or too many.
    """
    rest = [iter(part) for part in parts]
    for number in range(total):
        shard = (first + number // block) % len(rest)
        try:
            yield next(rest[shard])
        except StopIteration:
            raise ValueError(
                f"shard {shard + 1}/{len(rest)} ends before item {number + 1} of {total}"
            ) from None
    for number, items in enumerate(rest, start=1):
        if next(items, None) is not None:
            raise ValueError(f"shard {number}/{len(rest)} has more than its part of {total} items")


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON lines of a .gz file. Raises ValueError naming the file where it is damaged."""
    try:
        with gzip.open(path) as lines:
            for line in lines:
                yield json.loads(line)
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path}: {error}") from None


def remove(out: Path, place: PartsDir) -> None:
    """Take parts away that were put together."""
    remove_dir(place.root)
    if not ShardsDir(out).found():
        shutil.rmtree(ShardsDir(out).shards)


def _recorded(shard: Shard, wanted: Mapping[str, Any]) -> dict[str, Any]:
    return {**wanted, "shard": [shard.number, shard.of]}


def _check_division(place: PartsDir, divisions: Iterable[int]) -> None:
    known = sorted(divisions)
    if len(known) > 1:
        kinds = " and ".join(f"of {of}" for of in known)
        raise ValueError(f"{place.root}: shards {kinds}; merge or remove those of one division first")


def _read(place: PartDir, shard: Shard) -> Part:
    again = f"remove {place.root} and run --shard {shard} again"
    if not place.record.is_file():
        raise ValueError(f"no {place.record}: {again}")
    try:
        found = json.loads(place.record.read_text(encoding="utf-8"))
        facts, files = found.pop("facts"), found.pop("files")
        number, of = found.pop("shard")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{place.record} is damaged ({error!r}): {again}") from None
    if (number, of) != (shard.number, shard.of):
        raise ValueError(f"{place.root} holds shard {number}/{of}: {again}")
    for name, digest in files.items():
        path = place.root / name
        if not path.is_file() or hash_file(path) != digest:
            raise ValueError(f"{path} is not what the shard has written: {again}")
    return Part(place, shard, found, facts)


def _check_inputs(part: Part) -> None:
    for name, digest in part.made["inputs"].items():
        if hash_file(Path(name)) != digest:
            raise ValueError(
                f"{name} has changed since {part.place.root} was made of it: run the shards again"
            )


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:12]))
    more = f" and {len(numbers) - 12} more" if len(numbers) > 12 else ""
    return f"shard{'s'[: len(numbers) > 1]} {shown}{more}"
