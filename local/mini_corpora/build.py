"""Make a corpus: plan it, let processes speak it, write it beside its place, and rename it."""

import hashlib
import json
import multiprocessing
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path

import soundfile

from mini_corpora.counts import Row, count
from mini_corpora.plan import Size, Style, Task, plan
from mini_corpora.selection import SentenceSource
from mini_corpora.speaking import Spoken
from mini_corpora.text import TextFile, utterances, write_text

STAMP = ".mini_corpora.json"
Render = Callable[[Task, Path], list[Spoken]]
LIBRARIES = ("espeakng-loader", "numpy", "soundfile", "soxr")


@dataclass(frozen=True)
class Layout:
    """How a corpus is spoken and written; `text` is what its release has for language models."""

    style: Style
    render: Render
    finish: Callable[[Path, str, list[Spoken]], None]
    text: TextFile | None = None


@dataclass(frozen=True)
class Order:
    """One corpus in one language, wanted in one directory."""

    corpus: str
    layout: Layout
    source: SentenceSource
    directory: Path
    size: Size
    seed: int
    text_utterances: int = 0

    @property
    def options(self) -> dict[str, object]:
        """Everything that the bytes depend on."""
        return {
            "corpus": self.corpus,
            "language": self.source.grammar.language,
            "train_seconds": self.size.train,
            "dev_seconds": self.size.dev,
            "test_seconds": self.size.test,
            "seed": self.seed,
            "text_utterances": self.text_utterances,
            "voices": [self.layout.style.train_seconds, *self.layout.style.tracts],
            "surroundings": [*self.layout.style.surroundings.snr_db, self.layout.style.surroundings.rooms],
            "sentences": _digest(repr(self.source)),
            "code": _code_digest(),
            "libraries": {name: version(name) for name in LIBRARIES},
        }


def differences(order: Order) -> list[str] | None:
    """Return the names of options that the corpus on disk was made with otherwise; None if there is none."""
    if not order.directory.exists():
        return None
    stamp = order.directory / STAMP
    if not stamp.is_file():
        raise ValueError(
            f"{order.directory}: exists and is no mini corpus; it is left alone: give another --out"
        )
    made = json.loads(stamp.read_text())["options"]
    return [name for name, value in order.options.items() if made.get(name) != value]


def read_rows(order: Order) -> list[Row]:
    """Return the counts kept with a finished corpus."""
    return [Row(**row) for row in json.loads((order.directory / STAMP).read_text())["rows"]]


def build(order: Order, jobs: int) -> list[Row]:
    """Make the corpus, whole or not at all, and return its counts a split."""
    language = order.source.grammar.language
    name = f"{order.corpus}/{language}/{order.seed}"
    tasks = plan(name, order.source, order.layout.style, order.size, order.seed)
    partial = order.directory.with_name(f".{order.directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        spoken = _speak(order.layout, tasks, partial, jobs)
        order.layout.finish(partial, language, spoken)
        _write_text(order, name, partial)
        rows = count(order.corpus, language, spoken)
        stamp = {"options": order.options, "rows": [row.as_dict() for row in rows]}
        (partial / STAMP).write_text(json.dumps(stamp, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        _put_in_place(partial, order.directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return rows


def _write_text(order: Order, name: str, directory: Path) -> None:
    text, style = order.layout.text, order.layout.style
    if text and order.text_utterances:
        found = utterances(name, order.source, style, order.text_utterances)
        write_text(directory / text.path, map(text.line, found))


def _speak(layout: Layout, tasks: list[Task], directory: Path, jobs: int) -> list[Spoken]:
    # espeak's sound depends on all its calls before, so every speaker gets a fresh process; no pool's: a pool that is
    # left by an error kills its workers, and waits forever for one killed while it sent what it had done
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["numpy", "soundfile", "soxr", "yaml"])
    with ThreadPoolExecutor(jobs) as threads:
        try:
            done = threads.map(lambda task: _in_a_process(context, layout.render, task, directory), tasks)
            return [one for spoken in done for one in spoken]
        finally:
            threads.shutdown(cancel_futures=True)


def _in_a_process(context: ForkServerContext, render: Render, task: Task, directory: Path) -> list[Spoken]:
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_render, args=(render, task, directory, sender))
    process.start()
    sender.close()
    try:
        outcome = receiver.recv()
    except EOFError:
        outcome = OSError(f"a process that wrote into {directory} was killed, is there memory? Run it again")
    process.join()
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _render(render: Render, task: Task, directory: Path, sender: Connection) -> None:
    try:
        sender.send(render(task, directory))
    except soundfile.LibsndfileError as error:
        sender.send(OSError(f"cannot write into {directory}, is there room? {error}"))
    except (OSError, ValueError) as error:
        sender.send(error)


def _put_in_place(partial: Path, directory: Path) -> None:
    old = directory.with_name(f".{directory.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if directory.exists():
        directory.rename(old)
    partial.rename(directory)
    shutil.rmtree(old, ignore_errors=True)


def _code_digest() -> str:
    files = sorted(Path(__file__).parent.glob("*.py"))
    return _digest("".join(file.read_text(encoding="utf-8") for file in files))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
