"""What bench/faults.py needs: a training of a minute, begun as a process again and again, killed and looked at."""

import hashlib
import itertools
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from lhotse import MonoCut, Recording, SupervisionSegment

import unispeech_cli.cli
import unispeech_cli.stages.finetune
import unispeech_cli.stages.pretrain
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.manifests import write_cuts
from unispeech_cli.paths import CheckpointDir, ExpDir, LangDir
from unispeech_cli.trainer.checkpoint import verify

ENCODER = {"layers": 1, "dim": 16, "heads": 2, "ffn_dim": 32, "position_kernel": 8, "position_groups": 2}
_NUMBERS = itertools.count(1)
PHONES = ("<blk>", "a", "e", "i", "o")


@dataclass(frozen=True)
class Corpus:
    """Noise with labels: labelled, unlabelled and development cuts, and their tokens."""

    root: Path
    kinds: tuple[str, ...] = ("labeled", "unlabeled", "dev")

    def cuts(self, kind: str) -> Path:
        return self.root / f"noise_cuts_{kind}.jsonl.gz"

    def audio(self, kind: str) -> list[Path]:
        return sorted(self.root.glob(f"{kind}-*.wav"))

    def make(self) -> "Corpus":
        self.root.mkdir(parents=True)
        random = np.random.default_rng(0)
        for kind, count in zip(self.kinds, (24, 16, 4), strict=True):
            write_cuts(
                self.cuts(kind), [self._cut(f"{kind}-{number:02d}", random) for number in range(count)]
            )
        TokenTable(PHONES).write(LangDir(self.root / "lang").tokens)
        return self

    def _cut(self, name: str, random: np.random.Generator) -> MonoCut:
        samples = int(random.integers(5_000, 12_000))
        path = self.root / f"{name}.wav"
        soundfile.write(
            path, random.normal(scale=0.1, size=samples).astype(np.float32), 16_000, subtype="FLOAT"
        )
        recording = Recording.from_file(path, recording_id=name)
        spoken = " ".join(random.choice(PHONES[1:], size=3))
        custom = {"tokens_type": "phones", "phones": spoken}
        said = SupervisionSegment(name, name, 0.0, recording.duration, language="es", custom=custom)
        return MonoCut(name, 0.0, recording.duration, 0, [said], recording=recording)


@dataclass(frozen=True)
class Plan:
    """One pre-training with everything random on, and in how many processes it runs."""

    corpus: Corpus
    updates: int
    processes: int = 1
    more: tuple[str, ...] = ()

    @property
    def validations(self) -> int:
        return max(2, self.updates // 10)

    def settings(self) -> list[str]:
        encoder = [f"model.encoder.{name}={value}" for name, value in ENCODER.items()]
        data = ["seconds_per_batch=4", "seconds_per_update=8", "min_seconds=0.1", "workers=2"]
        run = [f"updates={self.updates}", "log_every=1", "save_every=5", f"validations={self.validations}"]
        return [
            "model.frontend.channels=8",
            *encoder,
            "model.encoder.layerdrop=0.2",
            "model.quantizer.entries=8",
            "model.quantizer.dim=16",
            "objective.contrastive.distractors=10",
            "optim.lr=1e-3",
            *(f"data.{setting}" for setting in data),
            *(f"run.{setting}" for setting in run),
            *self.more,
        ]

    def arguments(self, exp: Path) -> list[str]:
        inputs = [part for kind in self.corpus.kinds for part in (f"--{kind}", str(self.corpus.cuts(kind)))]
        settings = [f"--set={setting}" for setting in self.settings()]
        return ["pretrain", str(exp), "--lang-dir", str(self.corpus.root / "lang"), *inputs, *settings]

    def begin(self, exp: Path, limit: int | None = None) -> "Run":
        """The command in a process of its own, or in several under torchrun; `limit` bounds the size of files."""
        exp.parent.mkdir(parents=True, exist_ok=True)
        said = exp.parent / f"{exp.name}.said-{next(_NUMBERS)}"
        said.touch()
        if self.processes == 1:
            return Run(_forked(self.arguments(exp), said, limit), said, ExpDir(exp))
        return Run(_launched(self.arguments(exp), said, self.processes), said, ExpDir(exp))

    def whole(self, exp: Path) -> "Run":
        """The command from where it stands to its end."""
        run = self.begin(exp)
        run.wait()
        return run


@dataclass
class Run:
    """A process in a group of its own, which writes what it says to a file."""

    pid: int
    said: Path
    exp: ExpDir
    code: int | None = None
    began: float = field(default_factory=time.monotonic)

    def poll(self) -> int | None:
        """The exit code (minus the signal that killed it), None while it runs."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def wait(self, seconds: float = 600.0) -> int:
        """Until it ends, and its group with it; killed where it does not."""
        self.until(lambda: False, seconds)
        self.kill(group=True)
        assert self.code is not None
        return self.code

    def until(self, seen: Callable[[], bool], seconds: float = 600.0) -> bool:
        """Whether something came to be seen before the process ended."""
        deadline = time.monotonic() + seconds
        while not seen():
            if self.poll() is not None or time.monotonic() > deadline:
                return False
            time.sleep(0.001)
        return True

    def trains(self) -> bool:
        """Whether it has begun, or gone on, with its updates."""
        return "continuing " in self.text() or self.exp.metrics.is_file()

    def text(self) -> str:
        return self.said.read_text(errors="replace")

    def last_line(self) -> str:
        lines = [line for line in self.text().splitlines() if line.startswith("unispeech: ")]
        return lines[-1] if lines else (self.text().strip().splitlines() or [""])[-1]

    def kill(self, group: bool, number: int = signal.SIGKILL) -> None:
        """A signal to the process, or to it and all that it has started."""
        try:
            os.killpg(self.pid, number) if group else os.kill(self.pid, number)
        except ProcessLookupError:
            return
        if number == signal.SIGKILL:
            self.until(lambda: False, 60.0)

    def children(self) -> list[int]:
        """Processes that it has started: data workers, or the ranks under torchrun."""
        return children(self.pid)


def children(pid: int) -> list[int]:
    """Processes that a process, any thread of it, has started."""
    try:
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return sorted(int(child) for text in lists for child in text.split())


def _forked(arguments: Sequence[str], said: Path, limit: int | None) -> int:
    """Run the command in a fork of this process, in which everything is imported already."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.setsid()
        descriptor = os.open(said, os.O_WRONLY | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        sys.argv = ["unispeech", *arguments]
        unispeech_cli.cli.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _launched(arguments: Sequence[str], said: Path, processes: int) -> int:
    # without the last two options torchrun of torch 1.13 does not start on Python 3.11
    options = f"--standalone --nproc_per_node {processes} --monitor_interval 1 --redirects 9:1 --tee 9:1"
    launcher = ["-m", "torch.distributed.run", *options.split()]
    with said.open("ab") as stream:
        process = subprocess.Popen(
            [sys.executable, *launcher, "-m", "unispeech_cli", *arguments],
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    # it is waited for by its pid
    process.returncode = 0
    return process.pid


def writes(exp: ExpDir) -> bool:
    """Whether a checkpoint was begun and is not in its place."""
    return any(any(exp.root.glob(f".{kind}-*")) for kind in ("fresh", "former"))


def unreadable(exp: ExpDir) -> list[str]:
    """What is wrong with the checkpoints that are there."""
    complaints = []
    for place in [*map(exp.checkpoint, exp.checkpoints()), exp.best]:
        try:
            if place.root.exists():
                verify(place)
        except ValueError as error:
            complaints.append(str(error))
    return complaints


def ends(exp: ExpDir) -> dict[str, str]:
    """SHA-256 of all that a training leaves and that another like it leaves bit for bit the same."""
    places = [exp.checkpoint(update) for update in exp.checkpoints()] + [exp.best]
    files = [path for place in places for path in sorted(_files(place))] + [exp.metrics]
    return {str(path.relative_to(exp.root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _files(place: CheckpointDir) -> list[Path]:
    return list(place.root.iterdir()) if place.root.is_dir() else []
