"""The cuts of a manifest, all or those of a shard, -> what was heard in each."""

import time
from array import array
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from lhotse.cut import Cut

from unispeech_cli.batches.loader import inference_batches
from unispeech_cli.decoder.fallback import Heard
from unispeech_cli.decoder.heard import Vocabulary, hypothesis
from unispeech_cli.decoder.hypotheses import Hypothesis
from unispeech_cli.decoder.parts import Told, deal
from unispeech_cli.decoder.recognition import Recognition
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.lang.units import Units, units_of
from unispeech_cli.manifests import read_cuts, units, validated
from unispeech_cli.records import Note, Progress, Record
from unispeech_cli.shards import Shard

# progress and notes on the way; at the end hypotheses by setting, and what became of the cuts
Decoding = Generator[Record, None, tuple[dict[str, list[Hypothesis]], Told]]


@dataclass(frozen=True)
class Selection:
    """Cuts to decode, of `total` in the manifest, and what all of its units are said to be."""

    cuts: Sequence[Cut]
    total: int
    kinds: set[str | None]


def read(manifest: Path, shard: Shard | None, seconds_per_batch: float, longest: float) -> Selection:
    """The cuts to decode together in batches of so many seconds, those over `longest` alone.

    Raises FileNotFoundError, ValueError as `validated`.
    """
    if shard is None:
        cuts = list(validated(manifest))
        return Selection(cuts, len(cuts), {kind for cut in cuts for kind in _kinds(cut)})
    seconds, kinds = array("d"), set[str | None]()
    for cut in validated(manifest):
        seconds.append(cut.duration)
        kinds |= _kinds(cut)
    mine = deal(seconds, shard, seconds_per_batch, longest)
    return Selection(list(read_cuts(manifest, mine.__contains__)), len(seconds), kinds)


def _kinds(cut: Cut) -> set[str | None]:
    return {(supervision.custom or {}).get("tokens_type") for supervision in cut.supervisions}


def units_in(kinds_of_sets: Iterable[set[str | None]], table: TokenTable) -> Units:
    """What the tokens are: as phonemize has noted in the cuts, else by the signs of words in the table."""
    noted = set[str | None]().union(*kinds_of_sets)
    kinds: list[Units] = [kind for kind in get_args(Units) if kind in noted]
    if len(kinds) > 1:
        raise ValueError(f"the cuts are in {' and '.join(kinds)}; give each kind its own --out")
    return kinds[0] if kinds else units_of(table)


@dataclass(frozen=True)
class Work:
    """A search at work on cuts; `lines` are what it has to say, filled as it goes."""

    recognition: Recognition
    vocabulary: Vocabulary
    settings: tuple[str, ...]
    seconds_per_batch: float
    lines: list[str]

    def test_set(self, name: str, selection: Selection) -> Decoding:
        """Hypotheses of every cut, by setting, and what became of those without any."""
        cuts = selection.cuts
        yield from _strange_units(self.vocabulary.table, name, cuts)
        started = time.monotonic()
        found: dict[str, list[Hypothesis]] = {setting: [] for setting in self.settings}
        speech, told = 0.0, list[str]()
        for done, (cut, heard) in enumerate(self._heard(cuts), start=1):
            if heard is not None:
                speech += cut.duration
                for setting, path in zip(self.settings, heard, strict=True):
                    found[setting].append(hypothesis(cut, path, self.vocabulary))
            told += self.lines
            yield from self._notes(name)
            yield Progress(f"decode {name}", done, len(cuts))
        heard_ids = {one.id for one in found[self.settings[0]]}
        speed = f"{speech / 3600:.2f} h, {speech / (time.monotonic() - started):.0f} x real time"
        yield Note(f"{name}: {len(heard_ids)} of {len(cuts)} cuts, {speed}")
        left_out = tuple(cut.id for cut in cuts if cut.id not in heard_ids)
        return found, Told(selection.total, left_out, tuple(told))

    def _heard(self, cuts: Sequence[Cut]) -> Iterator[tuple[Cut, Heard | None]]:
        """Each cut once, the longest first; None where it could not be read."""
        long = [cut for cut in cuts if self.recognition.is_long(cut)]
        short = {cut.id: cut for cut in cuts if not self.recognition.is_long(cut)}
        for cut in long:
            yield cut, self._heard_long(cut)
        for batch in inference_batches(short.values(), self.seconds_per_batch, None, self.lines.append):
            for cut_id, heard in zip(batch.cut_ids, self.recognition.hear(batch), strict=True):
                yield short.pop(cut_id), heard
        yield from ((cut, None) for cut in short.values())

    def _heard_long(self, cut: Cut) -> Heard | None:
        try:
            return self.recognition.hear_long(cut)
        except (ValueError, OSError) as error:
            self.lines.append(f"{cut.id} left out: {str(error).removeprefix(f'cut {cut.id}: ')}")
            return None

    def _notes(self, name: str) -> Iterator[Note]:
        """What was said since the last time."""
        said = self.lines.copy()
        self.lines.clear()
        yield from (Note(f"warning: {name}: {line}") for line in said)


def _strange_units(table: TokenTable, name: str, cuts: Iterable[Cut]) -> Iterator[Note]:
    spoken = {unit for cut in cuts for supervision in cut.supervisions for unit in units(supervision)}
    strange = sorted(spoken - set(table.decode(range(1, len(table)))))
    if strange:
        shown = " ".join(strange[:8]) + (" ..." if len(strange) > 8 else "")
        yield Note(
            f"warning: {name}: {len(strange)} units of the references are unknown to the model: {shown}"
        )
