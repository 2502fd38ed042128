"""MKL is asked for the fastest kernels where it would not take them by itself, and nowhere else."""

from pathlib import Path

import pytest

from unispeech_cli.processor import ask_for_fastest_kernels

AVX512 = "avx512f avx512dq avx512cd avx512bw avx512vl"
# /proc/cpuinfo of two processors, as Linux writes it
BLOCK = (
    "processor\t: {n}\nvendor_id\t: {maker}\nmodel name\t: of some kind\nflags\t\t: fpu sse2 {flags} fma\n\n"
)


@pytest.mark.parametrize(
    ("maker", "flags", "asked"),
    [
        ("AuthenticAMD", "avx avx2", {"MKL_DEBUG_CPU_TYPE": "5"}),
        ("AuthenticAMD", f"avx avx2 {AVX512}", {"MKL_DEBUG_CPU_TYPE": "7"}),
        ("AuthenticAMD", "avx avx2 avx512f", {"MKL_DEBUG_CPU_TYPE": "5"}),
        ("HygonGenuine", "avx avx2", {"MKL_DEBUG_CPU_TYPE": "5"}),
        ("GenuineIntel", f"avx avx2 {AVX512}", {}),
        ("AuthenticAMD", "avx", {}),
    ],
)
def test_the_widest_are_asked_for_of_a_processor_that_has_them_and_is_not_intel_s(
    maker: str, flags: str, asked: dict[str, str], tmp_path: Path
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("".join(BLOCK.format(n=n, maker=maker, flags=flags) for n in range(2)))
    environment: dict[str, str] = {}
    ask_for_fastest_kernels(environment, cpuinfo)
    assert environment == asked


def test_what_the_user_set_stays(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(BLOCK.format(n=0, maker="AuthenticAMD", flags="avx2"))
    environment = {"MKL_DEBUG_CPU_TYPE": "4"}
    ask_for_fastest_kernels(environment, cpuinfo)
    assert environment == {"MKL_DEBUG_CPU_TYPE": "4"}


@pytest.mark.parametrize("text", [None, "processor\t: 0\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd\n"])
def test_where_linux_tells_no_maker_nothing_is_asked(text: str | None, tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    if text is not None:
        cpuinfo.write_text(text)
    environment: dict[str, str] = {}
    ask_for_fastest_kernels(environment, cpuinfo)
    assert environment == {}
