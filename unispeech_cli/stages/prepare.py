"""A corpus on disk -> Lhotse cuts with normalised transcripts, and a table of what was kept and dropped."""

import json
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from unispeech_cli import provenance
from unispeech_cli.audio import transcode as transcode_audio
from unispeech_cli.corpora import commonvoice, kaldi, librispeech, ready, tedlium3
from unispeech_cli.corpora.clip import Clip, Dropped, Measured, Split, count_lines, measure, source
from unispeech_cli.lang.text import VERSION as NORMALIZER_VERSION
from unispeech_cli.lang.text import normalize
from unispeech_cli.manifests import MAX_SECONDS, build_cut, outside_limits
from unispeech_cli.paths import AudioDir, ManifestDir
from unispeech_cli.prepared import (
    COLUMNS,
    Kept,
    Outcome,
    Row,
    Tally,
    mark,
    mark_of,
    write_outcomes,
    write_split,
)
from unispeech_cli.records import Note, Record, Records, Table
from unispeech_cli.shard_paths import PartsDir, ShardsDir
from unispeech_cli.shards import Dealt, Shard, facts_of, is_left_to_do, part

KINDS = ("commonvoice", "librispeech", "tedlium3", "kaldi", "manifest")
# neighbours in one task of a worker, and in one block of a shard
CHUNK = 50


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
    shard: Shard | None = None,
) -> Records:
    """Read a corpus and write one manifest per split into `out`, with the clips left out beside each.

    With a shard, only its blocks of clips are looked at and what became of them is kept in `out` for `merge`.
    A clip that cannot be used costs a line and itself. Splits whose manifests were made from the same
    transcripts with the same options are left as they are. Raises FileNotFoundError or ValueError, in one
    line, when the corpus is not there, has another layout, lacks a language or split, or gives no cut at all.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of corpus {kind}; known: {', '.join(KINDS)}")
    if split_list is not None and kind != "commonvoice":
        raise ValueError("--split-list looks clips up in CommonVoice's TSVs; choose with --splits here")
    found = _splits(kind, directory, languages, splits, split_list, allow_commands)
    work = _Work(ManifestDir(out), jobs, transcode, shard, found)
    rows: list[Row] = []
    for split in found:
        rows.append((yield from work.prepared(split)))
    yield Table("prepared", COLUMNS, rows)
    # a shard may have had bad luck
    if shard is None and not any(row[2] for row in rows):
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


@dataclass(frozen=True)
class _Work:
    """How a split is gone through, and where what comes of it goes."""

    manifests: ManifestDir
    jobs: int
    transcode: bool
    shard: Shard | None
    splits: Sequence[Split]

    def prepared(self, split: Split) -> Generator[Record, None, Row]:
        path = self.manifests.cuts(split.corpus, split.name)
        if path.resolve() in [transcript.resolve() for transcript in split.transcripts]:
            raise ValueError(f"{path} would be read and written at once; choose another --out")
        wanted = self._wanted(split)
        written = mark_of(self.manifests, split.corpus, split.name)
        differing = provenance.differences(written, wanted)
        if differing == [] and path.is_file():
            row: Row = tuple(json.loads(written.read_text(encoding="utf-8"))["row"])
            again = f" ({row[5]} clips were dropped; remove the file to look at them again)" if row[5] else ""
            yield Note(f"{path}: same inputs, nothing to do{again}")
            return row
        if differing:
            yield Note(f"{path} is made again: {'; '.join(differing[:3])}")
        if self.shard is not None:
            return (yield from self._part(split, self.shard, wanted))
        tally = Tally(split.corpus, split.name)
        outcomes = self._outcomes(split, split.clips())
        yield from write_split(outcomes, self.manifests, tally, count_lines(split.transcripts))
        mark(self.manifests, tally, wanted)
        return tally.row()

    def _part(self, split: Split, shard: Shard, wanted: Mapping[str, Any]) -> Generator[Record, None, Row]:
        """What comes of the shard's blocks, kept for the merge."""
        place = self._parts(split)
        if not (yield from is_left_to_do(place, shard, wanted)):
            return tuple(facts_of(place, shard)["row"])
        tally, clips = Tally(split.corpus, split.name), Dealt(split.clips(), shard, CHUNK)
        with part(place, shard, wanted) as (fresh, facts):
            path, total = fresh.outcomes(split.corpus, split.name), count_lines(split.transcripts) // shard.of
            yield from write_outcomes(self._outcomes(split, clips), path, tally, total)
            facts |= {"split": [split.corpus, split.name], "total": clips.total, "block": CHUNK}
            facts |= {"beside": [[other.corpus, other.name] for other in self.splits], "row": tally.row()}
        return tally.row()

    def _parts(self, split: Split) -> PartsDir:
        return ShardsDir(self.manifests.root).of(f"prepare-{split.corpus}-{split.name}")

    def _wanted(self, split: Split) -> dict[str, Any]:
        options = {"language": split.language, "transcode": self.transcode, "max_seconds": MAX_SECONDS}
        versions = {"normalizer": NORMALIZER_VERSION}
        return provenance.describe("prepare", [*split.transcripts, *split.extras], {**options, **versions})

    def _outcomes(self, split: Split, clips: Iterable[Clip | Dropped]) -> Iterator[Outcome]:
        place = self.manifests.audio(split.corpus) if self.transcode else None
        return _in_order(partial(_outcome, place=place), iter(clips), self.jobs)


def _in_order(
    function: Callable[[Clip | Dropped], Outcome], clips: Iterator[Clip | Dropped], jobs: int
) -> Iterator[Outcome]:
    """`map` over `jobs` threads, in order, few clips ahead; files are read and coded outside the GIL."""
    if jobs <= 1:
        yield from map(function, clips)
        return
    pending: deque[Future[list[Outcome]]] = deque()
    with ThreadPoolExecutor(jobs) as pool:
        while chunk := list(islice(clips, CHUNK)):
            pending.append(pool.submit(lambda part: [function(clip) for clip in part], chunk))
            if len(pending) > 2 * jobs:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()


def _outcome(clip: Clip | Dropped, place: AudioDir | None) -> Outcome:
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
        stored if isinstance(stored, Dropped) else Kept(build_cut(stored, text_norm), measured.info.channels)
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
