"""analysis.json -> tables for people; shares in percent."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from unispeech_cli.analysis.observed import ALL
from unispeech_cli.records import Table

Found = Mapping[str, Any]
QUALITY = (
    *("group", "PNMI %", "low", "high", "chance", "phone purity %", "code purity %"),
    *("codes used", "perplexity"),
)
AGREEMENT = ("group", "equal codes %", "low", "high", "chance", "frames")


def code_tables(found: Found) -> Iterator[Table]:
    """How well codes tell phones, in all and by language; what languages share; what noise and voices change."""
    yield Table("codes and phones", QUALITY, [_quality(row) for row in found["groups"]])
    if len(found["languages"]["names"]) > 1:
        rows = [(row["language"], *_quality(row)) for row in found["by_language"]]
        yield Table("by language", ("language", *QUALITY), rows)
        yield _overlaps(found["languages"])
        yield _shared(found["languages"]["phones"])
    if found["noise"]:
        rows = [(row["snr"], *_agreement(row)) for row in found["noise"]]
        yield Table("the same cuts in noise", ("dB", *AGREEMENT), rows)
    if found["voices"]:
        rows = [_agreement(row) for row in found["voices"]]
        yield Table("the same phones in other voices", AGREEMENT, rows)
    if found["same_phone"]:
        yield _same_phone(found["same_phone"])
    yield _nearest(found["phones"])


def _quality(row: Found) -> tuple[Any, ...]:
    shares = (row["pnmi"], *row["pnmi_interval"], row["pnmi_chance"], row["phone_purity"], row["code_purity"])
    return (str(row["group"]), *_percent(shares), row["codes_used"], row["perplexity"])


def _agreement(row: Found) -> tuple[Any, ...]:
    shares = (row["equal"], *row["equal_interval"], row["chance"])
    return (str(row["group"]), *_percent(shares), row["frames"])


def _same_phone(rows: Sequence[Found]) -> Table:
    columns = ("group", "other voices", "same voice", "contexts", "frames")
    shown = [
        (
            str(row["group"]),
            *_percent((row["other_voice"], row["same_voice"])),
            row["contexts"],
            row["frames"],
        )
        for row in rows
    ]
    return Table("equal codes of a phone between the same phones, %", columns, shown)


def _percent(shares: tuple[float, ...]) -> list[float]:
    return [100 * share for share in shares]


def _overlaps(languages: Found) -> Table:
    names = languages["names"]
    rows = [
        (group, name, *_percent(tuple(row)))
        for group, matrix in languages["overlap"].items()
        for name, row in zip(names, matrix, strict=True)
    ]
    return Table("codes that languages share, %", ("group", "language", *names), rows)


def _shared(phones: list[Found]) -> Table:
    """Means over the phones that two languages have."""
    rows: list[tuple[Any, ...]] = []
    for (group, one, other), some in groupby(sorted(phones, key=_pair), _pair):
        shared = list(some)
        parts = [(row["overlap"], sum(row["within"]) / 2, row["others"]) for row in shared]
        means = [sum(column) / len(shared) for column in zip(*parts, strict=True)]
        rows.append((group, f"{one} {other}", len(shared), *_percent(tuple(means))))
    columns = ("group", "languages", "phones", "same phone", "within a language", "other phones")
    return Table("codes of a phone that languages share, %", columns, rows)


def _pair(row: Found) -> tuple[str, str, str]:
    one, other = row["languages"]
    return str(row["group"]), one, other


def _nearest(phones: list[Found]) -> Table:
    """The likeliest code of each phone: of all groups together."""
    rows: list[tuple[Any, ...]] = []
    for row in phones:
        codes = [code for code in row["codes"] if code["group"] == ALL]
        shown = [f"{'-'.join(map(str, code['code']))} ({100 * code['p_code']:.0f})" for code in codes]
        rows.append((row["phone"], row["frames"], " ".join(shown)))
    return Table(
        "the likeliest codes of phones (% of the phone's frames)", ("phone", "frames", "codes"), rows
    )
