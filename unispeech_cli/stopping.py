"""Being asked to stop: SIGTERM and SIGUSR1 are heard when an update is done, and the exit code says "again"."""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

# EX_TEMPFAIL of sysexits.h: nothing is wrong, run the same command again
EXIT_AGAIN = 75
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
# a file that is made when a command ends with EXIT_AGAIN: torchrun's own exit code does not tell
TOLD_BY = "UNISPEECH_STOPPED"
# of linux/prctl.h
PR_SET_PDEATHSIG = 1


class Stopped(Exception):
    """The work was asked to stop, has saved what is done, and would go on if it were started again."""


def never() -> bool:
    """What is not listening hears."""
    return False


@contextmanager
def listening() -> Iterator[Callable[[], bool]]:
    """Within it these signals do nothing but make the callable that it yields say True.

    Outside the main thread, where Python hears no signals, it never does.
    """
    heard: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield never
        return

    def hear(number: int, frame: FrameType | None) -> None:
        heard.append(number)

    former = [signal.signal(number, hear) for number in SIGNALS]
    try:
        yield lambda: bool(heard)
    finally:
        for number, handler in zip(SIGNALS, former, strict=True):
            signal.signal(number, handler)


def serve(parent: int) -> None:
    """In a process that works for another: deaf to these signals, and gone when its parent is, however that ends.

    A killed parent ends nobody; on Linux the kernel is asked to. Where it has gone already, this process ends here.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    follow(parent, signal.SIGKILL)


def follow(parent: int, end: int = signal.SIGTERM) -> None:
    """In a process that works for another: get the signal `end` when its parent is gone, however that ends.

    Linux's kernel is asked to. Where the parent has gone already, this process ends here.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(end), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def leave_word() -> None:
    """Make the file that `UNISPEECH_STOPPED` names, for whoever started several processes."""
    place = os.environ.get(TOLD_BY)
    if place:
        Path(place).touch()
