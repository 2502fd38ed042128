"""Chance that belongs to an utterance: draws of a row are a function of its seed, whatever its batch.

Legend: B utterances, T frames.
"""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


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


def uniform(lengths_B: Tensor, size: int, seeds: Sequence[int], purpose: str) -> Tensor:
    """From 0 to 1 for the frames of each row, (B, T) on the device of `lengths_B`; 1 in the padding.

    Drawn by the rows' generators, on the CPU, so that it does not depend on the padding; without seeds by torch's.
    """
    if not seeds:
        return torch.rand(len(lengths_B), size, device=lengths_B.device)
    drawn_BT = torch.ones(len(lengths_B), size)
    chances = generators(seeds, purpose, len(lengths_B))
    for row, (length, chance) in enumerate(zip(lengths_B.tolist(), chances, strict=True)):
        drawn_BT[row, :length] = torch.rand(length, generator=chance)
    return drawn_BT.to(lengths_B.device)
