"""MKL is asked for its AVX2 kernels where it would not take them by itself, and nowhere else."""

from pathlib import Path

import pytest

from unispeech_cli.processor import ask_for_avx2

# /proc/cpuinfo of two processors, as Linux writes it
BLOCK = (
    "processor\t: {n}\nvendor_id\t: {maker}\nmodel name\t: of some kind\nflags\t\t: fpu sse2 {flags} fma\n\n"
)


@pytest.mark.parametrize(
    ("maker", "flags", "asked"),
    [
        ("AuthenticAMD", "avx avx2", {"MKL_DEBUG_CPU_TYPE": "5"}),
        ("HygonGenuine", "avx avx2", {"MKL_DEBUG_CPU_TYPE": "5"}),
        ("GenuineIntel", "avx avx2 avx512f", {}),
        ("AuthenticAMD", "avx", {}),
    ],
)
def test_avx2_is_asked_for_where_it_is_and_intel_is_not(
    maker: str, flags: str, asked: dict[str, str], tmp_path: Path
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("".join(BLOCK.format(n=n, maker=maker, flags=flags) for n in range(2)))
    environment: dict[str, str] = {}
    ask_for_avx2(environment, cpuinfo)
    assert environment == asked


def test_what_the_user_set_stays(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(BLOCK.format(n=0, maker="AuthenticAMD", flags="avx2"))
    environment = {"MKL_DEBUG_CPU_TYPE": "4"}
    ask_for_avx2(environment, cpuinfo)
    assert environment == {"MKL_DEBUG_CPU_TYPE": "4"}


@pytest.mark.parametrize("text", [None, "processor\t: 0\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd\n"])
def test_where_linux_tells_no_maker_nothing_is_asked(text: str | None, tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    if text is not None:
        cpuinfo.write_text(text)
    environment: dict[str, str] = {}
    ask_for_avx2(environment, cpuinfo)
    assert environment == {}
