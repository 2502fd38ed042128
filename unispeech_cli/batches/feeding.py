"""How many processes read audio ahead, how far, and a line when the model waits for them all the same."""

import os
from dataclasses import dataclass

# of the time of the updates watched; less is not worth a word
MOST_WAITING = 0.2
# updates looked at together, at first; after each warning twice as many as before
WATCHED = 50
# more readers than this have fed any GPU we know of, and each holds batches in shared memory
_MOST_READERS = 8
# seconds of audio that each reader keeps ready
_AHEAD = 300.0


@dataclass(frozen=True)
class Readers:
    """Processes that read, and how many batches each has ready; none reads in the training process."""

    workers: int
    prefetch: int


def readers(workers: int | None, prefetch: int | None, seconds_per_batch: float) -> Readers:
    """What is asked for; None stands for what suits this machine.

    Workers: the cores of this process's share of the machine, less one for itself, from 1 to 8. Batches ahead:
    five minutes of audio a worker, at least 2 and at most 8.
    """
    if workers is None:
        workers = min(max(cores() // _processes() - 1, 1), _MOST_READERS)
    if prefetch is None:
        prefetch = min(max(round(_AHEAD / seconds_per_batch), 2), 8)
    return Readers(workers, prefetch)


def cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processes() -> int:
    """Trainings on this machine that belong together, as torchrun says."""
    told = os.environ.get("LOCAL_WORLD_SIZE", "1")
    return int(told) if told.isdigit() and int(told) > 0 else 1


def hungry(waited: float, seconds: float, workers: int) -> str | None:
    """What to do where `waited` seconds of `seconds` went by without data; None where that is no matter."""
    if waited <= MOST_WAITING * seconds:
        return None
    cure = "data.workers above 0" if workers == 0 else f"more data.workers (now {workers})"
    of = ""
    if workers >= cores():
        of, cure = f" with {workers} data.workers on {cores()} cores", "more cores"
    return (
        f"the model waited for data {100 * waited / seconds:.0f} % of the time{of}: {cure}, "
        "or audio as flac at 16 kHz (`unispeech prepare --transcode`)"
    )


class Appetite:
    """Watches updates go by, and says when the model was kept waiting over the last of them."""

    def __init__(self, workers: int, watched: int = WATCHED) -> None:
        self._workers, self._watched = workers, watched
        self._waited = self._seconds = 0.0
        self._updates = 0

    def after(self, waited: float, seconds: float) -> str | None:
        """Note an update of `seconds`, of which `waited` for data. Returns a line every so many updates."""
        self._waited, self._seconds, self._updates = (
            self._waited + waited,
            self._seconds + seconds,
            self._updates + 1,
        )
        if self._updates < self._watched:
            return None
        line = hungry(self._waited, self._seconds, self._workers)
        self._waited = self._seconds = 0.0
        self._updates = 0
        # what was said need not be said every fifty updates for weeks
        self._watched *= 2 if line else 1
        return line
