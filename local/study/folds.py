"""Parts of a language's clips that share no speaker and are equally long: each is the test of one fold."""

import csv
import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import soundfile

from unispeech_cli.atomic import write_text
from unispeech_cli.corpora.commonvoice import code

# the listing of the clips that are dealt out
LISTING = "validated"


def write_folds(corpus: Path, language: str, number: int, out: Path) -> list[float]:
    """Write OUT/part-1.txt and so on, a clip a line; return the seconds of each.

    The same clips give the same parts. Raises FileNotFoundError where the language or a clip is not there,
    ValueError where there are fewer speakers than parts.
    """
    folder = _folder(corpus, language)
    speakers: dict[str, list[str]] = defaultdict(list)
    with (folder / f"{LISTING}.tsv").open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            speakers[row["client_id"]].append(row["path"])
    seconds = {path: _seconds(folder / "clips" / path) for paths in speakers.values() for path in paths}
    parts = deal(speakers, seconds, number)
    for place, clips in enumerate(parts, start=1):
        write_text(out / f"part-{place}.txt", "".join(f"{clip}\n" for clip in clips))
    return [sum(seconds[clip] for clip in clips) for clips in parts]


def deal(speakers: Mapping[str, Sequence[str]], seconds: Mapping[str, float], number: int) -> list[list[str]]:
    """Whole speakers to the part that has least so far, those who said most first."""
    if len(speakers) < number:
        raise ValueError(f"{len(speakers)} speakers cannot be dealt out to {number} folds")
    said = {who: sum(seconds[clip] for clip in clips) for who, clips in speakers.items()}
    parts: list[list[str]] = [[] for _ in range(number)]
    for who in sorted(said, key=lambda who: (-said[who], hashlib.sha256(who.encode()).hexdigest())):
        least = min(parts, key=lambda clips: sum(seconds[clip] for clip in clips))
        least += speakers[who]
    return [sorted(clips) for clips in parts]


def _folder(corpus: Path, language: str) -> Path:
    for folder in sorted(corpus.iterdir()) if corpus.is_dir() else []:
        if language in (folder.name, code(folder.name)) and (folder / f"{LISTING}.tsv").is_file():
            return folder
    raise FileNotFoundError(f"no {corpus}/{language}/{LISTING}.tsv")


def _seconds(clip: Path) -> float:
    """Of a clip whose name may lack its suffix, as the oldest releases have it."""
    path = clip if clip.suffix else clip.with_suffix(".mp3")
    if not path.is_file():
        raise FileNotFoundError(f"no clip {path}")
    return float(soundfile.info(path).duration)
