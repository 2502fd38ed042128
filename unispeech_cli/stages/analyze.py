"""A pre-trained codebook and phone-labelled cuts in; what its codes say of phones out."""

import json
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml
from lhotse.cut import Cut

from unispeech_cli.analysis.code_tables import code_tables
from unispeech_cli.analysis.findings import findings
from unispeech_cli.analysis.heat_map import draw_heat_maps
from unispeech_cli.analysis.listening import Listener, NoiseLevels
from unispeech_cli.analysis.observed import Utterance, pool
from unispeech_cli.atomic import atomic_dir
from unispeech_cli.batches.loader import inference_batches
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.lang.tokens import read as read_tokens
from unispeech_cli.manifests import units, validated
from unispeech_cli.model.unispeech import UniSpeech
from unispeech_cli.paths import AnalysisDir, CheckpointDir
from unispeech_cli.provenance import describe, differences, record
from unispeech_cli.records import Note, Progress, Record, Records
from unispeech_cli.scorer.bootstrap import BootstrapSettings
from unispeech_cli.scorer.rates import Rate
from unispeech_cli.trainer.weights import find, load_recognizer, load_unispeech

# an aligner that gets more of the phones wrong does not know where they are
MOST_ERRORS = 0.6


@dataclass(frozen=True)
class AnalyzeSettings:
    """How codes are looked at; the defaults are ours."""

    seconds_per_batch: float = 120.0
    # frames (of 20 ms) from the nearest run of a label beyond which a frame is no phone's
    reach: int = 5
    # codes shown of each phone
    nearest: int = 5
    seed: int = 1
    noise: NoiseLevels = field(default_factory=NoiseLevels)
    bootstrap: BootstrapSettings = field(default_factory=BootstrapSettings)

    def __post_init__(self) -> None:
        if self.reach < 0 or self.nearest < 1:
            raise ValueError("reach is 0 or more frames, nearest 1 or more codes")


@dataclass(frozen=True)
class Aligned:
    """What was seen of the cuts whose phones one model told, and how many of them it gets wrong by itself."""

    checkpoint: CheckpointDir
    utterances: list[Utterance]
    rate: Rate


Listening = Generator[Record, None, Aligned]
"""Progress and notes on the way."""


def analyze(
    exp: Path,
    cuts: Sequence[Path],
    out: Path,
    *,
    alignment_from: Sequence[Path] = (),
    device: str = "cpu",
    settings: AnalyzeSettings | None = None,
) -> Records:
    """Compare the codes of a pre-trained model with the phones of cuts, as CTC aligns them, and write `out`.

    `alignment_from` are experiments whose CTC heads say where phones are, for each cut the first that knows all of its
    units; by default the model itself. The same command again only shows what was found. Raises ValueError for a
    model without codebook or without knowledge of phones, for cuts without units, or an `out` that is somebody
    else's; FileNotFoundError for missing inputs.
    """
    aligners = tuple(find(path) for path in alignment_from or [exp])
    job = _Job(find(exp), aligners, tuple(cuts), settings or AnalyzeSettings(), device)
    place, wanted = AnalysisDir(out), job.wanted()
    _check_out(place)
    changed = differences(place.analysis, wanted)
    if changed == []:
        yield Note(f"{out} is made from these inputs; nothing to do")
    else:
        yield from (Note(f"{out} is made anew: {line}") for line in changed or [])
        yield from _make(job, place, wanted)
    yield from code_tables(json.loads(place.analysis.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class _Job:
    model: CheckpointDir
    aligners: tuple[CheckpointDir, ...]
    manifests: tuple[Path, ...]
    settings: AnalyzeSettings
    device: str

    def wanted(self) -> dict[str, Any]:
        """What the result is to be made of."""
        inputs = [self.model.checksums, *(place.checksums for place in self.aligners), *self.manifests]
        aligners = [str(place.root) for place in self.aligners]
        options = {"checkpoint": str(self.model.root), "alignment_from": aligners}
        return describe("analyze", inputs, {**options, **asdict(self.settings)}, ["torch", "matplotlib"])

    def listened(self) -> Generator[Record, None, list[Aligned]]:
        """The codes and phones of all cuts that can be read and aligned, by who aligned them."""
        for place in self.aligners:
            _check_heard_ctc(place)
        model, left = load_unispeech(self.model.root, self.device), _labelled(self.manifests)
        total, found = len(left), list[Aligned]()
        for place in self.aligners:
            tokens = read_tokens(place.tokens)
            known = [cut for cut in left if not _missing(cut, tokens)]
            left = [cut for cut in left if _missing(cut, tokens)]
            if known:
                done = sum(len(some.utterances) for some in found)
                found.append((yield from self._by(place, model, known, (done, total))))
        if left:
            strange = _missing(left[0], read_tokens(self.aligners[-1].tokens))
            why = f"no --alignment-from knows all of their units; of {left[0].id} not {' '.join(strange)}"
            yield Note(f"warning: {len(left)} cuts left out: {why}")
        return found

    def _by(
        self, place: CheckpointDir, model: UniSpeech, cuts: Sequence[Cut], counted: tuple[int, int]
    ) -> Listening:
        """Cuts as one aligner has them."""
        aligner, tokens = load_recognizer(place.root, self.device)
        settings, speakers = self.settings, {cut.id: cut.supervisions[0].speaker for cut in cuts}
        listener = Listener(model, aligner, tokens, settings.reach, settings.noise, settings.seed, speakers)
        found, rate, lines, (done, total) = list[Utterance](), Rate(), list[str](), counted
        for batch in inference_batches(cuts, settings.seconds_per_batch, tokens, lines.append):
            heard = listener.hear(batch.to(self.device))
            found, rate, done = found + heard.utterances, rate + heard.rate, done + len(batch.cut_ids)
            yield from (Note(f"warning: {line}") for line in [*lines, *heard.faults])
            lines.clear()
            yield Progress("analyze", done, total)
        yield from (Note(f"warning: {line}") for line in lines)
        if found:
            yield Note(
                f"phones of {len(found)} cuts by {place.root}, whose PER there is {rate.percent:.1f} %"
            )
        if rate.fraction > MOST_ERRORS:
            yield Note(
                "warning: it hardly knows these phones: --alignment-from a recogniser or model that does"
            )
        # in the order of the manifests, whatever was read first
        order = {cut.id: number for number, cut in enumerate(cuts)}
        return Aligned(place, sorted(found, key=lambda utterance: order[utterance.cut_id]), rate)


def _make(job: _Job, place: AnalysisDir, wanted: dict[str, Any]) -> Records:
    parts = yield from job.listened()
    utterances = [utterance for part in parts for utterance in part.utterances]
    if not utterances:
        raise ValueError("no cut could be read and aligned; the warnings above say why")
    settings = job.settings
    found = findings(utterances, settings.noise.snr, settings.nearest, settings.bootstrap)
    alignment = [
        {"checkpoint": str(part.checkpoint.root), "cuts": len(part.utterances), "per": part.rate.fraction}
        for part in parts
    ]
    with atomic_dir(place.root) as fresh:
        title = f"{job.model.root}, phones by {', '.join(str(part.checkpoint.root) for part in parts)}"
        draw_heat_maps(pool(utterances), title, AnalysisDir(fresh).heat_maps)
        record(AnalysisDir(fresh).analysis, {**wanted, "alignment": alignment, **found})


def _missing(cut: Cut, tokens: TokenTable) -> list[str]:
    said = cut.supervisions[0]
    return tokens.missing(units(said), said.language)


def _labelled(manifests: Sequence[Path]) -> list[Cut]:
    """The cuts with units. Raises ValueError where there are none, or two have one id."""
    found: dict[str, Cut] = {}
    for manifest in manifests:
        for cut in validated(manifest):
            if cut.id in found:
                raise ValueError(f"{manifest}: cut {cut.id} is in another manifest as well; leave one out")
            if cut.supervisions and units(cut.supervisions[0]):
                found[cut.id] = cut
    if not found:
        raise ValueError(f"{', '.join(map(str, manifests))}: no cut has units; run phonemize on them")
    return list(found.values())


def _check_heard_ctc(place: CheckpointDir) -> None:
    """A head that was never trained says nothing of phones."""
    settings = yaml.safe_load(place.settings.read_text(encoding="utf-8"))
    if settings.get("objective", {}).get("alpha") == 0:
        raise ValueError(
            f"{place.root} was trained without CTC (objective.alpha 0) and knows no phones: --alignment-from EXP"
        )


def _check_out(place: AnalysisDir) -> None:
    if place.root.is_file() or (any(place.root.glob("*")) and not place.analysis.is_file()):
        raise ValueError(f"{place.root} exists and was not made by analyze; choose another --out")
