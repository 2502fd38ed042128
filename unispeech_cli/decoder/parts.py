"""A decode in parts: which cuts are a shard's, what it leaves, and the decode directory that all of them make."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from unispeech_cli.atomic import atomic_dir
from unispeech_cli.batches.loader import grouped
from unispeech_cli.decoder.hypotheses import Decoded, Hypothesis, read_hypotheses, write_hypotheses
from unispeech_cli.decoder.results import Results, write_results
from unispeech_cli.paths import DecodeDir
from unispeech_cli.records import Note, Records
from unispeech_cli.shard_paths import PartDir
from unispeech_cli.shards import Part, Shard


@dataclass(frozen=True)
class Told:
    """What became of the cuts of a test set in one shard: of how many in all, which were left out, what was said."""

    cuts: int
    left_out: tuple[str, ...]
    lines: tuple[str, ...]


def deal(seconds: Sequence[float], shard: Shard, seconds_per_batch: float, longest: float) -> set[int]:
    """Numbers of the cuts that are a shard's, of which the lengths are given.

    They are dealt out in whole batches, those that `inference_batches` makes of all cuts, so that nothing changes
    by a bit; cuts over `longest` are alone.
    """
    order = sorted(range(len(seconds)), key=lambda number: -seconds[number])
    alone = [[number] for number in order if seconds[number] > longest]
    short = order[len(alone) :]
    batched = [
        [short[place] for place in places]
        for places in grouped([seconds[number] for number in short], seconds_per_batch)
    ]
    return {
        number for batch, numbers in enumerate([*alone, *batched]) if shard.takes(batch) for number in numbers
    }


def write_part(place: PartDir, made: Decoded, results: Results, told: Mapping[str, Told]) -> dict[str, Any]:
    """Write the hypotheses of a shard; what its record is to tell besides."""
    for test_set, by_setting in results.items():
        for setting, hypotheses in by_setting.items():
            if hypotheses:
                write_hypotheses(DecodeDir(place.root).hypotheses(test_set, setting), hypotheses)
    return {"made": asdict(made), "told": {name: asdict(one) for name, one in told.items()}}


def merge_decoded(out: Path, parts: Sequence[Part]) -> Records:
    """Make the decode directory. Raises ValueError where cuts are missing or there twice."""
    made = _decoded(parts[0].facts["made"])
    results = {}
    for test_set in made.test_sets:
        told = [Told(**part.facts["told"][test_set]) for part in parts]
        lines = dict.fromkeys(line for one in told for line in one.lines)
        yield from (Note(f"warning: {test_set}: {line}") for line in lines)
        results[test_set] = {setting: _joined(parts, test_set, setting) for setting in made.settings}
        for hypotheses in results[test_set].values():
            _check(test_set, hypotheses, told)
        yield Note(f"{test_set}: {len(results[test_set][made.settings[0]])} of {told[0].cuts} cuts")
    with atomic_dir(out) as fresh:
        write_results(DecodeDir(fresh), made, results, parts[0].made)


def _decoded(found: Mapping[str, Any]) -> Decoded:
    return replace(Decoded(**found), test_sets=tuple(found["test_sets"]), settings=tuple(found["settings"]))


def _joined(parts: Sequence[Part], test_set: str, setting: str) -> list[Hypothesis]:
    paths = [DecodeDir(part.place.root).hypotheses(test_set, setting) for part in parts]
    # a shard that heard nothing has none
    return [hypothesis for path in paths if path.is_file() for hypothesis in read_hypotheses(path)]


def _check(test_set: str, hypotheses: Sequence[Hypothesis], told: Sequence[Told]) -> None:
    ids = [hypothesis.id for hypothesis in hypotheses] + [cut for one in told for cut in one.left_out]
    if len(set(ids)) < len(ids):
        twice = next(cut for number, cut in enumerate(ids) if cut in ids[:number])
        raise ValueError(f"{test_set}: cut {twice} is in two shards")
    if {one.cuts for one in told} != {len(ids)}:
        raise ValueError(f"{test_set}: the shards have {len(ids)} cuts of {max(one.cuts for one in told)}")
    if not hypotheses:
        raise ValueError(f"{test_set}: none of {len(ids)} cuts could be decoded")
