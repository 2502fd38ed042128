"""DECODE_DIRs that were scored in; one HTML page out."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from html.parser import HTMLParser
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path
from typing import Any

from unispeech_cli.atomic import write_text
from unispeech_cli.decoder.hypotheses import Decoded, Times, read_decoded, read_hypotheses
from unispeech_cli.manifests import read_cuts
from unispeech_cli.paths import DecodeDir
from unispeech_cli.provenance import compare, describe
from unispeech_cli.records import Note, Records
from unispeech_cli.scorer.classes import NOTHING
from unispeech_cli.scorer.classes import confusions as class_confusions
from unispeech_cli.scorer.measures import Aligned, aligned
from unispeech_cli.scorer.page import MADE_FROM, page
from unispeech_cli.scorer.phones import CLASSES as KINDS
from unispeech_cli.scorer.phones import phones
from unispeech_cli.scorer.report import (
    CLASSES,
    Clip,
    Confused,
    Heard,
    Report,
    ReportSettings,
    Result,
    SetDetails,
    System,
    Utterance,
    confusions,
    labels,
    worst,
)
from unispeech_cli.scorer.scorefile import Scores, read_scores
from unispeech_cli.scorer.sound import clips


@dataclass(frozen=True)
class _Scored:
    """A decode directory, and what score found in it."""

    root: Path
    system: System
    decoded: Decoded
    scores: Scores

    def result(self, test_set: str) -> Result | None:
        """That of the best setting."""
        return next((r for r in self.scores.results if r.best and r.test_set == test_set), None)

    def utterances(self, test_set: str) -> Mapping[str, Sequence[Aligned]]:
        """Those of the best setting, by measure, aligned as score aligned them."""
        path = DecodeDir(self.root).hypotheses(test_set, self.scores.best)
        return aligned(read_hypotheses(path), self.decoded.units, self.scores.manner)


def report(
    decode_dirs: Sequence[Path],
    out: Path,
    *,
    cuts: Sequence[Path] = (),
    settings: ReportSettings | None = None,
) -> Records:
    """Write one self-contained HTML page about several scored decode directories, side by side.

    Audio of the worst utterances is read from `cuts`, else from the manifests that were decoded, where they still
    are; a cut whose audio cannot be read costs a line. The same command again does nothing; with other inputs it
    says what differs.

    Raises FileNotFoundError where decode or score has not run, ValueError where
    `out` is something else than a report.
    """
    settings, scored = settings or ReportSettings(), _read(list(dict.fromkeys(decode_dirs)))
    manifests = list(cuts) or _manifests(scored)
    wanted = describe("report", [*_inputs(scored), *manifests], asdict(settings), ["panphon", "soundfile"])
    changed = _differences(out, wanted)
    if changed == []:
        yield Note(f"{out} is a report on these inputs; nothing to do")
        return
    yield from (Note(f"{out} is made anew: {line}") for line in changed or [])
    yield from _lacking()
    results = [result for some in scored for result in some.scores.results]
    if not results:
        raise ValueError(
            f"nothing to report on in {', '.join(map(str, decode_dirs))}: no cut has a transcript"
        )
    details = [_details(name, scored) for name in dict.fromkeys(result.test_set for result in results)]
    audio = _clips(details, manifests, settings)
    yield from (Note(f"warning: {clip.reason}") for clip in audio.values() if clip.failed)
    text = page(Report(results, details, audio, _classes(details), wanted, settings))
    write_text(out, text)
    playable = sum(clip.uri is not None for clip in audio.values())
    yield Note(f"{out}: {len(text.encode()) / 1e6:.1f} MB, audio of {playable} of {len(audio)} utterances")


def _read(roots: Sequence[Path]) -> list[_Scored]:
    found = []
    for root, label in zip(roots, labels([str(root) for root in roots]), strict=True):
        decoded = read_decoded(root)
        system = System(label, str(root), decoded.method, decoded.units, decoded.checkpoint)
        found.append(_Scored(root, system, decoded, read_scores(root, system)))
    return found


def _inputs(scored: Sequence[_Scored]) -> Iterator[Path]:
    for some in scored:
        place = DecodeDir(some.root)
        yield from (place.decoded, place.score)
        yield from (place.hypotheses(result.test_set, result.setting) for result in some.scores.results)


def _manifests(scored: Sequence[_Scored]) -> list[Path]:
    """The manifests that were decoded, where they still are."""
    read = [json.loads(DecodeDir(some.root).decoded.read_text(encoding="utf-8")) for some in scored]
    paths = dict.fromkeys(Path(name) for made in read for name in made.get("inputs", ()))
    return [path for path in paths if ".jsonl" in path.suffixes and path.is_file()]


def _differences(out: Path, wanted: Mapping[str, Any]) -> list[str] | None:
    """How a report that is there differs from what is wanted; None where there is none."""
    if not out.exists():
        return None
    made = _MadeFrom()
    try:
        made.feed(out.read_text(encoding="utf-8"))
        found = json.loads(made.content)
    except (OSError, ValueError):
        raise ValueError(f"{out} exists and is not a report; choose another --out") from None
    return compare(found, wanted)


class _MadeFrom(HTMLParser):
    """What a report says that it was made from."""

    content = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "meta" and given.get("name") == MADE_FROM:
            self.content = given.get("content") or ""


def _lacking() -> Iterator[Note]:
    if not _has_classes():
        yield Note("phones are shown without their classes: pip install 'unispeech[classes]'")


def _has_classes() -> bool:
    return find_spec("panphon") is not None


def _details(name: str, scored: Sequence[_Scored]) -> SetDetails:
    """What a test set comes to, in the best setting of each system."""
    results: list[Result] = []
    confused: list[Confused] = []
    heard: dict[str, list[tuple[Aligned, Heard]]] = {}
    for some in scored:
        if result := some.result(name):
            results.append(result)
            measures = some.utterances(name)
            confused += _confused(some.system, measures)
            for utterance in measures[result.measure]:
                entry = utterance, _heard(some.system, utterance, result.measure)
                heard.setdefault(utterance.hypothesis.id, []).append(entry)
    return SetDetails(name, results, confused, [_utterance(entries) for entries in heard.values()])


def _confused(system: System, measures: Mapping[str, Sequence[Aligned]]) -> Iterator[Confused]:
    """Words where there are words; then phones and their classes, or else characters."""
    for measure in ("WER", "PER" if "PER" in measures else "CER"):
        if measure in measures:
            yield Confused(system, measure, confusions(some.pairs for some in measures[measure]))
    if "PER" in measures and _has_classes():
        found = class_confusions([some.pairs for some in measures["PER"]], phones())
        pairs = {
            (None if said == NOTHING else said, None if heard == NOTHING else heard): number
            for (said, heard), number in found.confused.items()
        }
        yield Confused(system, CLASSES, pairs, found.total.weighted)


def _heard(system: System, utterance: Aligned, measure: str) -> Heard:
    times: Times = {"WER": utterance.hypothesis.word_times, "PER": utterance.hypothesis.times}.get(
        measure, ()
    )
    # words that were written anew for scoring may be more or fewer than those that have times
    fits = sum(hyp is not None for _, hyp in utterance.pairs) == len(times)
    return Heard(system, utterance.pairs, [start for start, _ in times] if fits else ())


def _utterance(entries: Sequence[tuple[Aligned, Heard]]) -> Utterance:
    hypothesis = entries[0][0].hypothesis
    text = hypothesis.ref_text or " ".join(hypothesis.ref_words or ()) or None
    heard = [heard for _, heard in entries]
    return Utterance(hypothesis.id, hypothesis.duration, hypothesis.speaker, text, heard)


def _classes(details: Sequence[SetDetails]) -> dict[str, str]:
    """Class by phone, in the order of classes; none without panphon."""
    if not _has_classes():
        return {}
    pairs = [
        pair for one in details for found in one.confused if found.measure == "PER" for pair in found.pairs
    ]
    kinds = {phone: phones().phone(phone).kind for pair in pairs for phone in pair if phone is not None}
    return dict(sorted(kinds.items(), key=lambda item: (KINDS.index(item[1]), item[0])))


def _clips(
    details: Sequence[SetDetails], manifests: Sequence[Path], settings: ReportSettings
) -> dict[str, Clip]:
    """The audio of the worst utterances, the worst of every test set before the next of any."""
    ranks = zip_longest(*(worst(one.utterances, settings.worst) for one in details))
    ids = dict.fromkeys(utterance.id for rank in ranks for utterance in rank if utterance)
    cuts = {cut.id: cut for manifest in manifests for cut in read_cuts(manifest) if cut.id in ids}
    return clips(ids, cuts, settings.audio_megabytes)
