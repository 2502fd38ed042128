"""EXP and cuts in; a decode directory of hypotheses out."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, get_args

import torch
from lhotse.cut import Cut
from torch import Tensor

from unispeech_cli.atomic import atomic_dir
from unispeech_cli.batches.batch import Batch
from unispeech_cli.batches.loader import inference_batches
from unispeech_cli.decoder.heard import Vocabulary, hypothesis
from unispeech_cli.decoder.hypotheses import Decoded, Hypothesis, recogs, write_hypotheses
from unispeech_cli.decoder.lattice import Beams, one_best
from unispeech_cli.decoder.search import BestPath, greedy
from unispeech_cli.lang.graphs import ctc_topology
from unispeech_cli.lang.subwords import WORD_START
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.lang.tokens import read as read_tokens
from unispeech_cli.lang.units import WORD_BOUNDARY, Units
from unispeech_cli.manifests import read_cuts, units, validate
from unispeech_cli.model.recognizer import Recognizer
from unispeech_cli.paths import DecodeDir, LangDir
from unispeech_cli.provenance import describe, differences, record
from unispeech_cli.records import Note, Progress, Records
from unispeech_cli.trainer.weights import find, load_recognizer

METHODS = ("greedy", "one-best")

Search = Callable[[Tensor, Tensor], list[BestPath]]
# progress and notes on the way, hypotheses at the end
Decoding = Generator[Note | Progress, None, list[Hypothesis]]


@dataclass(frozen=True)
class DecodeSettings:
    """How much is recognised at once (seconds of audio, padding included), and the beams of graph methods."""

    seconds_per_batch: float = 120.0
    beams: Beams = field(default_factory=Beams)


def decode(
    exp: Path,
    cuts: Sequence[Path],
    out: Path,
    *,
    method: str = "greedy",
    lang_dir: Path | None = None,
    device: str = "cpu",
    settings: DecodeSettings | None = None,
) -> Records:
    """Recognise the cuts of each manifest with the model of an experiment or checkpoint directory.

    The same command again does nothing; with other inputs it says what differs and decodes anew. A cut whose
    audio cannot be read costs a line. Raises ValueError for a method, lang directory, device or `out` that is
    not fit, FileNotFoundError for missing inputs.
    """
    settings, test_sets, place = settings or DecodeSettings(), _test_sets(cuts), find(exp)
    _check(method, out)
    options = {"checkpoint": str(place.root), "method": method, **_flat(settings)}
    wanted = describe("decode", [place.checksums, *cuts], options, ["torch", "k2"])
    changed = differences(DecodeDir(out).decoded, wanted)
    if changed == []:
        yield Note(f"{out} is decoded from these inputs; nothing to do")
        return
    yield from (Note(f"{out} is decoded anew: {line}") for line in changed or [])
    recognizer, table = load_recognizer(place.root, device)
    _check_tokens(place.root, table, lang_dir)
    engine = _Engine(recognizer, table, _search(method, table, device, settings.beams), device)
    read = {name: _read(manifest) for name, manifest in test_sets.items()}
    kind, found = _units([cut for some in read.values() for cut in some], table), {}
    for name, some in read.items():
        found[name] = yield from _recognize_set(
            engine, Vocabulary(table, kind), name, some, settings.seconds_per_batch
        )
    made = Decoded(tuple(found), method, (method,), kind, str(place.root), table.fingerprint)
    with atomic_dir(out) as fresh:
        _write(DecodeDir(fresh), made, found, wanted)


@dataclass(frozen=True)
class _Engine:
    recognizer: Recognizer
    table: TokenTable
    search: Search
    device: str

    def recognize(self, batch: Batch) -> list[BestPath]:
        """The best path of each utterance. Raises ValueError naming a cut for which the model gives NaN."""
        with torch.no_grad():
            batch = batch.to(self.device)
            logit_BTV, frame_lengths_B = self.recognizer.recognize(batch.wave_BS, batch.wave_lengths_B)
            for cut_id, logit_TV, length in zip(batch.cut_ids, logit_BTV, frame_lengths_B, strict=True):
                if logit_TV[:length].isnan().any():
                    raise ValueError(
                        f"the model gives NaN for {cut_id}: it has diverged; use another checkpoint"
                    )
            return self.search(logit_BTV.float().log_softmax(-1), frame_lengths_B)


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


def _check(method: str, out: Path) -> None:
    if method not in METHODS:
        raise ValueError(f"--method {method}: known are {', '.join(METHODS)}")
    if out.exists() and not DecodeDir(out).decoded.is_file() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} exists and is not a decode directory; choose another --out")


def _check_tokens(checkpoint: Path, table: TokenTable, lang_dir: Path | None) -> None:
    if lang_dir is None:
        return
    difference = table.difference(read_tokens(LangDir(lang_dir).tokens))
    if difference:
        raise ValueError(
            f"tokens of the model {checkpoint} (first) and of {lang_dir} (second) differ: {difference}"
        )


def _search(method: str, table: TokenTable, device: str, beams: Beams) -> Search:
    if method == "greedy":
        return greedy
    return partial(one_best, graph=ctc_topology(len(table)).to(device), beams=beams)


def _read(manifest: Path) -> list[Cut]:
    validate(manifest)
    return list(read_cuts(manifest))


def _units(cuts: Iterable[Cut], table: TokenTable) -> Units:
    """What the tokens are: as phonemize has noted in the cuts, else by the signs of words in the table."""
    noted = {(s.custom or {}).get("tokens_type") for cut in cuts for s in cut.supervisions}
    kinds: list[Units] = [kind for kind in get_args(Units) if kind in noted]
    if len(kinds) > 1:
        raise ValueError(f"the cuts are in {' and '.join(kinds)}; give each kind its own --out")
    if kinds:
        return kinds[0]
    if any(symbol.startswith(WORD_START) for symbol in table.symbols):
        return "bpe"
    return "letters" if WORD_BOUNDARY in table.symbols else "phones"


def _recognize_set(
    engine: _Engine, vocabulary: Vocabulary, name: str, cuts: Sequence[Cut], seconds_per_batch: float
) -> Decoding:
    yield from _strange_units(engine.table, name, cuts)
    started, by_id = time.monotonic(), {cut.id: cut for cut in cuts}
    found: list[Hypothesis] = []
    faults: list[str] = []
    for batch in inference_batches(cuts, seconds_per_batch, None, faults.append):
        paths = zip(batch.cut_ids, engine.recognize(batch), strict=True)
        found += [hypothesis(by_id[cut_id], path, vocabulary) for cut_id, path in paths]
        yield Progress(f"decode {name}", len(found) + len(faults), len(cuts))
    yield from (Note(f"warning: {name}: {fault}") for fault in faults)
    if not found:
        raise ValueError(f"{name}: none of {len(cuts)} cuts could be decoded")
    speech, seconds = sum(hypothesis.duration for hypothesis in found), time.monotonic() - started
    speed = f"{speech / 3600:.2f} h, {speech / seconds:.0f} x real time"
    yield Note(f"{name}: {len(found)} of {len(cuts)} cuts, {speed}")
    return found


def _strange_units(table: TokenTable, name: str, cuts: Iterable[Cut]) -> Iterator[Note]:
    spoken = {unit for cut in cuts for supervision in cut.supervisions for unit in units(supervision)}
    strange = sorted(spoken - set(table.decode(range(1, len(table)))))
    if strange:
        shown = " ".join(strange[:8]) + (" ..." if len(strange) > 8 else "")
        yield Note(
            f"warning: {name}: {len(strange)} units of the references are unknown to the model: {shown}"
        )


def _write(
    place: DecodeDir, made: Decoded, found: Mapping[str, Sequence[Hypothesis]], inputs: Mapping[str, Any]
) -> None:
    (setting,) = made.settings
    for name, hypotheses in found.items():
        write_hypotheses(place.hypotheses(name, setting), hypotheses)
        place.recogs(name, setting).write_text(recogs(_shown(h) for h in hypotheses), "utf-8")
    record(place.decoded, {**inputs, **asdict(made)})


def _shown(found: Hypothesis) -> tuple[str, Sequence[str] | None, Sequence[str]]:
    """Id, reference and hypothesis: words where there are words, else phones."""
    if found.words is None:
        return found.id, found.ref, found.tokens
    return found.id, found.ref_words, found.words


def _flat(settings: DecodeSettings) -> dict[str, float]:
    return {"seconds_per_batch": settings.seconds_per_batch, **asdict(settings.beams)}
