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
from unispeech_cli.decoder.methods import Method
from unispeech_cli.decoder.searches import open_method
from unispeech_cli.decoder.transcriber import Transcriber, TranscribeSettings, Transcribing
from unispeech_cli.lang.directory import check_tokens
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.lang.transcript import Speller
from unispeech_cli.lang.units import units_of
from unispeech_cli.paths import LangDir, TranscriptDir
from unispeech_cli.provenance import describe, differences, record
from unispeech_cli.recordings import Recording, clashing, recordings
from unispeech_cli.records import Note, Progress, Record, Records, Text
from unispeech_cli.trainer.weights import find, load_recognizer

SUFFIXES = {name: "TextGrid" if name == "textgrid" else "txt" if name == "text" else name for name in FORMATS}
"""What files of a format are called under --out."""

Work = Callable[[Recording], Transcribing]


def transcribe(
    audio: Sequence[str],
    exp: Path,
    *,
    format: str = "text",
    out: Path | None = None,
    method: Method | None = None,
    forced: Path | None = None,
    language: str | None = None,
    device: str = "cpu",
    settings: TranscribeSettings | None = None,
) -> Records:
    """Transcribe recordings, or align the transcripts `forced`, in their order; results are `Text` or files in `out`.

    A recording that fails costs a line; the others are done. Files in `out` that are newer than their recording and
    were made with the same model and options stay. Raises ValueError for arguments that do not go together, and at
    the end where a recording failed.
    """
    settings, method = settings or TranscribeSettings(), method or Method()
    with tempfile.TemporaryDirectory() as spool:
        found = recordings(audio, Path(spool))
        _check(format, out, len(found))
        texts = _transcripts(found, forced)
        if out is not None:
            wanted = _described(exp, method, [*texts.values()], language, settings)
            found = yield from _missing(TranscriptDir(out), SUFFIXES[format], found, wanted)
        if not found:
            return
        recognizer, table = load_recognizer(exp, device)
        check_tokens(method.lang_dir, table, exp)
        transcriber, lines = Transcriber(recognizer, settings, device), list[str]()
        if forced is None:
            opened = open_method(
                method, Vocabulary(table, units_of(table)), settings.search, device, lines.append
            )
            work: Work = partial(transcriber.hear, opened=opened, tell=lines.append)
        else:
            speller = Speller.of(method.lang_dir, table, units_of(table), language)
            work = partial(_aligned, transcriber, table, speller, texts)
        yield from _each(found, work, lines, partial(_kept, format, out))


def _described(
    exp: Path,
    method: Method,
    texts: Sequence[Path],
    language: str | None,
    settings: TranscribeSettings,
) -> dict[str, Any]:
    lang = [LangDir(method.lang_dir).tokens, LangDir(method.lang_dir).lexicon] if method.lang_dir else []
    inputs = [find(exp).checksums, *method.files, *(path for path in [*texts, *lang] if path.is_file())]
    options = {"method": method.name, "language": language, **asdict(settings)}
    return describe("transcribe", inputs, options, ["torch", "k2"])


def _check(format: str, out: Path | None, count: int) -> None:
    if format not in FORMATS:
        raise ValueError(f"--format {format}: known are {', '.join(FORMATS)}")
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
    transcriber: Transcriber,
    table: TokenTable,
    speller: Speller,
    texts: Mapping[str, Path],
    recording: Recording,
) -> Transcribing:
    path = texts[recording.name]
    if not path.is_file():
        raise FileNotFoundError(f"no transcript {path}")
    try:
        spelled = speller.spell(path.read_text(encoding="utf-8"))
        return (yield from transcriber.align(recording, table, spelled))
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
    work: Work,
    lines: list[str],
    keep: Callable[[Transcription], Records],
) -> Records:
    """`lines` are what the search has to say, filled as it goes."""
    yield from (Note(f"warning: {line}") for line in lines)
    lines.clear()
    failed = 0
    for number, recording in enumerate(found):
        try:
            made = yield from _followed(recording, work(recording), lines, (number, len(found)))
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
    recording: Recording, work: Transcribing, lines: list[str], place: tuple[int, int]
) -> Generator[Record, None, Transcription]:
    number, total = place
    made = None
    while made is None:
        try:
            done = Progress("transcribe", number, total, f"{recording.name}: {next(work) / 60:.1f} min")
        except StopIteration as end:
            made, done = cast(Transcription, end.value), Progress("transcribe", number + 1, total)
        said = lines.copy()
        lines.clear()
        yield from (Note(f"warning: {line}") for line in said)
        yield done
    return made


def _kept(format: str, out: Path | None, made: Transcription) -> Records:
    text = FORMATS[format](made)
    if out is None:
        yield Text(text)
    else:
        write_text(TranscriptDir(out).file(made.name, SUFFIXES[format]), text)
