"""Whether there is room for a search before it begins.

k2 prunes a lattice in a thread of its own, where running out of memory ends the whole process: nobody can catch it.
"""

import resource
from pathlib import Path

import torch

from unispeech_cli.decoder.lattice import Beams
from unispeech_cli.lang.graphs import Graph

# frames that k2 keeps unpruned, and bytes of all its arrays for an arc
WINDOW, BYTES_PER_ARC = 30, 64
# bytes for an arc of a finished lattice with all that is made of it: 150 were measured
BYTES_PER_KEPT_ARC = 200


def check_room(graph: Graph, batch: int, beams: Beams) -> None:
    """Raise MemoryError where the unpruned frames of `batch` utterances may take more than is free."""
    states, arcs = graph.shape[0], graph.arcs.num_elements()
    active = min(beams.max_active_states, states)
    needed = batch * WINDOW * active * (arcs / max(1, states)) * BYTES_PER_ARC
    free = free_memory(graph.device)
    if needed > free:
        raise MemoryError(f"the search may take {needed / 2**20:.0f} MiB, {free / 2**20:.0f} are free")


def check_lattices(arcs: float, device: torch.device) -> None:
    """Raise MemoryError where lattices of so many arcs in all may take more than is free."""
    needed, free = arcs * BYTES_PER_KEPT_ARC, free_memory(device)
    if needed > free:
        raise MemoryError(f"lattices may take {needed / 2**20:.0f} MiB, {free / 2**20:.0f} are free")


def free_memory(device: torch.device) -> int:
    """Bytes that can still be taken on a device; on the CPU within the limit of the process, if it has one."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0] + cached)
    free = _of_the_machine()
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        free = min(free, max(0, limit - taken))
    return free


def _of_the_machine() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, amount = line.partition(":")
        if name == "MemAvailable":
            return int(amount.split()[0]) * 1024
    raise OSError("/proc/meminfo says nothing of available memory")
