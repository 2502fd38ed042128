"""File names on disk, but for {shard,export,search}_paths.py; no other file has any."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class Named:
    """A file or folder of a fixed name in the directory `root` of whoever has it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, place: Any, owner: type) -> Path:
        return Path(place.root) / self._name


@dataclass(frozen=True)
class ManifestDir:
    """A directory of Lhotse cut manifests, in Lhotse's names: `cv-es_cuts_train.jsonl.gz`."""

    root: Path

    def cuts(self, corpus: str, split: str) -> Path:
        return self.root / f"{corpus}_cuts_{split}.jsonl.gz"

    def dropped(self, corpus: str, split: str) -> Path:
        """One line per cut that was left out: id, reason."""
        return self.root / f"{corpus}_dropped_{split}.tsv"

    def mark(self, stage: str, corpus: str) -> Path:
        """What made the manifests of a corpus; written last."""
        return self.root / f".{stage}-{corpus}.json"

    index = Named(".index")
    """Where training keeps its indexes of the manifests here."""

    def audio(self, corpus: str) -> "AudioDir":
        """Where transcoded audio goes."""
        return AudioDir(self.root / "audio" / corpus)


def corpus_of(manifest: Path) -> str:
    """The corpus that a manifest of cuts is named after: `cv-es` of `cv-es_cuts_train.jsonl.gz`."""
    return manifest.name.partition("_cuts_")[0]


@dataclass(frozen=True)
class AudioDir:
    """Transcoded audio of a corpus."""

    root: Path

    def file(self, clip_id: str) -> Path:
        """In one of 256 directories: a single one of a million files is slow on many file systems."""
        shelf = hashlib.md5(clip_id.encode()).hexdigest()[:2]
        return self.root / shelf / f"{clip_id.replace('/', '_')}.flac"


@dataclass(frozen=True)
class IndexDir:
    """A cut manifest made ready for training."""

    root: Path

    lines = Named("cuts.jsonl")
    offsets = Named("offsets.npy")
    seconds = Named("seconds.npy")
    codes = Named("languages.npy")
    """The language of each cut, as its number in `languages`."""
    languages = Named("languages.json")
    units = Named("units.json")


@dataclass(frozen=True)
class SharDir:
    """A directory in Lhotse's Shar format: shards of cuts and of their audio, `cuts.000000.jsonl.gz`."""

    root: Path

    @property
    def cuts(self) -> list[Path]:
        return sorted([*self.root.glob("cuts.*jsonl"), *self.root.glob("cuts.*jsonl.gz")])

    @property
    def recordings(self) -> list[Path]:
        return sorted(self.root.glob("recording.*"))


@dataclass(frozen=True)
class LangDir:
    """A Kaldi / icefall lang directory, `data/lang_phone`."""

    root: Path

    tokens = Named("tokens.txt")
    lexicon = Named("lexicon.txt")
    words = Named("words.txt")
    subwords = Named("bpe.model")
    provenance = Named("provenance.json")

    def graph(self, name: str) -> "GraphDir":
        """Graphs made of this directory, or of it and a language model."""
        return GraphDir(self.root / "graphs" / name)


@dataclass(frozen=True)
class GraphDir:
    """Decoding graphs, and the words and pronunciations that are in them."""

    root: Path

    words = Named("words.txt")
    lexicon = Named("lexicon.txt")
    lexicon_disambig = Named("lexicon_disambig.txt")
    added = Named("words_added.txt")
    """Words of the language model that the lang directory's lexicon lacks, with their pronunciations."""
    dropped = Named("words_dropped.tsv")
    """Words of the language model that are not searched for, and why."""

    def fst(self, name: str) -> Path:
        """A graph by its name: L, L_disambig, G, HL, HLG."""
        return self.root / f"{name}.safetensors"

    provenance = Named("provenance.json")


@dataclass(frozen=True)
class CheckpointDir:
    """One complete state of a training: weights, optimiser, position."""

    root: Path

    weights = Named("model.safetensors")
    trained = Named("trained.safetensors")
    """The weights that train, where model.safetensors holds their moving average."""
    optimizer = Named("optimizer.safetensors")
    state = Named("state.json")
    random = Named("random.safetensors")
    settings = Named("settings.yaml")
    tokens = Named("tokens.txt")
    checksums = Named("checksums.json")
    origin = Named("origin.json")
    """Whence an imported one comes: its own configuration, tokenizer, order of tokens."""


@dataclass(frozen=True)
class ExpDir:
    """An experiment directory."""

    root: Path

    settings = Named("settings.yaml")
    inputs = Named("inputs.json")
    """Which manifests and which initial weights this experiment is made from."""
    tokens = Named("tokens.txt")
    lock = Named("lock")
    """Held by the process that trains here; empty."""
    log = Named("log")

    def log_file(self, stage: str) -> Path:
        return self.log / f"log-{stage}"

    metrics = Named("metrics.jsonl")
    """One JSON line per logged update: functions of data and weights only."""
    timing = Named("timing.jsonl")
    """One JSON line per logged update: seconds, memory."""
    faults = Named("faults")
    """What updates could not use, by update and rank."""

    def fault(self, update: int, rank: int) -> Path:
        return self.faults / f"update-{update}-rank-{rank}.json"

    tensorboard = Named("tensorboard")
    curves = Named("curves.png")
    """Drawn by plot, here or in a directory of its own."""

    @property
    def best(self) -> CheckpointDir:
        return CheckpointDir(self.root / "best")

    def checkpoint(self, update: int) -> CheckpointDir:
        return CheckpointDir(self.root / f"checkpoint-{update}")

    def checkpoints(self) -> list[int]:
        """Updates of the checkpoints that exist, oldest first."""
        names = [path.name for path in self.root.glob("checkpoint-*") if path.is_dir()]
        return sorted(int(name.removeprefix("checkpoint-")) for name in names if name[11:].isdigit())


@dataclass(frozen=True)
class DecodeDir:
    """What decode writes and score reads, in icefall's file names; `setting` names one of its results."""

    root: Path

    def recogs(self, test_set: str, setting: str) -> Path:
        return self.root / f"recogs-{test_set}-{setting}.txt"

    def errs(self, test_set: str, setting: str) -> Path:
        return self.root / f"errs-{test_set}-{setting}.txt"

    def summary(self, test_set: str, setting: str) -> Path:
        return self.root / f"wer-summary-{test_set}-{setting}.txt"

    def hypotheses(self, test_set: str, setting: str) -> Path:
        """Lhotse supervisions of hypotheses with their scores."""
        return self.root / f"{test_set}_supervisions_{setting}.jsonl.gz"

    def ctm(self, test_set: str, setting: str) -> Path:
        """Words with their times, or phones where there are no words."""
        return self.root / f"{test_set}-{setting}.ctm"

    def units_ctm(self, test_set: str, setting: str, units: str) -> Path:
        """Phones, letters or pieces with their times, beside those of words."""
        return self.root / f"{test_set}-{setting}.{units}.ctm"

    decoded = Named("decode.json")
    """What was decoded: test sets, method, settings, units, provenance; written last by decode."""
    score = Named("score.json")


@dataclass(frozen=True)
class AnalysisDir:
    """What analyze writes."""

    root: Path

    analysis = Named("analysis.json")
    """What was found, and what it was made from."""
    heat_maps = Named("phone-given-code.png")


@dataclass(frozen=True)
class TranscriptDir:
    """What transcribe writes: a file a recording and format."""

    root: Path

    def file(self, name: str, suffix: str) -> Path:
        """`name` may have folders in it, as the recordings have."""
        return self.root / f"{name}.{suffix}"

    def mark(self, suffix: str) -> Path:
        """What the files of a format were made with; written before them."""
        return self.root / f".transcribe-{suffix}.json"
