"""Transcripts of cuts -> cuts with training units, and the lang directory that all of them share."""

import gzip
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, cast

from lhotse.cut import Cut

from unispeech_cli import provenance
from unispeech_cli.atomic import atomic_file
from unispeech_cli.corpora.clip import Dropped
from unispeech_cli.frames import SAMPLE_RATE
from unispeech_cli.lang import directory, subwords, tokens
from unispeech_cli.lang.directory import Means
from unispeech_cli.lang.subwords import Subwords
from unispeech_cli.lang.text import normalize
from unispeech_cli.lang.tokens import BLANK, TokenTable, Vocabulary
from unispeech_cli.lang.units import Labeller, Source, Transcript, Units
from unispeech_cli.lang.units import PhonemizeSettings as PhonemizeSettings
from unispeech_cli.manifests import cut_writer, read_cuts
from unispeech_cli.paths import LangDir, ManifestDir
from unispeech_cli.records import Note, Progress, Records, Table

# cuts that are held and phonemized together
BLOCK = 1000
# unknown units and words that a table shows; the lists of dropped cuts have them all
SHOWN = 50
Row = tuple[str | int | float | None, ...]
COLUMNS = ("manifest", "cuts", "hours", "units", "unlabelled", "switched", "dropped", "dropped hours")


@dataclass(frozen=True)
class _Place:
    """A manifest that is read, and the files made of it."""

    read: Path
    manifest: Path
    dropped: Path
    mark: Path


@dataclass
class _Tally:
    """What became of the cuts of one manifest; drops are (cuts, seconds) by reason."""

    name: str
    cuts: int = 0
    seconds: float = 0.0
    units: int = 0
    unlabelled: int = 0
    switched: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    dropped_seconds: Counter[str] = field(default_factory=Counter)

    def settle(self, cut: Cut, outcome: Sequence[str] | Dropped) -> None:
        """Count a cut with its units, or a drop."""
        if isinstance(outcome, Dropped):
            self.dropped[outcome.reason] += 1
            self.dropped_seconds[outcome.reason] += cut.duration
        else:
            self.cuts += 1
            self.seconds += cut.duration
            self.units += len(outcome)


def phonemize(
    cuts: Sequence[Path],
    out: Path,
    lang_dir: Path,
    *,
    units: str = "phones",
    vocab: str = "shared",
    lexicon: Path | None = None,
    inventory: Path | None = None,
    settings: PhonemizeSettings = PhonemizeSettings(),  # noqa: B008
) -> Records:
    """Give every transcribed cut its units and write manifests of the same names to `out`.

    All manifests of a call share one inventory, written with lexicon and provenance to `lang_dir`; with that
    directory's own tokens.txt as `inventory`, further cuts are phonemized and it stays as it is. Cuts without
    text pass through. Run again with the same inputs, it does nothing. Raises ValueError, in one line, where
    `lang_dir` was made from other inputs, a language has no voice, or nothing is left.
    """
    means = Means(cast("Units", units), cast("Vocabulary", vocab), lexicon, inventory, settings)
    places = _places(cuts, ManifestDir(out))
    wanted, lang = means.describe(cuts), LangDir(lang_dir)
    if _is_done(places, means, lang, wanted):
        yield Note(f"{out} and {lang_dir}: same inputs, nothing to do")
        return
    pinned, notes = tokens.read_inventory(inventory) if inventory else (None, [])
    yield from map(Note, notes)
    model = _subwords(means, cuts)
    if model and not pinned:
        pinned = TokenTable((BLANK, *model.units))
    labeller = Labeller(Source(means.units, lexicon, model), settings, means.vocab, pinned)
    # manifests appear when the lang directory is there, and their marks last
    with ExitStack() as files:
        yield from _labelled(places, labeller, files)
        yield from _write_lang(lang, means, labeller, model, wanted)
    for place in places:
        provenance.record(place.mark, wanted)


def _labelled(places: Sequence[_Place], labeller: Labeller, files: ExitStack) -> Records:
    tallies = []
    for place in places:
        tallies.append(_Tally(place.read.name))
        yield from _manifest(place, labeller, tallies[-1], files)
    yield from _tables(tallies, labeller.unknown)


def _write_lang(
    lang: LangDir, means: Means, labeller: Labeller, model: Subwords | None, wanted: Mapping[str, Any]
) -> Records:
    table = labeller.table()
    if not means.keeps(lang):
        voices = {language: voice.name for language, voice in sorted(labeller.voices.items())}
        directory.write(lang, table, labeller.lexicon(table), model, {**wanted, "voices": voices})
    yield Note(f"{len(table)} tokens in {lang.tokens}, fingerprint {table.fingerprint}")


def _manifest(place: _Place, labeller: Labeller, tally: _Tally, files: ExitStack) -> Records:
    write = files.enter_context(cut_writer(place.manifest))
    fresh = files.enter_context(atomic_file(place.dropped))
    drops = files.enter_context(fresh.open("w", encoding="utf-8"))
    drops.write("id\treason\tdetail\n")
    cuts, total, done = read_cuts(place.read), _count(place.read), 0
    while block := list(islice(cuts, BLOCK)):
        for cut, outcome in _block(labeller, block, tally):
            if isinstance(outcome, Dropped):
                drops.write(f"{outcome.id}\t{outcome.reason}\t{outcome.detail}\n")
            else:
                write(cut.to_dict())
        done += len(block)
        yield Progress(place.read.name, done, total, f"{tally.dropped.total()} dropped")


def _block(
    labeller: Labeller, block: Sequence[Cut], tally: _Tally
) -> Iterator[tuple[Cut, Sequence[str] | Dropped]]:
    """Each cut with the units put on it, or why it is dropped; no units where there is no text."""
    transcripts = {index: said for index, cut in enumerate(block) if (said := _transcript(cut))}
    spoken = dict(zip(transcripts, labeller.speak(list(transcripts.values())), strict=True))
    for index, cut in enumerate(block):
        outcome: Sequence[str] | Dropped = []
        if index in transcripts:
            tally.switched += spoken[index].switched
            outcome = labeller.label(transcripts[index], spoken[index])
        else:
            tally.unlabelled += 1
        if not isinstance(outcome, Dropped) and index in transcripts:
            _attach(cut, transcripts[index].text, outcome, labeller.kind)
        tally.settle(cut, outcome)
        yield cut, outcome


def _attach(cut: Cut, text: str, labels: Sequence[str], units: Units) -> None:
    supervision = cut.supervisions[0]
    made = {"text_norm": text, units: " ".join(labels), "tokens_type": units}
    supervision.custom = {**(supervision.custom or {}), **made}


def _transcript(cut: Cut) -> Transcript | None:
    """What is said in a cut; None where it has no text. Text that was normalised before is taken as it is."""
    if len(cut.supervisions) > 1:
        raise ValueError(f"cut {cut.id} has {len(cut.supervisions)} supervisions: make a cut of each first")
    if not cut.supervisions:
        return None
    supervision = cut.supervisions[0]
    normalized = (supervision.custom or {}).get("text_norm")
    if not supervision.text and not normalized:
        return None
    if not supervision.language:
        raise ValueError(f"cut {cut.id} has no language: prepare its corpus with --language")
    if cut.sampling_rate != SAMPLE_RATE:
        raise ValueError(
            f"cut {cut.id} is at {cut.sampling_rate} Hz, expected {SAMPLE_RATE}: prepare it first"
        )
    if normalized is None:
        normalized = normalize(supervision.text, supervision.language)
    return Transcript(cut.id, cut.num_samples, supervision.language, normalized)


def _places(cuts: Sequence[Path], out: ManifestDir) -> list[_Place]:
    places = [_place(path, out) for path in dict.fromkeys(cuts)]
    for place in places:
        if place.manifest.resolve() == place.read.resolve():
            raise ValueError(f"--out {out.root} is where {place.read} is read from: name another directory")
    if len({place.manifest for place in places}) < len(places):
        raise ValueError("two of the manifests have the same name: phonemize them into two directories")
    return places


def _place(cuts: Path, out: ManifestDir) -> _Place:
    corpus, mark, split = cuts.name.removesuffix(".gz").removesuffix(".jsonl").partition("_cuts_")
    if not (corpus and mark and split):
        raise ValueError(f"{cuts}: a manifest is named CORPUS_cuts_SPLIT.jsonl.gz")
    made = out.mark("phonemize", f"{corpus}-{split}")
    return _Place(cuts, out.cuts(corpus, split), out.dropped(corpus, split), made)


def _is_done(places: Sequence[_Place], means: Means, lang: LangDir, wanted: Mapping[str, Any]) -> bool:
    same = means.keeps(lang) or directory.is_made(lang, wanted)
    return same and all(
        provenance.differences(place.mark, wanted) == [] and place.manifest.is_file() for place in places
    )


def _subwords(means: Means, cuts: Sequence[Path]) -> Subwords | None:
    """The subword model: that of the pinned inventory, or one trained on all transcripts."""
    if means.units != "bpe":
        return None
    if means.model:
        return Subwords.read(means.model)
    said = (_transcript(cut) for path in cuts for cut in read_cuts(path))
    return subwords.train((one.text for one in said if one and one.text), means.settings.subwords)


def _tables(tallies: Sequence[_Tally], unknown: Mapping[str, Counter[tuple[str, str]]]) -> Records:
    rows: list[Row] = []
    reasons: list[Row] = []
    for tally in tallies:
        hours, lost = _hours(tally.seconds), _hours(tally.dropped_seconds.total())
        counts = (tally.units, tally.unlabelled, tally.switched, tally.dropped.total())
        rows.append((tally.name, tally.cuts, hours, *counts, lost))
        for reason, count in tally.dropped.most_common():
            reasons.append((tally.name, reason, count, _hours(tally.dropped_seconds[reason])))
    yield Table("phonemized", COLUMNS, rows)
    if reasons:
        yield Table("dropped", ("manifest", "reason", "cuts", "hours"), reasons)
    for kind, names in unknown.items():
        shown: list[Row] = [(language, name, count) for (language, name), count in names.most_common(SHOWN)]
        if shown:
            yield Table(f"unknown {kind}s ({len(names)} in all)", ("language", kind, "times"), shown)


def _hours(seconds: float) -> float:
    return round(seconds / 3600, 4)


def _count(path: Path) -> int:
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
        return sum(1 for _ in lines)
