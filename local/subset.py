#!/usr/bin/env python3
"""A small part of a corpus, the same one every time: some of every speaker; a smaller part lies in a larger one.

Example: python local/subset.py data/letters librispeech 10min data/letters/librispeech_cuts_train-*.jsonl.gz
"""

import argparse
import gzip
import hashlib
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from unispeech_cli.atomic import atomic_file
from unispeech_cli.paths import ManifestDir
from unispeech_cli.provenance import describe, differences, record

SECONDS = {"min": 60, "h": 3600}
SIZE = re.compile(r"(\d+(?:\.\d+)?)(min|h)")


@dataclass(frozen=True)
class Line:
    """A cut as it stands in its manifest."""

    text: str
    id: str
    speaker: str
    seconds: float


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="directory for the manifest")
    parser.add_argument("corpus", help="as manifests are named: OUT/CORPUS_cuts_SIZE.jsonl.gz")
    parser.add_argument("size", help="10min, 1h, 10h: the name of the split, too")
    parser.add_argument("cuts", type=Path, nargs="+", help="manifests to take from")
    given = parser.parse_args(arguments)
    try:
        make(ManifestDir(given.out), given.corpus, given.size, given.cuts)
    except (OSError, ValueError) as error:
        print(f"subset.py: {error}", file=sys.stderr)
        return 1
    return 0


def make(place: ManifestDir, corpus: str, size: str, cuts: Sequence[Path]) -> None:
    """Write the manifest; where it was made from these cuts before, leave it."""
    path, mark = place.cuts(corpus, size), place.mark("subset", f"{corpus}-{size}")
    wanted = describe("subset", cuts, {"size": size})
    if differences(mark, wanted) == [] and path.is_file():
        print(f"{path}: same inputs, nothing to do", file=sys.stderr)
        return
    chosen = choose([line for manifest in cuts for line in read(manifest)], seconds_of(size))
    with atomic_file(path) as fresh, gzip.open(fresh, "wt", encoding="utf-8") as manifest:
        manifest.writelines(line.text for line in chosen)
    record(mark, wanted)
    speakers, minutes = len({line.speaker for line in chosen}), sum(line.seconds for line in chosen) / 60
    print(f"{path}: {len(chosen)} cuts of {speakers} speakers, {minutes:.1f} minutes", file=sys.stderr)


def seconds_of(size: str) -> float:
    """`10min` -> 600. Raises ValueError for anything else."""
    found = SIZE.fullmatch(size)
    if not found:
        raise ValueError(f"{size} is no size like 10min or 1h")
    return float(found[1]) * SECONDS[found[2]]


def read(manifest: Path) -> Iterator[Line]:
    with gzip.open(manifest, "rt", encoding="utf-8") as lines:
        for line in lines:
            cut = json.loads(line)
            yield Line(line, cut["id"], cut["supervisions"][0]["speaker"], cut["duration"])


def choose(lines: list[Line], seconds: float) -> list[Line]:
    """One cut of every speaker, then a second one of each, until there is enough.

    Raises ValueError where there is less than that.
    """
    if sum(line.seconds for line in lines) < seconds:
        hours = sum(line.seconds for line in lines) / 3600
        raise ValueError(f"{seconds / 3600:g} h were asked for; the manifests hold {hours:.2f} h")
    speakers = defaultdict[str, list[Line]](list)
    for line in sorted(lines, key=_shuffled):
        speakers[line.speaker].append(line)
    ranked = sorted(
        ((rank, line) for own in speakers.values() for rank, line in enumerate(own)),
        key=lambda pair: (pair[0], _shuffled(pair[1])),
    )
    chosen: list[Line] = []
    for _, line in ranked:
        if seconds <= 0:
            break
        chosen.append(line)
        seconds -= line.seconds
    return chosen


def _shuffled(line: Line) -> str:
    return hashlib.sha256(line.id.encode()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
