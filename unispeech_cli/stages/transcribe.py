"""Recordings in; what is said in them out, as text or with times."""

import json
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import cast

from unispeech_cli.atomic import write_text
from unispeech_cli.decoder.formats import FORMATS, Transcription
from unispeech_cli.decoder.heard import Vocabulary
from unispeech_cli.decoder.methods import Method
from unispeech_cli.decoder.searches import open_method
from unispeech_cli.decoder.transcriber import Transcriber, TranscribeSettings, Transcribing
from unispeech_cli.decoder.transcripts import SUFFIXES, Numbered, missing
from unispeech_cli.lang.directory import check_tokens
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.lang.transcript import Speller
from unispeech_cli.lang.units import units_of
from unispeech_cli.paths import LangDir, TranscriptDir
from unispeech_cli.provenance import describe
from unispeech_cli.recordings import STDIN, Recording, recordings
from unispeech_cli.records import Note, Progress, Record, Records, Text
from unispeech_cli.trainer.distributed import Ranks, join
from unispeech_cli.trainer.weights import find, load_recognizer

PATIENCE = timedelta(days=7)
"""One process may be done so long before another."""

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

    The processes that torchrun starts share the recordings; texts are then told at the end. A recording that fails
    costs a line; the others are done. Files in `out` that are newer than their recording and were made with the same
    model and options stay. Raises ValueError for arguments that do not go together, and at the end where a recording
    failed.
    """
    ranks = join(device, PATIENCE)
    job = _Job(
        exp, format, out, method or Method(), forced, language, settings or TranscribeSettings(), ranks
    )
    yield from ranks.records(job.done(audio))


@dataclass(frozen=True)
class _Job:
    exp: Path
    format: str
    out: Path | None
    method: Method
    forced: Path | None
    language: str | None
    settings: TranscribeSettings
    ranks: Ranks

    def done(self, audio: Sequence[str]) -> Records:
        """All recordings, each by one of the ranks; the first of them tells what there is to tell."""
        rank, size = self.ranks.rank, self.ranks.size
        if size > 1 and STDIN in audio:
            raise ValueError(f"{STDIN}: standard input cannot be shared by {size} processes; name files")
        with tempfile.TemporaryDirectory() as spool:
            found = recordings(audio, Path(spool))
            _check(self.format, self.out, len(found))
            texts = _transcripts(found, self.forced)
            # the others look once what is out of date is marked so
            with self.ranks.first_goes_first():
                left = yield from self._left(found, texts)
            mine = [numbered for numbered in left if numbered[0] % size == rank]
            held: dict[int, str] = {}
            failed = yield from _shared(self.ranks, self._heard(mine, texts, held), held)
        failures, total = self.ranks.totals([failed, len(mine)])
        if failures:
            raise ValueError(f"{failures:.0f} of {total:.0f} recordings failed")

    def _left(
        self, found: Sequence[Recording], texts: Mapping[str, Path]
    ) -> Generator[Record, None, list[Numbered]]:
        if self.out is None:
            return list(enumerate(found))
        lang = self.method.lang_dir and LangDir(self.method.lang_dir)
        read = [*texts.values(), *([lang.tokens, lang.lexicon] if lang else [])]
        inputs = [find(self.exp).checksums, *self.method.files, *(path for path in read if path.is_file())]
        options = {"method": self.method.name, "language": self.language, **asdict(self.settings)}
        wanted = describe("transcribe", inputs, options, ["torch", "k2"])
        return (yield from missing(TranscriptDir(self.out), SUFFIXES[self.format], found, wanted))

    def _heard(
        self, mine: Sequence[Numbered], texts: Mapping[str, Path], held: dict[int, str]
    ) -> Generator[Record, None, int]:
        """Texts go to `held` where several ranks make them; how many recordings failed."""
        idle = self.ranks.any(not mine)
        if not mine:
            return 0
        lines: list[str] = []
        # graphs that are not there yet are compiled once
        with nullcontext() if idle else self.ranks.first_goes_first():
            work = self._work(texts, lines)
        keep = held.__setitem__ if self.out is None and self.ranks.size > 1 else None
        alone = self.ranks.size == len(mine) == 1
        return (yield from _each(mine, work, lines, partial(_kept, self.format, self.out, keep), alone))

    def _work(self, texts: Mapping[str, Path], lines: list[str]) -> Work:
        method, device = self.method, str(self.ranks.device)
        recognizer, table = load_recognizer(self.exp, device)
        check_tokens(method.lang_dir, table, self.exp)
        transcriber, units = Transcriber(recognizer, self.settings, device), units_of(table)
        if self.forced is not None:
            speller = Speller.of(method.lang_dir, table, units, self.language)
            return partial(_aligned, transcriber, table, speller, texts)
        opened = open_method(method, Vocabulary(table, units), self.settings.search, device, lines.append)
        return partial(transcriber.hear, opened=opened, tell=lines.append)


def _shared(
    ranks: Ranks, going: Generator[Record, None, int], held: Mapping[int, str]
) -> Generator[Record, None, int]:
    """What this rank tells, then what the others had to note, then the texts that were held back, in order."""
    notes: list[str] = []
    while True:
        try:
            record = next(going)
        except StopIteration as end:
            failed: int = end.value
            break
        if isinstance(record, Note) and not ranks.is_first:
            notes.append(record.text)
        yield record
    told = [json.loads(one) for one in ranks.texts(json.dumps([notes, list(held.items())]))]
    yield from (Note(note) for notes, _ in told for note in notes)
    yield from (
        Text(text) for _, text in sorted((number, text) for _, texts in told for number, text in texts)
    )
    return failed


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


def _each(
    found: Sequence[Numbered],
    work: Work,
    lines: list[str],
    keep: Callable[[int, Transcription], Records],
    alone: bool,
) -> Generator[Record, None, int]:
    """How many failed; `lines` are what the search has to say, filled as it goes.

    Raises ValueError where the one that there is fails.
    """
    yield from (Note(f"warning: {line}") for line in lines)
    lines.clear()
    failed = 0
    for done, (number, recording) in enumerate(found):
        try:
            made = yield from _followed(recording, work(recording), lines, (done, len(found)))
        except (ValueError, OSError) as error:
            line = str(error) if recording.shown in str(error) else f"{recording.shown}: {error}"
            if alone:
                raise ValueError(line) from None
            failed += 1
            yield Note(line)
        else:
            yield from keep(number, made)
    return failed


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


def _kept(
    format: str, out: Path | None, hold: Callable[[int, str], None] | None, number: int, made: Transcription
) -> Records:
    text = FORMATS[format](made)
    if out is not None:
        write_text(TranscriptDir(out).file(made.name, SUFFIXES[format]), text)
    elif hold is not None:
        hold(number, text)
    else:
        yield Text(text)
