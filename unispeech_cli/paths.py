"""Every file name on disk; no other file spells one."""

import hashlib
from dataclasses import dataclass
from pathlib import Path


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

    @property
    def index(self) -> Path:
        """Where training keeps its indexes of the manifests here."""
        return self.root / ".index"

    def audio(self, corpus: str) -> "AudioDir":
        """Where transcoded audio goes."""
        return AudioDir(self.root / "audio" / corpus)


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

    @property
    def lines(self) -> Path:
        return self.root / "cuts.jsonl"

    @property
    def offsets(self) -> Path:
        return self.root / "offsets.npy"

    @property
    def seconds(self) -> Path:
        return self.root / "seconds.npy"

    @property
    def units(self) -> Path:
        return self.root / "units.json"


@dataclass(frozen=True)
class LangDir:
    """A Kaldi / icefall lang directory, `data/lang_phone`."""

    root: Path

    @property
    def tokens(self) -> Path:
        return self.root / "tokens.txt"

    @property
    def lexicon(self) -> Path:
        return self.root / "lexicon.txt"

    @property
    def words(self) -> Path:
        return self.root / "words.txt"

    @property
    def subwords(self) -> Path:
        return self.root / "bpe.model"

    @property
    def provenance(self) -> Path:
        return self.root / "provenance.json"

    def graph(self, name: str) -> "GraphDir":
        """Graphs made of this directory, or of it and a language model."""
        return GraphDir(self.root / "graphs" / name)


@dataclass(frozen=True)
class GraphDir:
    """Decoding graphs, and the words and pronunciations that are in them."""

    root: Path

    @property
    def words(self) -> Path:
        return self.root / "words.txt"

    @property
    def lexicon(self) -> Path:
        return self.root / "lexicon.txt"

    @property
    def lexicon_disambig(self) -> Path:
        return self.root / "lexicon_disambig.txt"

    @property
    def added(self) -> Path:
        """Words of the language model that the lang directory's lexicon lacks, with their pronunciations."""
        return self.root / "words_added.txt"

    @property
    def dropped(self) -> Path:
        """Words of the language model that are not searched for, and why."""
        return self.root / "words_dropped.tsv"

    def fst(self, name: str) -> Path:
        """A graph by its name: L, L_disambig, G, HL, HLG."""
        return self.root / f"{name}.safetensors"

    @property
    def provenance(self) -> Path:
        return self.root / "provenance.json"


@dataclass(frozen=True)
class CheckpointDir:
    """One complete state of a training: weights, optimiser, position."""

    root: Path

    @property
    def weights(self) -> Path:
        return self.root / "model.safetensors"

    @property
    def optimizer(self) -> Path:
        return self.root / "optimizer.safetensors"

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def random(self) -> Path:
        return self.root / "random.safetensors"

    @property
    def settings(self) -> Path:
        return self.root / "settings.yaml"

    @property
    def tokens(self) -> Path:
        return self.root / "tokens.txt"

    @property
    def checksums(self) -> Path:
        return self.root / "checksums.json"


@dataclass(frozen=True)
class ExpDir:
    """An experiment directory."""

    root: Path

    @property
    def settings(self) -> Path:
        return self.root / "settings.yaml"

    @property
    def inputs(self) -> Path:
        """Which manifests and which initial weights this experiment is made from."""
        return self.root / "inputs.json"

    @property
    def tokens(self) -> Path:
        return self.root / "tokens.txt"

    @property
    def log(self) -> Path:
        return self.root / "log"

    def log_file(self, stage: str) -> Path:
        return self.log / f"log-{stage}"

    @property
    def metrics(self) -> Path:
        """One JSON line per logged update: functions of data and weights only."""
        return self.root / "metrics.jsonl"

    @property
    def timing(self) -> Path:
        """One JSON line per logged update: seconds, memory."""
        return self.root / "timing.jsonl"

    @property
    def tensorboard(self) -> Path:
        return self.root / "tensorboard"

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

    @property
    def decoded(self) -> Path:
        """What was decoded: test sets, method, settings, units, provenance; written last by decode."""
        return self.root / "decode.json"

    @property
    def score(self) -> Path:
        return self.root / "score.json"


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
