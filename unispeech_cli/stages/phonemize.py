"""Transcripts of cuts -> cuts with training units, and the lang directory that all of them share."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, cast

from lhotse.cut import Cut

from unispeech_cli import provenance
from unispeech_cli.atomic import write_text
from unispeech_cli.corpora.clip import Dropped
from unispeech_cli.frames import SAMPLE_RATE
from unispeech_cli.lang import directory, gathered, subwords
from unispeech_cli.lang.directory import Means
from unispeech_cli.lang.phonemized import (
    Outcome,
    Place,
    Tally,
    open_labeller,
    tables,
    write_lang,
    write_manifest,
    write_outcomes,
)
from unispeech_cli.lang.subwords import Subwords
from unispeech_cli.lang.text import normalize
from unispeech_cli.lang.tokens import Vocabulary
from unispeech_cli.lang.units import Labeller, Transcript, Units
from unispeech_cli.lang.units import PhonemizeSettings as PhonemizeSettings
from unispeech_cli.manifests import count_cuts, read_cuts
from unispeech_cli.paths import LangDir, ManifestDir
from unispeech_cli.records import Note, Records
from unispeech_cli.shard_paths import PartsDir, ShardsDir
from unispeech_cli.shards import Shard, is_left_to_do, part

# neighbours that are held and phonemized together, and one block of a shard
BLOCK = 100


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
    shard: Shard | None = None,
) -> Records:
    """Give every transcribed cut its units and write manifests of the same names to `out`.

    All manifests of a call share one inventory, written with lexicon and provenance to `lang_dir`; with that
    directory's own tokens.txt as `inventory`, further cuts are phonemized and it stays as it is. Cuts without
    text pass through. With a shard, only its blocks of cuts are phonemized, and kept in `out` for `merge`, which
    writes the lang directory. Run again with the same inputs, it does nothing. Raises ValueError, in one line, where
    `lang_dir` was made from other inputs, a language has no voice, or nothing is left.
    """
    means = Means(cast("Units", units), cast("Vocabulary", vocab), lexicon, inventory, settings)
    places = _places(cuts, ManifestDir(out))
    wanted, lang = means.describe(cuts), LangDir(lang_dir)
    if _is_done(places, means, lang, wanted):
        yield Note(f"{out} and {lang_dir}: same inputs, nothing to do")
        return
    if shard is None:
        yield from _whole(places, means, lang, wanted)
    else:
        yield from _Part(places, means, lang, shard).made(wanted)


def _whole(places: Sequence[Place], means: Means, lang: LangDir, wanted: Mapping[str, Any]) -> Records:
    model = _subwords(means, [place.read for place in places])
    labeller, notes = open_labeller(means, model)
    yield from map(Note, notes)
    tallies = []
    # manifests appear when the lang directory is there, and their marks last
    with ExitStack() as files:
        for place in places:
            tallies.append(Tally(place.read.name))
            outcomes = _outcomes(labeller, read_cuts(place.read))
            yield from write_manifest(place, outcomes, tallies[-1], count_cuts(place.read), files)
        yield from tables(tallies, labeller.unknown)
        yield from write_lang(lang, means, labeller, model, wanted)
    for place in places:
        provenance.record(place.mark, wanted)


@dataclass(frozen=True)
class _Part:
    """One shard's blocks of cuts; blocks are counted through all manifests."""

    places: Sequence[Place]
    means: Means
    lang: LangDir
    shard: Shard

    def made(self, wanted: Mapping[str, Any]) -> Records:
        """What became of them, and what the transcripts hold."""
        if self.means.units == "bpe" and not self.means.model:
            raise ValueError(
                "--shard: pieces are made of all transcripts at once; make them first without --shard, of as much as "
                "one machine takes, and give that tokens.txt here as --inventory"
            )
        place = _parts(self.places)
        if not (yield from is_left_to_do(place, self.shard, wanted)):
            return
        labeller, notes = open_labeller(self.means, _subwords(self.means, ()))
        yield from map(Note, notes)
        tallies, totals = (
            [Tally(one.read.name) for one in self.places],
            [count_cuts(one.read) for one in self.places],
        )
        blocks = [0, *accumulate(-(-total // BLOCK) for total in totals)]
        with part(place, self.shard, wanted) as (fresh, facts):
            for one, tally, total, first in zip(self.places, tallies, totals, blocks, strict=False):
                outcomes = _outcomes(labeller, read_cuts(one.read, partial(self._takes, first)))
                path, about = fresh.outcomes(*one.name), total // self.shard.of
                yield from write_outcomes(path, outcomes, tally, about)
            write_text(fresh.gathered, json.dumps(gathered.to_json(labeller), ensure_ascii=False))
            read = [str(one.read) for one in self.places]
            facts |= {"manifests": list(zip(read, totals, blocks, strict=False)), "block": BLOCK}
            facts |= {"lang_dir": str(self.lang.root), "means": self.means.to_json()}
        yield from tables(tallies, labeller.unknown)

    def _takes(self, first: int, number: int) -> bool:
        return self.shard.takes(first + number // BLOCK)


def _parts(places: Sequence[Place]) -> PartsDir:
    first, others = places[0], len(places) - 1
    more = f"-and-{others}-more" if others else ""
    return ShardsDir(first.out.root).of(f"phonemize-{'-'.join(first.name)}{more}")


def _outcomes(labeller: Labeller, cuts: Iterator[Cut]) -> Iterator[Outcome]:
    while block := list(islice(cuts, BLOCK)):
        yield from _block(labeller, block)


def _block(labeller: Labeller, block: Sequence[Cut]) -> Iterator[Outcome]:
    """Each cut with the units put on it, or why it is dropped; no units where there is no text."""
    transcripts = {index: said for index, cut in enumerate(block) if (said := _transcript(cut))}
    spoken = dict(zip(transcripts, labeller.speak(list(transcripts.values())), strict=True))
    for index, cut in enumerate(block):
        if index not in transcripts:
            yield Outcome(cut.to_dict(), None, cut.duration, unlabelled=True)
            continue
        switched, labels = spoken[index].switched, labeller.label(transcripts[index], spoken[index])
        if isinstance(labels, Dropped):
            yield Outcome(None, labels, cut.duration, switched=switched)
        else:
            _attach(cut, transcripts[index].text, labels, labeller.kind)
            yield Outcome(cut.to_dict(), None, cut.duration, len(labels), switched=switched)


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


def _places(cuts: Sequence[Path], out: ManifestDir) -> list[Place]:
    places = [Place(path, out) for path in dict.fromkeys(cuts)]
    for place in places:
        if place.manifest.resolve() == place.read.resolve():
            raise ValueError(f"--out {out.root} is where {place.read} is read from: name another directory")
    if len({place.manifest for place in places}) < len(places):
        raise ValueError("two of the manifests have the same name: phonemize them into two directories")
    return places


def _is_done(places: Sequence[Place], means: Means, lang: LangDir, wanted: Mapping[str, Any]) -> bool:
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
