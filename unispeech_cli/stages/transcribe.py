"""Recordings in; what is said in them out, as text or with times."""

import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, cast

from unispeech_cli.atomic import write_text
from unispeech_cli.decoder.formats import FORMATS, Transcription
from unispeech_cli.decoder.heard import Vocabulary
from unispeech_cli.decoder.search import greedy
from unispeech_cli.decoder.transcriber import LongSettings, Transcriber, Transcribing
from unispeech_cli.lang.transcript import Speller
from unispeech_cli.lang.units import units_of
from unispeech_cli.paths import LangDir, TranscriptDir
from unispeech_cli.provenance import describe, differences, record
from unispeech_cli.recordings import Recording, clashing, recordings
from unispeech_cli.records import Note, Progress, Record, Records, Text
from unispeech_cli.trainer.weights import find, load_recognizer

SUFFIXES = {name: "TextGrid" if name == "textgrid" else "txt" if name == "text" else name for name in FORMATS}
"""What files of a format are called under --out."""

METHODS = ("greedy",)


def transcribe(
    audio: Sequence[str],
    exp: Path,
    *,
    format: str = "text",
    out: Path | None = None,
    method: str = "greedy",
    lang_dir: Path | None = None,
    forced: Path | None = None,
    language: str | None = None,
    device: str = "cpu",
    settings: LongSettings | None = None,
) -> Records:
    """Transcribe recordings, or align the transcripts `forced`, in their order; results are `Text` or files in `out`.

    A recording that fails costs a line; the others are done. Files in `out` that are newer than their recording and
    were made with the same model and options stay. Raises ValueError for arguments that do not go together, and at
    the end where a recording failed.
    """
    settings = settings or LongSettings()
    with tempfile.TemporaryDirectory() as spool:
        found = recordings(audio, Path(spool))
        _check(format, method, out, len(found))
        texts = _transcripts(found, forced)
        if out is not None:
            lang = LangDir(lang_dir) if lang_dir else None
            read = [*texts.values(), *((lang.tokens, lang.lexicon) if lang else ())]
            options = {"method": method, "language": language, **asdict(settings)}
            inputs = [find(exp).checksums, *(path for path in read if path.is_file())]
            wanted = describe("transcribe", inputs, options, ["torch"])
            found = yield from _missing(TranscriptDir(out), SUFFIXES[format], found, wanted)
        if not found:
            return
        recognizer, table = load_recognizer(exp, device)
        transcriber = Transcriber(recognizer, Vocabulary(table, units_of(table)), settings, device)
        work: Callable[[Recording], Transcribing] = partial(transcriber.hear, search=greedy)
        if forced is not None:
            speller = Speller.of(lang_dir, table, transcriber.vocabulary.units, language)
            work = partial(_aligned, transcriber, speller, texts)
        yield from _each(found, work, partial(_kept, format, out))


def _check(format: str, method: str, out: Path | None, count: int) -> None:
    for name, value, known in (("format", format, tuple(FORMATS)), ("method", method, METHODS)):
        if value not in known:
            raise ValueError(f"--{name} {value}: known are {', '.join(known)}")
    if out is None and count > 1 and format in ("srt", "textgrid"):
        raise ValueError(f"--format {format} is a file for each of {count} recordings: add --out")


def _transcripts(found: Sequence[Recording], forced: Path | None) -> Mapping[str, Path]:
    """The transcript of each recording: a file for one, a directory of NAME.txt for several."""
    if forced is None:
        return {}
    if not forced.is_dir() and len(found) > 1:
        raise ValueError(
            f"--forced {forced}: {len(found)} recordings need a directory with a NAME.txt for each"
        )
    return {one.name: forced / f"{one.name}.txt" if forced.is_dir() else forced for one in found}


def _aligned(
    transcriber: Transcriber, speller: Speller, texts: Mapping[str, Path], recording: Recording
) -> Transcribing:
    path = texts[recording.name]
    if not path.is_file():
        raise FileNotFoundError(f"no transcript {path}")
    try:
        spelled = speller.spell(path.read_text(encoding="utf-8"))
        return (yield from transcriber.align(recording, spelled))
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None


def _missing(
    place: TranscriptDir, suffix: str, found: Sequence[Recording], wanted: Mapping[str, Any]
) -> Generator[Record, None, list[Recording]]:
    """The recordings of which there is no file, or none by these means."""
    if twice := clashing(found):
        raise ValueError(f"{twice[0].shown} and {twice[1].shown} would both become {twice[0].name}.{suffix}")
    mark = place.mark(suffix)
    changed = differences(mark, wanted)
    yield from (Note(f"{place.root} is made anew: {line}") for line in changed or [])
    if changed != []:
        record(mark, wanted)
    # what is older than the mark was made by other means
    left = [one for one in found if not _is_newer(place.file(one.name, suffix), [mark, one.path])]
    if len(left) < len(found):
        todo = f"{len(left)} to do" if left else "nothing to do"
        yield Note(f"{place.root}: {len(found) - len(left)} of {len(found)} recordings are done; {todo}")
    return left


def _is_newer(file: Path, than: Sequence[Path]) -> bool:
    times = [path.stat().st_mtime_ns if path.exists() else 0 for path in (file, *than)]
    return times[0] >= max(times[1:]) and times[0] > 0


def _each(
    found: Sequence[Recording],
    work: Callable[[Recording], Transcribing],
    keep: Callable[[Transcription], Records],
) -> Records:
    failed = 0
    for number, recording in enumerate(found):
        try:
            made = yield from _followed(recording, work(recording), number, len(found))
        except (ValueError, OSError) as error:
            line = str(error) if recording.shown in str(error) else f"{recording.shown}: {error}"
            if len(found) == 1:
                raise ValueError(line) from None
            failed += 1
            yield Note(line)
        else:
            yield from keep(made)
    if failed:
        raise ValueError(f"{failed} of {len(found)} recordings failed")


def _followed(
    recording: Recording, work: Transcribing, number: int, total: int
) -> Generator[Record, None, Transcription]:
    while True:
        try:
            minutes = next(work) / 60
        except StopIteration as end:
            yield Progress("transcribe", number + 1, total)
            return cast(Transcription, end.value)
        yield Progress("transcribe", number, total, f"{recording.name}: {minutes:.1f} min")


def _kept(format: str, out: Path | None, made: Transcription) -> Records:
    text = FORMATS[format](made)
    if out is None:
        yield Text(text)
    else:
        write_text(TranscriptDir(out).file(made.name, SUFFIXES[format]), text)
