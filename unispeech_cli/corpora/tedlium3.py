"""TED-LIUM 3: `legacy/{train,dev,test}/{sph,stm}`, one stm file of timed segments per talk."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from unispeech_cli.corpora.clip import Clip, Dropped, Split

SPLITS = ("train", "dev", "test")
_NOT_SCORED = "ignore_time_segment_in_scoring"


def splits(directory: Path, language: str = "en", names: Sequence[str] = ()) -> list[Split]:
    """The splits of the speaker-disjoint `legacy` division (of a release without it, the folders themselves).

    Raises FileNotFoundError when the directory or a named split is missing, ValueError when there are none.
    """
    if not directory.is_dir():
        raise FileNotFoundError(f"no corpus {directory}; expected a folder holding legacy/train/stm/")
    root = directory / "legacy" if (directory / "legacy").is_dir() else directory
    found = {name: tuple(sorted((root / name / "stm").glob("*.stm"))) for name in names or SPLITS}
    missing = [name for name, talks in found.items() if not talks]
    if names and missing:
        raise FileNotFoundError(f"no split {missing[0]}; expected {root / missing[0] / 'stm'}/*.stm")
    if len(missing) == len(found):
        raise ValueError(f"{directory}: expected legacy/{{train,dev,test}}/stm/*.stm and sph/*.sph in it")
    return [
        Split("tedlium", name, talks, partial(_clips, talks, language), language=language)
        for name, talks in found.items()
        if talks
    ]


def _clips(talks: tuple[Path, ...], language: str) -> Iterator[Clip | Dropped]:
    for talk in talks:
        with talk.open(encoding="utf-8-sig", errors="replace", newline="\n") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip() and not line.startswith(";;"):
                    yield _clip(line.strip(), talk, number, language)


def _clip(line: str, talk: Path, number: int, language: str) -> Clip | Dropped:
    """`talk channel speaker start end [<o,f0,male>] words`, times in seconds."""
    fields = line.split(None, 5)
    try:
        start, end, rest = float(fields[3]), float(fields[4]), fields[5]
    except (IndexError, ValueError):
        return Dropped(f"{talk.name}:{number}", "stray line", f"{talk}:{number}: {line[:60]}")
    label, text = rest.split(" ", 1) if rest.startswith("<o") and " " in rest else ("", rest)
    clip_id = f"{talk.stem}-{round(start * 100):07d}-{round(end * 100):07d}"
    if text.strip() == _NOT_SCORED:
        return Dropped(clip_id, "not transcribed", f"{talk}:{number}: {_NOT_SCORED}", expected=True)
    return Clip(
        id=clip_id,
        path=str(talk.parent.parent / "sph" / f"{talk.stem}.sph"),
        text=text.strip(),
        language=language,
        recording=talk.stem,
        speaker=fields[2],
        gender=_gender(label),
        start=start,
        duration=round(end - start, 4),
    )


def _gender(label: str) -> str | None:
    last = label.strip("<>").split(",")[-1]
    return last if last in ("male", "female") else None
