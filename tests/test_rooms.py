"""The house contract: a room imports only rooms above itself; each door to a library is where the design says."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "unispeech_cli"
# the order of docs/architecture.md, top down; inside a room, files in reading order
ROOMS = """
processor __init__
records stopping atomic settings paths frames chance provenance shard_paths shards export_paths search_paths
mp3 archive truncation audio stream recordings
corpora.clip corpora.commonvoice corpora.librispeech corpora.tedlium3 corpora.kaldi corpora.ready
manifests prepared
lang.text lang.phonemizer lang.tokens lang.subwords lang.lexicon lang.units lang.gathered
lang.directory lang.phonemized
lang.pronouncer lang.transcript lang.lm_words lang.graphs lang.arpa lang.grammar lang.lexicon_graph lang.compile
lang.validation lang.word_graph
batches.batch batches.lines batches.shar batches.index batches.turns batches.plan batches.shares
batches.augment batches.source batches.feeding batches.reading batches.loader batches.worst
model.activation model.exact model.economy model.statistics model.frontend model.masking
model.encoder model.quantizer model.head
model.unispeech model.recognizer model.size model.chunks
objective.contrastive objective.ctc objective.unispeech
trainer.schedule trainer.optim trainer.ema trainer.checkpoint trainer.weights trainer.distributed trainer.precision
trainer.experiment trainer.journal trainer.average
trainer.alarms trainer.guard trainer.gradients trainer.loop trainer.trial
trainer.telling trainer.resuming trainer.session trainer.pretraining trainer.finetuning trainer.forecast
decoder.search decoder.timing decoder.formats decoder.segments decoder.forced
decoder.hypotheses decoder.heard
decoder.bias decoder.phrases decoder.beam decoder.lattice decoder.pruning decoder.memory
decoder.biased_graph decoder.nbest
decoder.rescoring decoder.scales decoder.methods decoder.fallback decoder.graph_search decoder.searches
decoder.recognition decoder.results decoder.parts decoder.test_sets decoder.transcriber decoder.transcripts
scorer.edits scorer.alignment scorer.rates scorer.bootstrap scorer.significance scorer.icefall scorer.glm
scorer.normalization scorer.measures scorer.phones scorer.classes scorer.results scorer.tables
scorer.comparison scorer.report scorer.scorefile scorer.markup scorer.figures scorer.sections scorer.page scorer.sound
scorer.validation
analysis.curves
analysis.frame_phones analysis.observed analysis.quality analysis.sharing analysis.invariance analysis.voices
analysis.listening analysis.findings analysis.code_tables analysis.heat_map
interop.names
interop.inert interop.unpickle interop.torchfile interop.vocabulary interop.imported
interop.transformers_config interop.transformers interop.fairseq_names interop.fairseq_config interop.fairseq
interop.hub_config interop.hub_tokenizer interop.leaving interop.hub interop.traceable interop.onnx interop.sherpa
interop.icefall interop.usage interop.measured interop.facts interop.card
search.space search.runs search.trials
stages.doctor stages.prepare stages.phonemize stages.merge stages.graph stages.pretrain stages.finetune
stages.decode stages.transcribe stages.score stages.compare stages.report stages.export
stages.import_ stages.info stages.plot stages.average stages.analyze stages.sweep
live console commands.options commands.machine commands.data commands.training commands.recognition commands.scoring
commands.interop commands.trained commands.searching
cli __main__
""".split()
DOORS = {
    "k2": {"lang.lexicon", "lang.graphs", "objective.ctc", "decoder.lattice", "stages.doctor"},
    "pydantic": {"settings"},
    "rich": {"live", "console"},
    "typer": {
        "cli",
        *(
            f"commands.{name}"
            for name in "options machine data training recognition scoring interop trained searching".split()
        ),
    },
    "phonemizer": {"lang.phonemizer", "stages.doctor"},
    "espeakng_loader": {"lang.phonemizer", "stages.doctor"},
    "sentencepiece": {"lang.subwords"},
    "soxr": {"audio", "stream"},
    "kaldialign": {"scorer.alignment"},
    "panphon": {"scorer.phones"},
    "matplotlib": {"analysis.curves", "analysis.heat_map"},
    "PIL": {"analysis.curves"},
    "optuna": {"search.trials"},
    "onnx": {"interop.onnx"},
    "onnxruntime": set(),
    "transformers": set(),
}


def files() -> dict[str, Path]:
    names = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[-1] != "__init__" or len(parts) == 1:
            names[".".join(parts)] = path
    return names


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own(name: str) -> str | None:
    """The file of ours that an imported name comes from."""
    if name.split(".")[0] != "unispeech_cli":
        return None
    parts = name.split(".")[1:]
    return next((".".join(parts[:n]) for n in (2, 1) if ".".join(parts[:n]) in ROOMS), "__init__")


def test_every_file_has_its_place_in_the_order() -> None:
    assert sorted(set(files()) - set(ROOMS)) == []


@pytest.mark.parametrize("room", sorted(files()))
def test_imports_point_up(room: str) -> None:
    below = {own(name) for name in imports(files()[room])} - {None}
    assert [name for name in sorted(below) if ROOMS.index(name) >= ROOMS.index(room)] == []


@pytest.mark.parametrize("library", sorted(DOORS))
def test_libraries_enter_by_their_door(library: str) -> None:
    users = {room for room, path in files().items() if any(n.split(".")[0] == library for n in imports(path))}
    assert users <= DOORS[library]


def test_stages_never_import_stages() -> None:
    stages = [room for room in files() if room.startswith("stages.")]
    guilty = [
        room for room in stages for name in imports(files()[room]) if (own(name) or "").startswith("stages.")
    ]
    assert guilty == []
