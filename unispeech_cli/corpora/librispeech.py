"""LibriSpeech and corpora of its shape: `<part>/<speaker>/<chapter>/*.trans.txt` and flac files beside."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from unispeech_cli.corpora.clip import Clip, Dropped, Split

_TRANSCRIPTS = "*/*/*.trans.txt"
_GENDERS = {"M": "male", "F": "female"}


def splits(directory: Path, language: str = "en", names: Sequence[str] = ()) -> list[Split]:
    """The named parts, or every folder in `directory` that has transcripts where they belong.

    Raises FileNotFoundError when the directory or a named part is missing, ValueError when there are none.
    """
    if not directory.is_dir():
        raise FileNotFoundError(
            f"no corpus {directory}; expected a folder holding train-clean-100/ or other parts"
        )
    parts = [directory / name for name in names] or sorted(
        path for path in directory.iterdir() if path.is_dir()
    )
    found = {part: tuple(sorted(part.glob(_TRANSCRIPTS))) for part in parts}
    if names and not all(found.values()):
        missing = next(part for part, transcripts in found.items() if not transcripts)
        raise FileNotFoundError(f"no part {missing.name} in {directory}; expected {missing}/{_TRANSCRIPTS}")
    if not any(found.values()):
        raise ValueError(
            f"{directory}: expected <part>/{_TRANSCRIPTS}, for example train-clean-100/19/198/..."
        )
    genders = _genders(directory / "SPEAKERS.TXT")
    return [
        Split(
            "librispeech",
            part.name,
            transcripts,
            partial(_clips, transcripts, language, genders),
            language=language,
        )
        for part, transcripts in found.items()
        if transcripts
    ]


def _genders(speakers: Path) -> dict[str, str]:
    """`19 | F | train-clean-100 | ...`, one reader a line; {} where there is no such file."""
    if not speakers.is_file():
        return {}
    rows = (
        line.split("|") for line in speakers.read_text("utf-8", "replace").splitlines() if line[:1] != ";"
    )
    return {
        row[0].strip(): _GENDERS[row[1].strip()]
        for row in rows
        if len(row) > 1 and row[1].strip() in _GENDERS
    }


def _clips(transcripts: tuple[Path, ...], language: str, genders: dict[str, str]) -> Iterator[Clip | Dropped]:
    for transcript in transcripts:
        speaker = transcript.parent.parent.name
        with transcript.open(encoding="utf-8-sig", errors="replace", newline="\n") as lines:
            for number, line in enumerate(lines, start=1):
                name, _, text = line.strip().partition(" ")
                if name and not text.strip():
                    yield Dropped(name, "empty transcript", f"{transcript}:{number}")
                elif name:
                    path = str(transcript.parent / f"{name}.flac")
                    yield Clip(name, path, text.strip(), language, name, speaker, genders.get(speaker))
