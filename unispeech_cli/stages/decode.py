"""EXP and cuts in; a decode directory of hypotheses out."""

import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

from lhotse.cut import Cut

from unispeech_cli.atomic import atomic_dir
from unispeech_cli.batches.loader import inference_batches
from unispeech_cli.decoder.fallback import Heard
from unispeech_cli.decoder.heard import Vocabulary, hypothesis
from unispeech_cli.decoder.hypotheses import Decoded, Hypothesis
from unispeech_cli.decoder.methods import Method, SearchSettings
from unispeech_cli.decoder.recognition import LongCutSettings, Recognition
from unispeech_cli.decoder.results import write_results
from unispeech_cli.decoder.searches import open_method
from unispeech_cli.lang.directory import check_tokens
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.lang.units import Units, units_of
from unispeech_cli.manifests import read_cuts, units, validate
from unispeech_cli.paths import DecodeDir
from unispeech_cli.provenance import describe, differences
from unispeech_cli.records import Note, Progress, Records
from unispeech_cli.trainer.weights import find, load_recognizer

# progress and notes on the way, hypotheses by setting at the end
Decoding = Generator[Note | Progress, None, dict[str, list[Hypothesis]]]


@dataclass(frozen=True)
class DecodeSettings:
    """How much is recognised at once (seconds of audio, padding included), long cuts, and the searches."""

    seconds_per_batch: float = 120.0
    long: LongCutSettings = field(default_factory=LongCutSettings)
    search: SearchSettings = field(default_factory=SearchSettings)


def decode(
    exp: Path,
    cuts: Sequence[Path],
    out: Path,
    *,
    method: Method | None = None,
    device: str = "cpu",
    settings: DecodeSettings | None = None,
) -> Records:
    """Recognise the cuts of each manifest with the model of an experiment or checkpoint directory.

    The same command again does nothing; with other inputs it says what differs and decodes anew. A cut whose
    audio cannot be read, or that the search fails on, costs a line. Raises ValueError for a lang directory,
    language model, device or `out` that is not fit, FileNotFoundError for missing inputs.
    """
    settings, method, place = settings or DecodeSettings(), method or Method(), find(exp)
    test_sets = _test_sets(cuts)
    _check_out(out)
    options = {"checkpoint": str(place.root), **_method_options(method), **_flat(asdict(settings))}
    wanted = describe("decode", [place.checksums, *cuts, *method.files], options, ["torch", "k2"])
    changed = differences(DecodeDir(out).decoded, wanted)
    if changed == []:
        yield Note(f"{out} is decoded from these inputs; nothing to do")
        return
    yield from (Note(f"{out} is decoded anew: {line}") for line in changed or [])
    recognizer, table = load_recognizer(place.root, device)
    check_tokens(method.lang_dir, table, place.root)
    read = {name: _read(manifest) for name, manifest in test_sets.items()}
    kind, lines = _units([cut for some in read.values() for cut in some], table), list[str]()
    opened = open_method(method, Vocabulary(table, kind), settings.search, device, lines.append)
    recognition = Recognition(recognizer, opened.ladder, settings.long, device, lines.append)
    work = _Work(recognition, opened.vocabulary, method.settings, settings.seconds_per_batch, lines)
    found = {}
    for name, some in read.items():
        found[name] = yield from work.test_set(name, some)
    made = Decoded(tuple(found), method.name, method.settings, kind, str(place.root), table.fingerprint)
    with atomic_dir(out) as fresh:
        write_results(DecodeDir(fresh), made, found, wanted)


@dataclass(frozen=True)
class _Work:
    recognition: Recognition
    vocabulary: Vocabulary
    settings: tuple[str, ...]
    seconds_per_batch: float
    lines: list[str]

    def test_set(self, name: str, cuts: Sequence[Cut]) -> Decoding:
        """Hypotheses of every cut, by setting."""
        yield from _strange_units(self.vocabulary.table, name, cuts)
        started = time.monotonic()
        found: dict[str, list[Hypothesis]] = {setting: [] for setting in self.settings}
        speech = 0.0
        for done, (cut, heard) in enumerate(self._heard(cuts), start=1):
            if heard is not None:
                speech += cut.duration
                for setting, path in zip(self.settings, heard, strict=True):
                    found[setting].append(hypothesis(cut, path, self.vocabulary))
            yield from self._notes(name)
            yield Progress(f"decode {name}", done, len(cuts))
        count = len(found[self.settings[0]])
        if not count:
            raise ValueError(f"{name}: none of {len(cuts)} cuts could be decoded")
        speed = f"{speech / 3600:.2f} h, {speech / (time.monotonic() - started):.0f} x real time"
        yield Note(f"{name}: {count} of {len(cuts)} cuts, {speed}")
        return found

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


def _test_sets(manifests: Sequence[Path]) -> dict[str, Path]:
    """Manifests by the name of their test set: `cv-es_cuts_test.jsonl.gz` is `cv-es-test`."""
    sets: dict[str, Path] = {}
    for path in manifests:
        name = path.name.removesuffix(".gz").removesuffix(".jsonl").replace("_cuts_", "-")
        if name in sets:
            raise ValueError(
                f"{sets[name]} and {path} would both be test set {name}; give each its own --out"
            )
        sets[name] = path
    return sets


def _check_out(out: Path) -> None:
    if out.exists() and not DecodeDir(out).decoded.is_file() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} exists and is not a decode directory; choose another --out")


def _read(manifest: Path) -> list[Cut]:
    validate(manifest)
    return list(read_cuts(manifest))


def _units(cuts: Iterable[Cut], table: TokenTable) -> Units:
    """What the tokens are: as phonemize has noted in the cuts, else by the signs of words in the table."""
    noted = {(s.custom or {}).get("tokens_type") for cut in cuts for s in cut.supervisions}
    kinds: list[Units] = [kind for kind in get_args(Units) if kind in noted]
    if len(kinds) > 1:
        raise ValueError(f"the cuts are in {' and '.join(kinds)}; give each kind its own --out")
    return kinds[0] if kinds else units_of(table)


def _strange_units(table: TokenTable, name: str, cuts: Iterable[Cut]) -> Iterator[Note]:
    spoken = {unit for cut in cuts for supervision in cut.supervisions for unit in units(supervision)}
    strange = sorted(spoken - set(table.decode(range(1, len(table)))))
    if strange:
        shown = " ".join(strange[:8]) + (" ..." if len(strange) > 8 else "")
        yield Note(
            f"warning: {name}: {len(strange)} units of the references are unknown to the model: {shown}"
        )


def _method_options(method: Method) -> dict[str, Any]:
    """What a result depends on besides the files that are read."""
    scales = None if method.scales is None else list(method.scales)
    roles = {"lm": method.lm, "rescore_lm": method.rescore_lm, "bias": method.bias}
    return {
        "method": method.name,
        "lm_scales": scales,
        **{role: path and str(path) for role, path in roles.items()},
    }


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by their dotted names, so that one line says which of them changed."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{inner}": item for inner, item in _flat(value).items()}
        else:
            found[name] = value
    return found
