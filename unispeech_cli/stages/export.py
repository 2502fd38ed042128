"""EXP in; a directory in the files of another toolkit out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unispeech_cli.atomic import atomic_dir
from unispeech_cli.export_paths import ExportDir
from unispeech_cli.interop.card import Card, card
from unispeech_cli.interop.facts import facts, languages, provenance_of
from unispeech_cli.interop.hub import hub_class, write_hub
from unispeech_cli.interop.icefall import write_icefall
from unispeech_cli.interop.leaving import Leaving, read_leaving
from unispeech_cli.interop.measured import best_results, files_of, scored_dirs
from unispeech_cli.interop.onnx import describe as onnx_metadata
from unispeech_cli.interop.onnx import write_onnx
from unispeech_cli.interop.sherpa import write_sherpa
from unispeech_cli.interop.usage import USAGE
from unispeech_cli.lang.directory import check_tokens
from unispeech_cli.lang.tokens import read as read_tokens
from unispeech_cli.paths import CheckpointDir, LangDir
from unispeech_cli.provenance import describe, differences, hash_file, record
from unispeech_cli.records import Note, Records
from unispeech_cli.trainer.weights import find, load_recognizer

# on what the bytes of a format depend besides what is read
PACKAGES = {"onnx": ["torch", "onnx"], "sherpa-onnx": ["torch", "onnx"], "icefall-lang": ["torch", "k2"]}


@dataclass(frozen=True)
class Wanted:
    """What to export, besides the checkpoint itself.

    `scores` are scored decode directories for the model card; `lang_dir` and `lm` are for icefall-lang alone.
    """

    format: str
    scores: Sequence[Path] = ()
    lang_dir: Path | None = None
    lm: Path | None = None

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValueError(f"--format {self.format}: choose from {', '.join(FORMATS)}")
        if (self.format == "icefall-lang") != (self.lang_dir is not None):
            raise ValueError(
                "--format icefall-lang and --lang-dir go together: graphs are made of a lang directory"
            )
        if self.lm and self.lang_dir is None:
            raise ValueError(f"--lm is for --format icefall-lang, not for {self.format}")

    @property
    def files(self) -> list[Path]:
        """What is read besides the checkpoint and the scores."""
        lang = LangDir(self.lang_dir) if self.lang_dir else None
        return [*([lang.tokens, lang.lexicon] if lang else []), *([self.lm] if self.lm else [])]


def export(exp: Path, out: Path, wanted: Wanted) -> Records:
    """Write the checkpoint that EXP means for another toolkit.

    The same again does nothing; with other inputs it says what differs and writes anew. Raises ValueError where
    the model, the scores or `out` are not fit, or a package is missing; FileNotFoundError for missing inputs.
    """
    place = find(exp)
    scored = [] if wanted.lang_dir else scored_dirs(place, wanted.scores)
    made = _describe(place, wanted, scored)
    _check_out(out)
    changed = differences(ExportDir(out).provenance, made)
    if changed == []:
        yield Note(f"{out} is exported from these inputs; nothing to do")
        return
    yield from (Note(f"{out} is exported anew: {line}") for line in changed or [])
    with atomic_dir(out) as root:
        for line in FORMATS[wanted.format](ExportDir(root), place, wanted, scored):
            yield Note(line)
        record(ExportDir(root).provenance, made)
    yield Note(f"{place.root} -> {out} ({wanted.format})")


def _describe(place: CheckpointDir, wanted: Wanted, scored: Sequence[Path]) -> dict[str, Any]:
    read = [place.checksums, *files_of(scored), *wanted.files]
    options = {"format": wanted.format, "checkpoint": str(place.root)}
    return describe("export", read, options, PACKAGES.get(wanted.format, []))


def _check_out(out: Path) -> None:
    mine = ExportDir(out).provenance
    if out.exists() and not mine.is_file() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} exists and is not an export; choose another --out")


def _write_card(
    made: ExportDir, place: CheckpointDir, wanted: Wanted, leaving: Leaving, scored: Sequence[Path]
) -> None:
    results, kind = best_results(scored), hub_class(leaving)
    shown = Card(
        f"{kind} of {len(leaving.tokens)} tokens",
        facts(leaving, kind),
        USAGE["pre-trained" if kind.endswith("ForPreTraining") else wanted.format],
        results,
        provenance_of(place, leaving),
        languages(leaving.tokens, results),
    )
    made.card.write_text(card(shown), encoding="utf-8")


def _hub(made: ExportDir, place: CheckpointDir, wanted: Wanted, scored: Sequence[Path]) -> list[str]:
    leaving = read_leaving(place)
    write_hub(made, leaving)
    _write_card(made, place, wanted, leaving, scored)
    return [f"{hub_class(leaving)}, {leaving.parameters / 1e6:.1f} million parameters"]


def _onnx(made: ExportDir, place: CheckpointDir, wanted: Wanted, scored: Sequence[Path]) -> list[str]:
    leaving = read_leaving(place)
    if len(leaving.tokens) == 1:
        raise ValueError(
            f"{place.root} has no tokens: it is an encoder, which nothing can be recognised with"
        )
    recognizer, tokens = load_recognizer(place.root)
    metadata = {"tokens": tokens.fingerprint, "checkpoint": hash_file(place.checksums)}
    if wanted.format == "onnx":
        write_onnx(recognizer, made.onnx, {**onnx_metadata(recognizer), **metadata})
    else:
        write_sherpa(recognizer, made.onnx, metadata)
    tokens.write(made.tokens)
    _write_card(made, place, wanted, leaving, scored)
    return [f"{made.onnx.name}, {made.onnx.stat().st_size / 2**20:.1f} MiB"]


def _icefall(made: ExportDir, place: CheckpointDir, wanted: Wanted, scored: Sequence[Path]) -> list[str]:
    table = read_tokens(place.tokens)
    assert wanted.lang_dir is not None
    check_tokens(wanted.lang_dir, table, place.root)
    return [f"{', '.join(write_icefall(made, wanted.lang_dir, wanted.lm, table))} as icefall reads them"]


# what writes each format, and lines on it
FORMATS: Mapping[str, Callable[[ExportDir, CheckpointDir, Wanted, Sequence[Path]], list[str]]] = {
    "transformers": _hub,
    "onnx": _onnx,
    "sherpa-onnx": _onnx,
    "icefall-lang": _icefall,
}
