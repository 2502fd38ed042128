"""Files and directories that appear whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on success it is fsynced and renamed to `path`, else removed.

    The yielded name keeps every suffix of `path`, so that writers choosing a format by suffix see the right one.
    Raises OSError when the file cannot be written (no room, no permission); `path` is then what it was before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{os.getpid()}-fresh-{path.name}")
    try:
        yield fresh
        _fsync(fresh)
        os.replace(fresh, path)
        _fsync(path.parent)
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def atomic_dir(path: Path) -> Iterator[Path]:
    """Yield an empty directory beside `path`; on success it takes the place of `path`, else it is removed.

    Raises OSError when something in it cannot be written; a former `path` is then untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".fresh-{path.name}-", dir=path.parent))
    try:
        fresh.chmod(0o777 & ~_umask())
        yield fresh
        for item in sorted(fresh.rglob("*")):
            _fsync(item)
        _swap(fresh, path)
        _fsync(path.parent)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def remove_dir(path: Path) -> None:
    """Remove a directory, of which nobody ever sees a part."""
    gone = Path(tempfile.mkdtemp(prefix=f".gone-{path.name}-", dir=path.parent))
    os.replace(path, gone)
    shutil.rmtree(gone, ignore_errors=True)


def sweep(directory: Path, name: str | None = None) -> None:
    """Clear away what interrupted writes left in a directory, or of the directory `name` in it.

    Nobody else may write to it now. A directory that was being replaced comes back where its successor did not get
    into its place.
    """
    what = "*" if name is None else f"{name}-*"
    for former in directory.glob(f".former-{what}"):
        path = directory / former.name.removeprefix(".former-").rpartition("-")[0]
        if not path.exists():
            os.replace(former, path)
    for prefix in ("fresh", "former", "gone"):
        for leftover in directory.glob(f".{prefix}-{what}"):
            shutil.rmtree(leftover, ignore_errors=True)
    for leftover in directory.glob(".*-fresh-*") if name is None else ():
        leftover.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a whole UTF-8 text file atomically."""
    with atomic_file(path) as fresh:
        fresh.write_text(text, encoding="utf-8")


def _swap(fresh: Path, path: Path) -> None:
    # what is there and is no directory is somebody else's: it stays, and this fails
    if path.is_dir():
        former = fresh.with_name(fresh.name.replace(".fresh-", ".former-"))
        os.replace(path, former)
        os.replace(fresh, path)
        shutil.rmtree(former, ignore_errors=True)
    else:
        os.replace(fresh, path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
