"""Which matrix kernels MKL takes on processors that are not Intel's."""

from collections.abc import MutableMapping
from itertools import takewhile
from pathlib import Path

VARIABLE = "MKL_DEBUG_CPU_TYPE"
INTEL = "GenuineIntel"
# MKL's numbers of its kernels, and what a processor must have for them; the first that it has are the fastest
KERNELS = {"7": {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}, "5": {"avx2", "fma"}}


def ask_for_fastest_kernels(
    environment: MutableMapping[str, str], cpuinfo: Path = Path("/proc/cpuinfo")
) -> None:
    """Ask MKL for its AVX-512 or AVX2 kernels where the processor has them and is not Intel's; what is set stays.

    MKL 2020.0, which torch 1.13.1 carries, takes its oldest kernels on such processors, and trainings take two to
    three times as long by them. It reads the variable at its first product; later MKLs know nothing of it.
    """
    if VARIABLE not in environment:
        flags = _flags_of_another_maker(cpuinfo)
        number = next((number for number, needed in KERNELS.items() if needed <= flags), None)
        environment.update({VARIABLE: number} if number else {})


def _flags_of_another_maker(cpuinfo: Path) -> set[str]:
    try:
        with cpuinfo.open(encoding="ascii", errors="replace") as lines:
            first = dict(_field(line) for line in takewhile(str.strip, lines))
    except OSError:
        return set()
    return set() if first.get("vendor_id", INTEL) == INTEL else set(first.get("flags", "").split())


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()
