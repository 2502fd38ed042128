"""Lhotse Shar directories, read without streaming: each cut knows where in which tar its audio lies.

`CutSet.to_shar` writes `cuts.000000.jsonl.gz`, `recording.000000.tar` and so on. A shard's tar holds for each
cut, in the same order, a file of audio and one of JSON, the recording's manifest.
"""

import json
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from unispeech_cli.archive import Member, members
from unispeech_cli.audio import MEMBER
from unispeech_cli.batches.lines import NAMES, Json, cut_lines
from unispeech_cli.paths import SharDir

# the recording comes out of the tar
_NAMES = tuple(name for name in NAMES if name != "recording")
# an audio file, and what its recording's manifest says
_Entry = tuple[str, Member, Json]


def shar_lines(place: SharDir) -> Iterator[tuple[bytes, Json]]:
    """Every cut as a line of its own, and its JSON; its audio's source is the name of a tar and a place there.

    Raises FileNotFoundError where there are no shards, ValueError naming a shard, and the cut, where cuts and
    audio do not belong together.
    """
    cuts, tars = place.cuts, place.recordings
    if not cuts:
        raise FileNotFoundError(
            f"{place.root}: no cuts.000000.jsonl.gz in it; a directory of Lhotse Shar has them"
        )
    if [_shard(path) for path in cuts] != [_shard(path) for path in tars]:
        raise ValueError(
            f"{place.root}: {len(cuts)} shards of cuts and {len(tars)} of recordings, not the same ones; "
            "write it again with fields={'recording': 'flac'}"
        )
    for manifest, tar in zip(cuts, tars, strict=True):
        for cut in _paired(manifest, tar):
            yield json.dumps(cut, ensure_ascii=False).encode() + b"\n", cut


def _shard(path: Path) -> str:
    """`000000` of `cuts.000000.jsonl.gz`, "" of an only one."""
    part = path.name.split(".")[1]
    return part if part.isdigit() else ""


def _paired(manifest: Path, tar: Path) -> Iterator[Json]:
    for line, entry in zip_longest(cut_lines(manifest, _NAMES), _entries(tar)):
        found = None if entry is None else entry[0]
        wanted = None if line is None else line[1]["id"]
        if entry is None or line is None or found != wanted:
            raise ValueError(
                f"{tar} has {_said(found)} where {manifest.name} has {_said(wanted)}: write both again"
            )
        _, audio, recording = entry
        yield {**line[1], "recording": {**recording, "sources": [_source(audio, recording)]}}


def _said(name: str | None) -> str:
    return "nothing" if name is None else f"cut {name}"


def _source(audio: Member, recording: Json) -> Json:
    channels = recording["sources"][0]["channels"]
    # the tar's name alone: the directory may move
    named = Member(Path(audio.tar.name), audio.offset, audio.size)
    return {"type": MEMBER, "channels": channels, "source": str(named)}


def _entries(tar: Path) -> Iterator[_Entry]:
    """Each cut's id, audio and recording. Files come in pairs, the audio first."""
    pairs = members(tar)
    for name, audio in pairs:
        of, manifest = next(pairs, ("", audio))
        cut_id = name.rpartition(".")[0]
        if of.rpartition(".")[0] != cut_id or name.endswith(".nodata"):
            raise ValueError(f"{tar}: no audio and JSON side by side for cut {cut_id}")
        yield cut_id, audio, _recording(tar, cut_id, manifest)


def _recording(tar: Path, cut_id: str, manifest: Member) -> Json:
    try:
        found: Any = json.loads(manifest.read())
        found["sources"][0]["channels"]
    except (ValueError, KeyError, IndexError, TypeError):
        raise ValueError(f"{tar}: the JSON of cut {cut_id} is no Lhotse recording") from None
    return dict(found)
