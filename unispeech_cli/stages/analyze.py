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
from unispeech_cli.manifests import units, validated
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


Listening = Generator[Record, None, tuple[list[Utterance], Rate]]
"""Progress and notes on the way; at the end what was seen, and the errors of the aligner."""


def analyze(
    exp: Path,
    cuts: Sequence[Path],
    out: Path,
    *,
    alignment_from: Path | None = None,
    device: str = "cpu",
    settings: AnalyzeSettings | None = None,
) -> Records:
    """Compare the codes of a pre-trained model with the phones of cuts, as CTC aligns them, and write `out`.

    `alignment_from` is an experiment whose CTC head says where phones are, by default the model itself. The same
    command again only shows what was found. Raises ValueError for a model without codebook or without knowledge of
    phones, for cuts without units, or an `out` that is somebody else's; FileNotFoundError for missing inputs.
    """
    job = _Job(find(exp), find(alignment_from or exp), tuple(cuts), settings or AnalyzeSettings(), device)
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
    aligner: CheckpointDir
    manifests: tuple[Path, ...]
    settings: AnalyzeSettings
    device: str

    def wanted(self) -> dict[str, Any]:
        """What the result is to be made of."""
        inputs = [self.model.checksums, self.aligner.checksums, *self.manifests]
        options = {"checkpoint": str(self.model.root), "alignment_from": str(self.aligner.root)}
        return describe("analyze", inputs, {**options, **asdict(self.settings)}, ["torch", "matplotlib"])

    def listened(self) -> Listening:
        """The codes and phones of all cuts that can be read and aligned."""
        _check_heard_ctc(self.aligner)
        model = load_unispeech(self.model.root, self.device)
        aligner, tokens = load_recognizer(self.aligner.root, self.device)
        some, settings = _labelled(self.manifests), self.settings
        speakers = {cut.id: cut.supervisions[0].speaker for cut in some}
        listener = Listener(model, aligner, tokens, settings.reach, settings.noise, settings.seed, speakers)
        found, rate, lines, done = list[Utterance](), Rate(), list[str](), 0
        for batch in inference_batches(some, settings.seconds_per_batch, tokens, lines.append):
            heard = listener.hear(batch.to(self.device))
            found, rate, done = found + heard.utterances, rate + heard.rate, done + len(batch.cut_ids)
            yield from (Note(f"warning: {line}") for line in [*lines, *heard.faults])
            lines.clear()
            yield Progress("analyze", done, len(some))
        yield from (Note(f"warning: {line}") for line in lines)
        # in the order of the manifests, whatever was read first
        order = {cut.id: number for number, cut in enumerate(some)}
        return sorted(found, key=lambda utterance: order[utterance.cut_id]), rate


def _make(job: _Job, place: AnalysisDir, wanted: dict[str, Any]) -> Records:
    utterances, rate = yield from job.listened()
    if not utterances:
        raise ValueError("no cut could be read and aligned; the warnings above say why")
    yield Note(
        f"phones by {job.aligner.root}, whose PER here is {rate.percent:.1f} %: {len(utterances)} cuts"
    )
    if rate.fraction > MOST_ERRORS:
        yield Note(
            "warning: it hardly knows these phones: --alignment-from a recogniser or a model that does"
        )
    settings = job.settings
    found = findings(utterances, settings.noise.snr, settings.nearest, settings.bootstrap)
    alignment = {"checkpoint": str(job.aligner.root), "per": rate.fraction, "reach": settings.reach}
    with atomic_dir(place.root) as fresh:
        title = f"{job.model.root}, phones by {job.aligner.root}"
        draw_heat_maps(pool(utterances), title, AnalysisDir(fresh).heat_maps)
        record(AnalysisDir(fresh).analysis, {**wanted, "alignment": alignment, **found})


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
