"""A corpus on disk -> Lhotse cuts with normalised transcripts, and a table of what was kept and dropped."""

import json
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from unispeech_cli import provenance
from unispeech_cli.atomic import atomic_file
from unispeech_cli.audio import transcode as transcode_audio
from unispeech_cli.corpora import commonvoice, kaldi, librispeech, ready, tedlium3
from unispeech_cli.corpora.clip import Clip, Dropped, Measured, Split, count_lines, measure, source
from unispeech_cli.lang.text import VERSION as NORMALIZER_VERSION
from unispeech_cli.lang.text import normalize
from unispeech_cli.manifests import MAX_SECONDS, build_cut, cut_writer, outside_limits
from unispeech_cli.paths import AudioDir, ManifestDir
from unispeech_cli.records import Note, Progress, Record, Records, Table

KINDS = ("commonvoice", "librispeech", "tedlium3", "kaldi", "manifest")
COLUMNS = ("corpus", "split", "cuts", "hours", "speakers", "dropped", "why dropped")
# clips in one task of a worker
CHUNK = 50
# faults of one kind that get a line each; the TSV has them all
SHOWN = 5

Row = tuple[str | int | float | None, ...]


@dataclass(frozen=True)
class _Kept:
    """A cut's JSON, and how many channels its file has."""

    cut: dict[str, Any]
    channels: int


@dataclass
class _Tally:
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

    def settle(self, outcome: _Kept | Dropped) -> _Kept | Dropped:
        """Count a cut or a drop; a cut whose id was there before becomes a drop."""
        if isinstance(outcome, _Kept) and outcome.cut["id"] in self.ids:
            outcome = Dropped(outcome.cut["id"], "listed twice", "an earlier row has the same clip")
        if isinstance(outcome, Dropped):
            self.dropped[outcome.reason] += 1
            return outcome
        self.ids.add(outcome.cut["id"])
        self.seconds += outcome.cut["duration"]
        self.speakers |= {supervision.get("speaker") for supervision in outcome.cut["supervisions"]} - {None}
        return outcome

    def notes(self, settled: _Kept | Dropped) -> Records:
        """A line for a fault, unless there were many of its kind."""
        if isinstance(settled, _Kept):
            kind, text = "stereo", f"{settled.cut['id']}: {settled.channels} channels, made one"
            told = settled.channels > 1
        else:
            kind, text, told = settled.reason, f"{settled.id} dropped: {settled.detail}", not settled.expected
        if told:
            self.noted[kind] += 1
            if self.noted[kind] <= SHOWN:
                yield Note(f"{self.task}: {text}")

    def closing_notes(self, dropped: Path) -> Records:
        """How many lines were held back."""
        for kind, count in self.noted.items():
            if count > SHOWN:
                yield Note(
                    f"{self.task}: {count - SHOWN} more of this kind: {kind}; dropped clips are in {dropped}"
                )

    def row(self) -> Row:
        why = ", ".join(f"{count} {reason}" for reason, count in self.dropped.most_common())
        hours, dropped = round(self.seconds / 3600, 4), self.dropped.total()
        return (self.corpus, self.split, len(self.ids), hours, len(self.speakers), dropped, why)


def prepare(
    kind: str,
    directory: Path,
    out: Path,
    *,
    languages: Sequence[str] = (),
    splits: Sequence[str] = (),
    split_list: Path | None = None,
    jobs: int = 1,
    transcode: bool = False,
    allow_commands: bool = False,
) -> Records:
    """Read a corpus and write one manifest per split into `out`, with the clips left out beside each.

    A clip that cannot be used costs a line and itself. Splits whose manifests were made from the same
    transcripts with the same options are left as they are. Raises FileNotFoundError or ValueError, in one
    line, when the corpus is not there, has another layout, lacks a language or split, or gives no cut at all.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of corpus {kind}; known: {', '.join(KINDS)}")
    if split_list is not None and kind != "commonvoice":
        raise ValueError("--split-list looks clips up in CommonVoice's TSVs; choose with --splits here")
    found = _splits(kind, directory, languages, splits, split_list, allow_commands)
    rows: list[Row] = []
    for split in found:
        rows.append((yield from _prepared(split, ManifestDir(out), jobs, transcode)))
    yield Table("prepared", COLUMNS, rows)
    if not any(row[2] for row in rows):
        raise ValueError(
            f"nothing of {directory} can be used; the lines above and {out}/*_dropped_*.tsv say why"
        )


def _splits(
    kind: str,
    directory: Path,
    languages: Sequence[str],
    names: Sequence[str],
    split_list: Path | None,
    allow_commands: bool,
) -> list[Split]:
    if kind == "commonvoice":
        return commonvoice.splits(directory, languages, names, split_list)
    if len(languages) > 1:
        raise ValueError(f"{kind} is one language; got --language {' '.join(languages)}")
    language = languages[0] if languages else ""
    if kind == "librispeech":
        return librispeech.splits(directory, language or "en", names)
    if kind == "tedlium3":
        return tedlium3.splits(directory, language or "en", names)
    if kind == "kaldi":
        return kaldi.splits(directory, language, names, allow_commands)
    return ready.splits(directory, language, names, allow_commands)


def _prepared(
    split: Split, manifests: ManifestDir, jobs: int, transcode: bool
) -> Generator[Record, None, Row]:
    path = manifests.cuts(split.corpus, split.name)
    if path.resolve() in [transcript.resolve() for transcript in split.transcripts]:
        raise ValueError(f"{path} would be read and written at once; choose another --out")
    mark = manifests.mark("prepare", f"{split.corpus}-{split.name}")
    options = {"language": split.language, "transcode": transcode, "max_seconds": MAX_SECONDS}
    versions = {"normalizer": NORMALIZER_VERSION}
    wanted = provenance.describe("prepare", [*split.transcripts, *split.extras], {**options, **versions})
    differing = provenance.differences(mark, wanted)
    if differing == [] and path.is_file():
        row: Row = tuple(json.loads(mark.read_text(encoding="utf-8"))["row"])
        again = f" ({row[5]} clips were dropped; remove the file to look at them again)" if row[5] else ""
        yield Note(f"{path}: same inputs, nothing to do{again}")
        return row
    if differing:
        yield Note(f"{path} is made again: {'; '.join(differing[:3])}")
    place = manifests.audio(split.corpus) if transcode else None
    tally = yield from _written(split, path, manifests.dropped(split.corpus, split.name), jobs, place)
    provenance.record(mark, {**wanted, "row": tally.row()})
    return tally.row()


def _written(
    split: Split, path: Path, dropped: Path, jobs: int, place: AudioDir | None
) -> Generator[Record, None, _Tally]:
    tally, total = _Tally(split.corpus, split.name), count_lines(split.transcripts)
    outcomes = _in_order(partial(_outcome, place=place), split.clips(), jobs)
    with cut_writer(path) as write, atomic_file(dropped) as fresh, fresh.open("w", encoding="utf-8") as drops:
        drops.write("id\treason\tdetail\n")
        for done, outcome in enumerate(outcomes, start=1):
            settled = tally.settle(outcome)
            if isinstance(settled, Dropped):
                drops.write(f"{settled.id}\t{settled.reason}\t{settled.detail}\n")
            else:
                write(settled.cut)
            yield from tally.notes(settled)
            if done % CHUNK == 0:
                yield Progress(tally.task, done, max(done, total))
    seen = len(tally.ids) + tally.dropped.total()
    yield Progress(tally.task, seen, seen)
    yield from tally.closing_notes(dropped)
    return tally


def _in_order(
    function: Callable[[Clip | Dropped], _Kept | Dropped], clips: Iterator[Clip | Dropped], jobs: int
) -> Iterator[_Kept | Dropped]:
    """`map` over `jobs` threads, in order, few clips ahead; files are read and coded outside the GIL."""
    if jobs <= 1:
        yield from map(function, clips)
        return
    pending: deque[Future[list[_Kept | Dropped]]] = deque()
    with ThreadPoolExecutor(jobs) as pool:
        while chunk := list(islice(clips, CHUNK)):
            pending.append(pool.submit(lambda part: [function(clip) for clip in part], chunk))
            if len(pending) > 2 * jobs:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()


def _outcome(clip: Clip | Dropped, place: AudioDir | None) -> _Kept | Dropped:
    """Everything that befalls one clip: its file, its length, its transcript, its transcoding."""
    measured = clip if isinstance(clip, Dropped) else measure(clip)
    if isinstance(measured, Dropped):
        return measured
    clip = measured.clip
    text_norm = normalize(clip.text, clip.language)
    if clip.text and not text_norm:
        return Dropped(clip.id, "no words in transcript", clip.text)
    unusable = outside_limits(clip.id, measured.duration)
    if unusable is not None:
        return unusable
    stored = measured if place is None else _transcoded(measured, place)
    return (
        stored if isinstance(stored, Dropped) else _Kept(build_cut(stored, text_norm), measured.info.channels)
    )


def _transcoded(measured: Measured, place: AudioDir) -> Measured | Dropped:
    clip = measured.clip
    out = place.file(clip.id)
    try:
        info = transcode_audio(source(clip), out, measured.start, measured.duration)
    except (ValueError, OSError) as error:
        return Dropped(clip.id, "unreadable file", str(error))
    fresh = replace(
        clip, path=str(out), recording=clip.id, start=0.0, duration=None, command=False, channel=0
    )
    return Measured(fresh, info, 0.0, info.seconds)
