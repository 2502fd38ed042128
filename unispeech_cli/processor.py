"""Which matrix kernels MKL takes on processors that are not Intel's."""

from collections.abc import MutableMapping
from itertools import takewhile
from pathlib import Path

VARIABLE = "MKL_DEBUG_CPU_TYPE"
AVX2 = "5"
INTEL = "GenuineIntel"


def ask_for_avx2(environment: MutableMapping[str, str], cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """Ask MKL for its AVX2 kernels where the processor has AVX2 and is not Intel's; a value that is set stays.

    MKL 2020.0, which torch 1.13.1 carries, takes its oldest kernels on such processors, and trainings take twice
    as long by them. It reads the variable at its first product; later MKLs know nothing of it.
    """
    if VARIABLE not in environment and _has_avx2_of_another_maker(cpuinfo):
        environment[VARIABLE] = AVX2


def _has_avx2_of_another_maker(cpuinfo: Path) -> bool:
    try:
        with cpuinfo.open(encoding="ascii", errors="replace") as lines:
            first = dict(_field(line) for line in takewhile(str.strip, lines))
    except OSError:
        return False
    maker, flags = first.get("vendor_id", INTEL), first.get("flags", "").split()
    return maker != INTEL and "avx2" in flags


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()
