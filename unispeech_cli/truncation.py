"""Whether a wav or NIST sphere file is all there, by its header."""

import math
import re


def check(head: bytes, size: int) -> None:
    """Raise ValueError where fewer bytes are there than the header promises.

    libsndfile takes a cut-off wav or sphere file for a shorter one.
    """
    start, promised = _promise(head)
    if size - start < promised:
        raise ValueError(f"truncated: its header promises {promised} bytes, {size - start} are there")


def _promise(head: bytes) -> tuple[int, int]:
    """Where the samples start and how many bytes of them there should be (0: not said)."""
    if head[:4] == b"RIFF" and (at := head.find(b"data")) > 0:
        promised = int.from_bytes(head[at + 4 : at + 8], "little")
        # writers to a pipe cannot know and put the largest number
        return at + 8, promised if promised < 0x7FFF_F000 else 0
    if head[:7] == b"NIST_1A" and b"shorten" not in head:
        fields = {name: int(value) for name, value in re.findall(rb"(\w+) -i (\d+)", head)}
        counts = (b"sample_count", b"channel_count", b"sample_n_bytes")
        return int(head[8:16]), math.prod(fields.get(name, 1) for name in counts)
    return 0, 0
