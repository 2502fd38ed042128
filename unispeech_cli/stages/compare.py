"""Two decode directories in; whether and where they differ out."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unispeech_cli.decoder.hypotheses import Decoded, read_decoded, read_hypotheses
from unispeech_cli.paths import DecodeDir
from unispeech_cli.records import Note, Records, Table
from unispeech_cli.scorer.bootstrap import BootstrapSettings
from unispeech_cli.scorer.comparison import Both, Difference, Matched, difference, match, most_changed
from unispeech_cli.scorer.glm import read_glm
from unispeech_cli.scorer.measures import Aligned, Manner, aligned
from unispeech_cli.scorer.normalization import TextSettings, described
from unispeech_cli.scorer.rates import Rate
from unispeech_cli.scorer.results import read_best

# so many ids are spelled out
_NAMED = 20
_COLUMNS = (
    *("test set", "measure", "A %", "B %", "B - A", "95 %", "relative %", "p", "drawn"),
    *("segments", "z", "p (z)", "better", "as good", "worse"),
)
Row = tuple[str | int | float | None, ...]


@dataclass(frozen=True)
class CompareSettings:
    """How words are written, how intervals are made, and how many of the utterances that changed are shown."""

    text: TextSettings = field(default_factory=TextSettings)
    bootstrap: BootstrapSettings = field(default_factory=BootstrapSettings)
    changed: int = 10


@dataclass(frozen=True)
class _System:
    root: Path
    decoded: Decoded
    setting: str

    def __str__(self) -> str:
        return f"{self.root} {self.setting}"

    def utterances(self, test_set: str, manner: Manner) -> Mapping[str, list[Aligned]]:
        path = DecodeDir(self.root).hypotheses(test_set, self.setting)
        return aligned(read_hypotheses(path), self.decoded.units, manner)


def compare(
    first: str,
    second: str,
    *,
    sclite: bool = False,
    glm: Path | None = None,
    settings: CompareSettings | None = None,
) -> Records:
    """Compare two results, A and B, each a decode directory or DECODE_DIR:SETTING, on the utterances in both.

    Of a directory with several settings the best one is taken, which it must have been scored for. Yields a
    table of differences by test set and measure (p by paired bootstrap, z and its p by matched pairs of segments;
    utterances in which B is better, as good, worse), and one of the utterances that changed most. Raises
    ValueError where nothing can be compared.
    """
    settings = settings or CompareSettings()
    manner = Manner(settings.text, None if glm is None else read_glm(glm), sclite)
    a, b = _system(first), _system(second)
    yield Note(f"A is {a}; B is {b}; a difference below 0 is for B")
    yield Note(f"words as scored: {described(settings.text, None if glm is None else str(glm))}")
    rows, changed = list[Row](), list[Row]()
    for test_set in _shared_sets(a, b):
        found = {name: match(*sides) for name, sides in _shared_measures(a, b, test_set, manner).items()}
        found = {name: matched for name, matched in found.items() if matched.both}
        if not found:
            yield Note(f"warning: {test_set}: A and B have no utterance with a reference in common")
            continue
        detailed = next(iter(found.values()))
        yield from _left_out(test_set, detailed)
        differences = {name: difference(matched.both, settings.bootstrap) for name, matched in found.items()}
        rows += [_row(test_set, name, found) for name, found in differences.items()]
        changed += [_changed(test_set, each) for each in most_changed(detailed.both, settings.changed)]
    if not rows:
        raise ValueError(f"{a.root} and {b.root} have nothing in common that could be compared")
    yield Table("B against A", _COLUMNS, rows)
    yield Table(
        "Changed most", ("test set", "utterance", "A errors", "B errors", "reference", "A", "B"), changed
    )


def _system(given: str) -> _System:
    """`DECODE_DIR` or `DECODE_DIR:SETTING`."""
    root, _, setting = (given, "", "") if Path(given).is_dir() else given.rpartition(":")
    decoded = read_decoded(Path(root or given))
    if not setting:
        alone = len(decoded.settings) == 1
        setting = decoded.settings[0] if alone else read_best(Path(root))
    if setting not in decoded.settings:
        raise ValueError(f"{root} has no setting {setting}; it has {', '.join(decoded.settings)}")
    return _System(Path(root), decoded, setting)


def _shared_sets(a: _System, b: _System) -> list[str]:
    shared = [name for name in a.decoded.test_sets if name in b.decoded.test_sets]
    if not shared:
        sets = (" ".join(system.decoded.test_sets) for system in (a, b))
        raise ValueError("A has test sets {}, B has {}: none in common".format(*sets))
    return shared


def _shared_measures(
    a: _System, b: _System, test_set: str, manner: Manner
) -> dict[str, tuple[Sequence[Aligned], Sequence[Aligned]]]:
    ours, theirs = (system.utterances(test_set, manner) for system in (a, b))
    return {name: (ours[name], theirs[name]) for name in ours if name in theirs}


def _left_out(test_set: str, matched: Matched) -> Iterator[Note]:
    reasons = {
        "only in A": matched.only_first,
        "only in B": matched.only_second,
        "with other references in B": matched.other_reference,
    }
    for reason, names in reasons.items():
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            shown = f"{' '.join(names[:_NAMED])}{more}"
            yield Note(f"warning: {test_set}: left out, {reason}: {len(names)} utterances: {shown}")


def _row(test_set: str, measure: str, found: Difference) -> Row:
    drawn, tested = found.drawn, found.tested
    before = found.first.percent
    bootstrap: Row = (None, None, None, None, None)
    if drawn is not None:
        spread = f"{100 * drawn.interval.low:+.2f} to {100 * drawn.interval.high:+.2f}"
        relative = 100 * 100 * drawn.difference / before if before else None
        bootstrap = (
            100 * drawn.difference,
            spread,
            relative,
            drawn.p,
            f"{drawn.interval.size} {drawn.interval.over}",
        )
    segments = (tested.segments, tested.z, tested.p)
    rates = (_percent(found.first), _percent(found.second))
    return (test_set, measure, *rates, *bootstrap, *segments, *found.utterances)


def _percent(rate: Rate) -> float | None:
    return rate.percent if math.isfinite(rate.percent) else None


def _changed(test_set: str, both: Both) -> Row:
    first, second = both.first, both.second
    ref = " ".join(ref for ref, _ in first.pairs if ref is not None)
    heard = [" ".join(hyp for _, hyp in side.pairs if hyp is not None) for side in (first, second)]
    return (test_set, first.hypothesis.id, first.counts.errors, second.counts.errors, ref, *heard)
