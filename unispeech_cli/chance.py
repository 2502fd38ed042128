"""Chance that belongs to an utterance: draws of a row are a function of its seed, whatever its batch."""

import hashlib
from collections.abc import Sequence

import torch


def generators(
    seeds: Sequence[int], purpose: str, rows: int, device: torch.device | str = "cpu"
) -> list[torch.Generator | None]:
    """A generator a row for what is drawn under the name `purpose`; None, which is torch's own, without seeds.

    Generators of a device draw on that device alone, and not the numbers of another one.
    """
    if not seeds:
        return [None] * rows
    return [torch.Generator(device).manual_seed(mixed(seed, purpose)) for seed in seeds]


def mixed(*parts: int | str) -> int:
    """A seed from 0 to 2**63 - 1 made of several things; another one in any of them gives another seed."""
    digest = hashlib.blake2b(" ".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
