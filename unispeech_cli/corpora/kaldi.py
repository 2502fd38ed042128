"""Kaldi data directories: wav.scp, text, utt2spk, and where there are some segments, spk2gender, utt2lang."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from unispeech_cli.corpora.clip import Clip, Dropped, Split

_GENDERS = {"m": "male", "f": "female"}
_TABLES = ("text", "segments", "utt2spk", "spk2gender", "utt2lang")


def splits(
    directory: Path, language: str, names: Sequence[str] = (), allow_commands: bool = False
) -> list[Split]:
    """The data directory itself, or those directly inside it (`data/train`, `data/dev`), by name or all.

    `language` is that of utterances which utt2lang does not name. Raises FileNotFoundError when a directory
    is missing, ValueError when there is no wav.scp, or one with pipes and they are not allowed.
    """
    if not directory.is_dir():
        raise FileNotFoundError(f"no data directory {directory}; expected one holding wav.scp and text")
    folders = [directory / name for name in names] or [directory, *sorted(directory.iterdir())]
    found = [folder for folder in folders if (folder / "wav.scp").is_file()]
    if names and len(found) < len(names):
        missing = next(folder for folder in folders if folder not in found)
        raise FileNotFoundError(f"no data directory {missing}; expected {missing / 'wav.scp'}")
    if not found:
        raise ValueError(f"{directory}: expected wav.scp in it, or data directories such as train/wav.scp")
    return [_split(folder, language, allow_commands) for folder in found]


def _split(folder: Path, language: str, allow_commands: bool) -> Split:
    pipe = next((name for name, source in _rows(folder / "wav.scp") if source.endswith("|")), None)
    if pipe and not allow_commands:
        raise ValueError(f"{folder / 'wav.scp'}: {pipe} is a shell command; --allow-commands runs such lines")
    if not language and not (folder / "utt2lang").is_file():
        raise ValueError(f"{folder}: there is no utt2lang; say with --language which language this is")
    listing = folder / ("segments" if (folder / "segments").is_file() else "wav.scp")
    extras = tuple(
        path for name in ("wav.scp", *_TABLES) if (path := folder / name).is_file() and path != listing
    )
    name = folder.resolve().name
    return Split("kaldi", name, (listing,), partial(_clips, folder, language), extras, language)


@dataclass(frozen=True)
class _Tables:
    """What a data directory says by utterance, recording or speaker; `text` is None without such a file."""

    text: dict[str, str] | None
    recordings: dict[str, str]
    speakers: dict[str, str]
    genders: dict[str, str]
    languages: dict[str, str]


def _clips(folder: Path, language: str) -> Iterator[Clip | Dropped]:
    text = dict(_rows(folder / "text")) if (folder / "text").is_file() else None
    others = (dict(_rows(folder / name)) for name in ("wav.scp", "utt2spk", "spk2gender", "utt2lang"))
    tables = _Tables(text, *others)
    for utterance, recording, start, end in _segments(folder):
        yield _clip(utterance, recording, start, end, tables, language)


def _segments(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    """Utterance, recording, start and end; whole recordings where there is no `segments`."""
    if not (folder / "segments").is_file():
        for name, _ in _rows(folder / "wav.scp"):
            yield name, name, "0", "-1"
        return
    for utterance, rest in _rows(folder / "segments"):
        recording, start, end, *_ = [*rest.split(), "", "", ""]
        yield utterance, recording, start, end


def _clip(
    utterance: str, recording: str, start: str, end: str, tables: _Tables, language: str
) -> Clip | Dropped:
    if recording not in tables.recordings:
        return Dropped(utterance, "missing recording", f"{recording} is not in wav.scp")
    if tables.text is not None and not tables.text.get(utterance):
        return Dropped(utterance, "empty transcript", "nothing in text for it")
    try:
        begin, finish = float(start), float(end)
    except ValueError:
        return Dropped(utterance, "stray line", f"segments: {utterance} {recording} {start} {end}")
    source = tables.recordings[recording]
    speaker = tables.speakers.get(utterance)
    return Clip(
        id=utterance,
        path=source.rstrip("|").strip(),
        text=(tables.text or {}).get(utterance, ""),
        language=tables.languages.get(utterance, language),
        recording=recording,
        speaker=speaker,
        gender=_GENDERS.get(tables.genders.get(speaker or "", "")),
        start=begin,
        duration=None if finish < 0 else round(finish - begin, 4),
        command=source.endswith("|"),
    )


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    """Key and the rest of each line; nothing where there is no file."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        for line in lines:
            key, _, rest = line.strip().replace("\t", " ").partition(" ")
            if key:
                yield key, rest.strip()
