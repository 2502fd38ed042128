"""What became of the cuts of manifests, and the manifests, lists of drops, tables and lang directory made of it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from unispeech_cli.atomic import atomic_file
from unispeech_cli.corpora.clip import Dropped
from unispeech_cli.lang import directory, tokens
from unispeech_cli.lang.directory import Means
from unispeech_cli.lang.subwords import Subwords
from unispeech_cli.lang.tokens import BLANK, TokenTable
from unispeech_cli.lang.units import Labeller, Source
from unispeech_cli.manifests import cut_writer
from unispeech_cli.paths import LangDir, ManifestDir
from unispeech_cli.records import Note, Progress, Records, Table

# unknown units and words that a table shows; the lists of dropped cuts have them all
SHOWN = 50
# cuts between two signs of life
STEP = 1000
COLUMNS = ("manifest", "cuts", "hours", "units", "unlabelled", "switched", "dropped", "dropped hours")

Row = tuple[str | int | float | None, ...]


@dataclass(frozen=True)
class Place:
    """A manifest that is read, and the files made of it. Raises ValueError where they cannot be named after it."""

    read: Path
    out: ManifestDir

    def __post_init__(self) -> None:
        if not all(self.name):
            raise ValueError(f"{self.read}: a manifest is named CORPUS_cuts_SPLIT.jsonl.gz")

    @property
    def name(self) -> tuple[str, str]:
        """Corpus and split."""
        corpus, _, split = self.read.name.removesuffix(".gz").removesuffix(".jsonl").partition("_cuts_")
        return corpus, split

    @property
    def manifest(self) -> Path:
        return self.out.cuts(*self.name)

    @property
    def mark(self) -> Path:
        return self.out.mark("phonemize", "-".join(self.name))


@dataclass(frozen=True)
class Outcome:
    """A cut with its units, as JSON, or why it is dropped; seconds of audio, and how many units."""

    cut: Mapping[str, Any] | None
    dropped: Dropped | None
    seconds: float
    units: int = 0
    unlabelled: bool = False
    switched: bool = False

    @property
    def id(self) -> str:
        return self.dropped.id if self.dropped else str((self.cut or {})["id"])

    def to_json(self) -> dict[str, Any]:
        """As a line of JSON has it."""
        return {name: value for name, value in vars(self).items() if value and name != "dropped"} | (
            {"dropped": asdict(self.dropped)} if self.dropped else {}
        )


def from_json(line: Mapping[str, Any]) -> Outcome:
    """What `Outcome.to_json` made a line of."""
    dropped = Dropped(**line["dropped"]) if "dropped" in line else None
    return Outcome(**{"cut": None, "seconds": 0.0, **line, "dropped": dropped})


@dataclass
class Tally:
    """What became of the cuts of one manifest; drops are cuts and seconds by reason."""

    name: str
    cuts: int = 0
    seconds: float = 0.0
    units: int = 0
    unlabelled: int = 0
    switched: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    dropped_seconds: dict[str, float] = field(default_factory=dict)

    def settle(self, outcome: Outcome) -> None:
        """Count a cut with its units, or a drop."""
        self.unlabelled += outcome.unlabelled
        self.switched += outcome.switched
        if outcome.dropped:
            self.dropped[outcome.dropped.reason] += 1
            lost = self.dropped_seconds.get(outcome.dropped.reason, 0.0)
            self.dropped_seconds[outcome.dropped.reason] = lost + outcome.seconds
        else:
            self.cuts += 1
            self.seconds += outcome.seconds
            self.units += outcome.units


def follow(outcomes: Iterable[Outcome], tally: Tally, total: int, keep: Callable[[Outcome], None]) -> Records:
    """Count outcomes as they come and give each to `keep`."""
    done = 0
    for done, outcome in enumerate(outcomes, start=1):
        tally.settle(outcome)
        keep(outcome)
        if done % STEP == 0:
            yield Progress(tally.name, done, max(done, total), f"{tally.dropped.total()} dropped")
    yield Progress(tally.name, done, done, f"{tally.dropped.total()} dropped")


def write_manifest(
    place: Place, outcomes: Iterable[Outcome], tally: Tally, total: int, files: ExitStack
) -> Records:
    """Write a manifest and the list of what was dropped; they appear when `files` close."""
    write = files.enter_context(cut_writer(place.manifest))
    fresh = files.enter_context(atomic_file(place.out.dropped(*place.name)))
    drops = files.enter_context(fresh.open("w", encoding="utf-8"))
    drops.write("id\treason\tdetail\n")

    def keep(outcome: Outcome) -> None:
        if outcome.dropped:
            drops.write(f"{outcome.dropped.id}\t{outcome.dropped.reason}\t{outcome.dropped.detail}\n")
        else:
            write(outcome.cut or {})

    yield from follow(outcomes, tally, total, keep)


def write_outcomes(path: Path, outcomes: Iterable[Outcome], tally: Tally, total: int) -> Records:
    """Write outcomes as they are, to be put together with those of other shards."""
    with cut_writer(path) as write:
        yield from follow(outcomes, tally, total, lambda outcome: write(outcome.to_json()))


def open_labeller(means: Means, model: Subwords | None) -> tuple[Labeller, list[str]]:
    """A labeller that keeps to the inventory there is, and a line on each thing left out of that."""
    pinned, notes = tokens.read_inventory(means.inventory) if means.inventory else (None, [])
    if model and not pinned:
        pinned = TokenTable((BLANK, *model.units))
    return Labeller(Source(means.units, means.lexicon, model), means.settings, means.vocab, pinned), notes


def write_lang(
    lang: LangDir, means: Means, labeller: Labeller, model: Subwords | None, wanted: Mapping[str, Any]
) -> Records:
    """Write the lang directory, unless its own inventory is the one that is kept to."""
    table = labeller.table()
    if not means.keeps(lang):
        voices = {language: voice.name for language, voice in sorted(labeller.voices.items())}
        directory.write(lang, table, labeller.lexicon(table), model, {**wanted, "voices": voices})
    yield Note(f"{len(table)} tokens in {lang.tokens}, fingerprint {table.fingerprint}")


def tables(tallies: Sequence[Tally], unknown: Mapping[str, Mapping[tuple[str, str], int]]) -> Records:
    """What became of all cuts, why some were dropped, and which units and words were unknown, the commonest first."""
    rows: list[Row] = []
    reasons: list[Row] = []
    for tally in tallies:
        hours, lost = _hours(tally.seconds), _hours(sum(tally.dropped_seconds.values()))
        counts = (tally.units, tally.unlabelled, tally.switched, tally.dropped.total())
        rows.append((tally.name, tally.cuts, hours, *counts, lost))
        for reason, count in tally.dropped.most_common():
            reasons.append((tally.name, reason, count, _hours(tally.dropped_seconds[reason])))
    yield Table("phonemized", COLUMNS, rows)
    if reasons:
        yield Table("dropped", ("manifest", "reason", "cuts", "hours"), reasons)
    for kind, names in unknown.items():
        common = sorted(names.items(), key=lambda item: (-item[1], item[0]))[:SHOWN]
        shown: list[Row] = [(language, name, count) for (language, name), count in common]
        if shown:
            yield Table(f"unknown {kind}s ({len(names)} in all)", ("language", kind, "times"), shown)


def _hours(seconds: float) -> float:
    return round(seconds / 3600, 4)
