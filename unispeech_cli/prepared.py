"""What became of the clips of a corpus, and the manifest, list of drops and row of a table that come of it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unispeech_cli.atomic import atomic_file
from unispeech_cli.corpora.clip import Dropped
from unispeech_cli.manifests import cut_writer
from unispeech_cli.paths import ManifestDir
from unispeech_cli.provenance import record
from unispeech_cli.records import Note, Progress, Records

COLUMNS = ("corpus", "split", "cuts", "hours", "speakers", "dropped", "why dropped")
# faults of one kind that get a line each; the TSV has them all
SHOWN = 5
# clips between two signs of life
STEP = 50

Row = tuple[str | int | float | None, ...]


@dataclass(frozen=True)
class Kept:
    """A cut's JSON, and how many channels its file has."""

    cut: Mapping[str, Any]
    channels: int


Outcome = Kept | Dropped


def to_json(outcome: Outcome) -> dict[str, Any]:
    """An outcome as a line of JSON has it."""
    if isinstance(outcome, Kept):
        return {"cut": outcome.cut, "channels": outcome.channels}
    return {"dropped": [outcome.id, outcome.reason, outcome.detail, outcome.expected]}


def from_json(line: Mapping[str, Any]) -> Outcome:
    """The outcome that `to_json` made a line of."""
    return Dropped(*line["dropped"]) if "dropped" in line else Kept(line["cut"], line["channels"])


@dataclass
class Tally:
    """What became of the clips of one split."""

    corpus: str
    split: str
    seconds: float = 0.0
    speakers: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    dropped: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)

    @property
    def task(self) -> str:
        return f"{self.corpus} {self.split}"

    def settle(self, outcome: Outcome) -> Outcome:
        """Count a cut or a drop; a cut whose id was there before becomes a drop."""
        if isinstance(outcome, Kept) and outcome.cut["id"] in self.ids:
            outcome = Dropped(outcome.cut["id"], "listed twice", "an earlier row has the same clip")
        if isinstance(outcome, Dropped):
            self.dropped[outcome.reason] += 1
            return outcome
        self.ids.add(outcome.cut["id"])
        self.seconds += outcome.cut["duration"]
        self.speakers |= {supervision.get("speaker") for supervision in outcome.cut["supervisions"]} - {None}
        return outcome

    def notes(self, settled: Outcome) -> Records:
        """A line for a fault, unless there were many of its kind."""
        if isinstance(settled, Kept):
            kind, text = "stereo", f"{settled.cut['id']}: {settled.channels} channels, made one"
            told = settled.channels > 1
        else:
            kind, text, told = settled.reason, f"{settled.id} dropped: {settled.detail}", not settled.expected
        if told:
            self.noted[kind] += 1
            if self.noted[kind] <= SHOWN:
                yield Note(f"{self.task}: {text}")

    def closing_notes(self, where: str) -> Records:
        """How many lines were held back; `where` says what has them all."""
        for kind, count in self.noted.items():
            if count > SHOWN:
                yield Note(f"{self.task}: {count - SHOWN} more of this kind: {kind}; {where}")

    def row(self) -> Row:
        """Under COLUMNS."""
        why = ", ".join(f"{count} {reason}" for reason, count in self.dropped.most_common())
        hours, dropped = round(self.seconds / 3600, 4), self.dropped.total()
        return (self.corpus, self.split, len(self.ids), hours, len(self.speakers), dropped, why)


def follow(
    outcomes: Iterable[Outcome], tally: Tally, total: int, keep: Callable[[Outcome, Outcome], None]
) -> Records:
    """Count outcomes as they come and give each to `keep`, as it is and as it was settled."""
    for done, outcome in enumerate(outcomes, start=1):
        settled = tally.settle(outcome)
        keep(outcome, settled)
        yield from tally.notes(settled)
        if done % STEP == 0:
            yield Progress(tally.task, done, max(done, total))
    seen = len(tally.ids) + tally.dropped.total()
    yield Progress(tally.task, seen, seen)


def write_split(outcomes: Iterable[Outcome], place: ManifestDir, tally: Tally, total: int) -> Records:
    """Write the manifest of a split and the list of what was left out, both when all went well."""
    path = place.dropped(tally.corpus, tally.split)
    with (
        cut_writer(place.cuts(tally.corpus, tally.split)) as write,
        atomic_file(path) as fresh,
        fresh.open("w", encoding="utf-8") as drops,
    ):
        drops.write("id\treason\tdetail\n")

        def keep(_: Outcome, settled: Outcome) -> None:
            if isinstance(settled, Dropped):
                drops.write(f"{settled.id}\t{settled.reason}\t{settled.detail}\n")
            else:
                write(settled.cut)

        yield from follow(outcomes, tally, total, keep)
    yield from tally.closing_notes(f"dropped clips are in {path}")


def write_outcomes(outcomes: Iterable[Outcome], path: Path, tally: Tally, total: int) -> Records:
    """Write outcomes as they are, to be put together with those of other shards."""
    with cut_writer(path) as write:
        yield from follow(outcomes, tally, total, lambda outcome, _: write(to_json(outcome)))
    yield from tally.closing_notes("unispeech merge lists the clips that were dropped")


def mark(place: ManifestDir, tally: Tally, wanted: Mapping[str, Any]) -> None:
    """Say what the manifest was made of, and the row of it."""
    record(mark_of(place, tally.corpus, tally.split), {**wanted, "row": tally.row()})


def mark_of(place: ManifestDir, corpus: str, split: str) -> Path:
    """Where that is said."""
    return place.mark("prepare", f"{corpus}-{split}")
