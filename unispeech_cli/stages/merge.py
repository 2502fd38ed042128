"""What shards of prepare, phonemize or decode have left -> what one run would have written."""

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from unispeech_cli import prepared, provenance
from unispeech_cli.decoder.parts import merge_decoded
from unispeech_cli.lang import gathered, phonemized
from unispeech_cli.lang.directory import is_made, read_means
from unispeech_cli.lang.subwords import Subwords
from unispeech_cli.paths import DecodeDir, LangDir, ManifestDir
from unispeech_cli.records import Note, Record, Records, Table
from unispeech_cli.shard_paths import ShardsDir
from unispeech_cli.shards import Part, collect, in_order, read_lines, remove

Merging = Generator[Record, None, list[prepared.Row]]
"""At the end the rows of what was prepared."""


def merge(out: Path) -> Records:
    """Put together what shards of prepare, phonemize or decode have left in `out`, and take it away there.

    Nothing is touched before all shards of all that lies there were found whole. Raises ValueError, in one line,
    where a shard is missing, damaged, of another division or made of something else than the others, where an item
    is missing or there twice, and where there never was anything to merge.
    """
    places = ShardsDir(out).found()
    if not places:
        yield Note(_nothing(out))
        return
    found = sorted(((place, collect(place)) for place in places), key=lambda one: _turn(one[1][0]))
    _check_complete(out, [parts for _, parts in found])
    mergers: Mapping[str, Callable[[Path, Sequence[Part]], Merging]] = {
        "prepare": _prepared,
        "phonemize": _phonemized,
        "decode": _decoded,
    }
    rows: list[prepared.Row] = []
    for place, parts in found:
        rows += yield from mergers[parts[0].made["stage"]](out, parts)
        yield Note(f"{out}: {len(parts)} shards of {place.root.name} merged")
        # a decode directory comes new, without them
        if place.root.exists():
            remove(out, place)
    if rows:
        yield Table("prepared", prepared.COLUMNS, rows)
        if not any(row[2] for row in rows):
            raise ValueError(f"no clip can be used; the lines above and {out}/*_dropped_*.tsv say why")


def _turn(part: Part) -> int:
    """Splits of a corpus come in the order in which they were prepared."""
    return list(part.facts["beside"]).index(part.facts["split"]) if "beside" in part.facts else 0


def _nothing(out: Path) -> str:
    """What to say where there are no shards."""
    place = ManifestDir(out)
    marks = [mark for stage in ("prepare", "phonemize") for mark in out.glob(place.mark(stage, "*").name)]
    if not marks and not DecodeDir(out).decoded.is_file():
        raise ValueError(f"no shards in {out}: name the --out of prepare, phonemize or decode --shard I/N")
    return f"{out}: no shards are left, all is merged; nothing to do"


def _check_complete(out: Path, found: Iterable[Sequence[Part]]) -> None:
    """That no split of a corpus lacks all of its shards."""
    here = {tuple(parts[0].facts["split"]) for parts in found if parts[0].made["stage"] == "prepare"}
    for parts in found:
        for corpus, split in parts[0].facts.get("beside", []):
            if (corpus, split) not in here and not prepared.mark_of(
                ManifestDir(out), corpus, split
            ).is_file():
                raise ValueError(f"{out}: no shard of {corpus} {split} is done")


def _prepared(out: Path, parts: Sequence[Part]) -> Merging:
    facts, place = parts[0].facts, ManifestDir(out)
    tally = prepared.Tally(*facts["split"])
    lines = in_order(_outcomes(parts, *facts["split"]), facts["total"], facts["block"])
    yield from prepared.write_split(map(prepared.from_json, lines), place, tally, facts["total"])
    prepared.mark(place, tally, parts[0].made)
    return [tally.row()]


def _decoded(out: Path, parts: Sequence[Part]) -> Merging:
    yield from merge_decoded(out, parts)
    return []


def _phonemized(out: Path, parts: Sequence[Part]) -> Merging:
    facts, wanted = parts[0].facts, parts[0].made
    means, lang = read_means(facts["means"]), LangDir(Path(facts["lang_dir"]))
    places = [phonemized.Place(Path(read), ManifestDir(out)) for read, _, _ in facts["manifests"]]
    differing = provenance.compare(wanted, means.describe(place.read for place in places))
    if differing:
        raise ValueError(
            f"{parts[0].place.root} was made with others than are here: {'; '.join(differing[:3])}"
        )
    if not means.keeps(lang):
        # raises for one that was made of something else meanwhile
        is_made(lang, wanted)
    model = Subwords.read(means.model) if means.model else None
    labeller, notes = phonemized.open_labeller(means, model)
    yield from map(Note, notes)
    for part in parts:
        gathered.add(labeller, json.loads(part.place.gathered.read_text(encoding="utf-8")))
    tallies = [phonemized.Tally(place.read.name) for place in places]
    with ExitStack() as files:
        for place, tally, (_, total, first) in zip(places, tallies, facts["manifests"], strict=True):
            lines = in_order(_outcomes(parts, *place.name), total, facts["block"], first)
            outcomes = _once(map(phonemized.from_json, lines), place.read)
            yield from phonemized.write_manifest(place, outcomes, tally, total, files)
        yield from phonemized.tables(tallies, labeller.unknown)
        yield from phonemized.write_lang(lang, means, labeller, model, wanted)
    for place in places:
        provenance.record(place.mark, wanted)
    return []


def _outcomes(parts: Sequence[Part], corpus: str, split: str) -> list[Iterator[dict[str, Any]]]:
    return [read_lines(part.place.outcomes(corpus, split)) for part in parts]


def _once(outcomes: Iterable[phonemized.Outcome], manifest: Path) -> Iterator[phonemized.Outcome]:
    """Outcomes as they come. Raises ValueError where a cut is there twice."""
    seen: set[str] = set()
    for outcome in outcomes:
        if outcome.id in seen:
            raise ValueError(f"{manifest}: cut {outcome.id} is there twice")
        seen.add(outcome.id)
        yield outcome
