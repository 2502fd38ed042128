"""EXP and cuts in; a decode directory of hypotheses out."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from unispeech_cli.atomic import atomic_dir
from unispeech_cli.decoder.heard import Vocabulary
from unispeech_cli.decoder.hypotheses import Decoded, Hypothesis
from unispeech_cli.decoder.methods import Method, SearchSettings
from unispeech_cli.decoder.parts import Told, merge_decoded, write_part
from unispeech_cli.decoder.recognition import LongCutSettings, Recognition
from unispeech_cli.decoder.results import write_results
from unispeech_cli.decoder.searches import open_method
from unispeech_cli.decoder.test_sets import Work, read, units_in
from unispeech_cli.lang.directory import check_tokens
from unispeech_cli.paths import DecodeDir
from unispeech_cli.provenance import describe, differences
from unispeech_cli.records import Note, Record, Records
from unispeech_cli.shard_paths import PartsDir, ShardsDir
from unispeech_cli.shards import Shard, collect, is_left_to_do, part
from unispeech_cli.trainer.distributed import Ranks, join
from unispeech_cli.trainer.weights import find, load_recognizer

PATIENCE = timedelta(days=7)
"""One process may be done so long before another."""

Results = dict[str, dict[str, list[Hypothesis]]]
"""By test set, then by setting."""

Decoding = Generator[Record, None, tuple[Decoded, Results, dict[str, Told]]]
"""Progress and notes on the way; at the end all that there is to write."""


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
    shard: Shard | None = None,
) -> Records:
    """Recognise the cuts of each manifest with the model of an experiment or checkpoint directory.

    With a shard, its cuts alone, kept in `out` for `merge`; the processes that torchrun starts are a shard each, and
    the first of them merges. The same command again does nothing; with other inputs it says what differs and decodes
    anew. A cut whose audio cannot be read, or that the search fails on, costs a line. Raises ValueError for a lang
    directory, language model, device or `out` that is not fit, FileNotFoundError for missing inputs.
    """
    ranks = join(device, PATIENCE)
    if shard and ranks.size > 1:
        raise ValueError("--shard: the processes of torchrun are shards already; leave it out")
    job = _Job(exp, _test_sets(cuts), out, settings or DecodeSettings(), method or Method(), ranks)
    yield from ranks.records(job.shared() if ranks.size > 1 else job.done(shard))


@dataclass(frozen=True)
class _Job:
    exp: Path
    manifests: Mapping[str, Path]
    out: Path
    settings: DecodeSettings
    method: Method
    ranks: Ranks

    def shared(self) -> Records:
        """Every rank does its part, unless it is done; the first puts them together."""
        shard = Shard(self.ranks.rank + 1, self.ranks.size)
        wanted = yield from self._left(shard)
        # graphs that are not there yet are compiled once
        compiled = self.ranks.any(wanted is None)
        if wanted is not None:
            yield from self._make(wanted, shard, nullcontext() if compiled else self.ranks.first_goes_first())
        self.ranks.wait()
        if self.ranks.is_first and self._parts.found():
            yield from merge_decoded(self.out, collect(self._parts))

    def done(self, shard: Shard | None) -> Records:
        """All, or one shard, unless it is done."""
        wanted = yield from self._left(shard)
        if wanted is not None:
            yield from self._make(wanted, shard, nullcontext())

    @property
    def _parts(self) -> PartsDir:
        return ShardsDir(self.out).of("decode")

    def _left(self, shard: Shard | None) -> Generator[Record, None, dict[str, Any] | None]:
        """What the result is to be made of; None where it is there."""
        _check_out(self.out, shard)
        root, settings = find(self.exp), _flat(asdict(self.settings))
        options = {"checkpoint": str(root.root), **_method_options(self.method), **settings}
        wanted = describe(
            "decode", [root.checksums, *self.manifests.values(), *self.method.files], options, ["torch", "k2"]
        )
        changed = differences(DecodeDir(self.out).decoded, wanted)
        if changed == []:
            yield Note(f"{self.out} is decoded from these inputs; nothing to do")
            return None
        yield from (Note(f"{self.out} is decoded anew: {line}") for line in changed or [])
        left = shard is None or (yield from is_left_to_do(self._parts, shard, wanted))
        return wanted if left else None

    def _make(
        self, wanted: Mapping[str, Any], shard: Shard | None, opening: AbstractContextManager[None]
    ) -> Records:
        made, results, told = yield from self._decoded(shard, opening)
        if shard is None:
            with atomic_dir(self.out) as fresh:
                write_results(DecodeDir(fresh), made, results, wanted)
        else:
            with part(self._parts, shard, wanted) as (fresh_part, facts):
                facts |= write_part(fresh_part, made, results, told)

    def _decoded(self, shard: Shard | None, opening: AbstractContextManager[None]) -> Decoding:
        place, settings, device = find(self.exp), self.settings, str(self.ranks.device)
        recognizer, table = load_recognizer(place.root, device)
        check_tokens(self.method.lang_dir, table, place.root)
        limits = (settings.seconds_per_batch, settings.long.chunk.seconds)
        sets = {name: read(path, shard, *limits) for name, path in self.manifests.items()}
        kind, lines = units_in([one.kinds for one in sets.values()], table), list[str]()
        with opening:
            opened = open_method(self.method, Vocabulary(table, kind), settings.search, device, lines.append)
        recognition = Recognition(recognizer, opened.ladder, settings.long, device, lines.append)
        work = Work(recognition, opened.vocabulary, self.method.settings, settings.seconds_per_batch, lines)
        results: Results = {}
        told: dict[str, Told] = {}
        for name, some in sets.items():
            results[name], told[name] = yield from work.test_set(name, some)
            if shard is None and len(told[name].left_out) == some.total:
                raise ValueError(f"{name}: none of {some.total} cuts could be decoded")
        setting, checkpoint = self.method.settings, str(place.root)
        made = Decoded(tuple(results), self.method.name, setting, kind, checkpoint, table.fingerprint)
        return made, results, told


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


def _check_out(out: Path, shard: Shard | None) -> None:
    shards = ShardsDir(out).shards
    if shards.is_dir() and shard is None:
        raise ValueError(f"{shards} holds shards of {out}: unispeech merge {out}, or remove them")
    others = [out] if out.is_file() else [path for path in out.glob("*") if path != shards]
    if others and not DecodeDir(out).decoded.is_file():
        raise ValueError(f"{out} exists and is not a decode directory; choose another --out")


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
