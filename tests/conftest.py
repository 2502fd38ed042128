"""Tests that need k2, panphon, a browser or a compiling torch are deselected and counted; audio that can be learnt."""

import os
import shutil
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

# by marker: how many tests were left out
DESELECTED = pytest.StashKey[dict[str, int]]()


def k2_works() -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import k2
        except Exception:  # a k2 built for another torch raises what it likes
            return False
    return hasattr(k2, "ctc_loss")


def find_chromium() -> str | None:
    """$CHROMIUM, or a Chromium on the path."""
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


def compile_works() -> bool:
    """Whether this torch compiles layers."""
    import torch

    return hasattr(torch.nn.Module, "compile")


# what a marked test needs, and whether it is here
NEEDS: dict[str, Callable[[], bool]] = {
    "k2": k2_works,
    "panphon": lambda: find_spec("panphon") is not None,
    "chromium": lambda: find_chromium() is not None,
    "compile": compile_works,
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # the longest file first: the other processes work through the rest meanwhile
    items.sort(key=lambda item: "test_recipes.py" not in item.nodeid)
    lacking = [marker for marker, works in NEEDS.items() if not works()]
    left_out = {marker: [item for item in items if item.get_closest_marker(marker)] for marker in lacking}
    config.stash[DESELECTED] = {marker: len(some) for marker, some in left_out.items()}
    gone = {item for some in left_out.values() for item in some}
    config.hook.pytest_deselected(items=list(gone))
    items[:] = [item for item in items if item not in gone]


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["deselected"] = session.config.stash.get(DESELECTED, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """What a process of several says when it ends; each of them has collected every test."""
    node.config.stash[DESELECTED] = getattr(node, "workeroutput", {}).get("deselected", {})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for marker, count in config.stash.get(DESELECTED, {}).items():
        terminalreporter.write_line(
            f"{marker} does not work here: {count} tests that need it were deselected"
        )


# what a tone "phone" sounds like, in Hz
PITCHES = {"a": 300.0, "e": 600.0, "i": 1200.0, "o": 2400.0}
PHONE_SECONDS = 0.12


@pytest.fixture(scope="session")
def tones() -> Callable[..., Path]:
    return write_tones


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser of tests marked chromium."""
    found = find_chromium()
    assert found is not None
    return found


@dataclass(frozen=True)
class Corpus:
    """Tone manifests, and the lang directory of their phones."""

    train: Path
    dev: Path
    unlabelled: Path
    lang_dir: Path


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Six utterances to train on, four others to validate on, six without labels; not to be written to."""
    from unispeech_cli.lang.tokens import TokenTable
    from unispeech_cli.paths import LangDir

    root = tmp_path_factory.mktemp("tones")
    TokenTable(("<blk>", *PITCHES)).write(LangDir(root / "lang").tokens)
    train = ["a e i", "o a e i", "i o o a e", "e a", "o i a e", "a o e i o"]
    return Corpus(
        write_tones(root / "cv-es_cuts_train.jsonl.gz", train),
        write_tones(root / "cv-es_cuts_dev.jsonl.gz", ["e i a", "o e a i", "a i", "i e o"]),
        write_tones(root / "cv-ky_cuts_train.jsonl.gz", train[::-1], labelled=False, language="ky"),
        root / "lang",
    )


@pytest.fixture(scope="session")
def minute() -> list[str]:
    """Settings of a model that trains in seconds, one batch an update."""
    encoder = {"layers": 1, "dim": 32, "heads": 2, "ffn_dim": 64, "position_kernel": 8, "position_groups": 2}
    data = {"seconds_per_batch": 20, "seconds_per_update": 20, "min_seconds": 0.1, "workers": 0}
    run = {"updates": 6, "log_every": 1, "validations": 2, "save_every": 2}
    return [
        "model.frontend.channels=16",
        *(f"model.encoder.{name}={value}" for name, value in encoder.items()),
        *(f"data.{name}={value}" for name, value in data.items()),
        *(f"run.{name}={value}" for name, value in run.items()),
        "optim.lr=3e-3",
    ]


def write_tones(
    path: Path, spoken: Sequence[str], *, labelled: bool = True, language: str = "es", seconds: float = 0.0
) -> Path:
    """A manifest of wavs beside it: `spoken` are phones with spaces between, each a pitch of its own.

    Silence is added up to `seconds`. Ids are the manifest's name and a number.
    """
    from lhotse import MonoCut, Recording, SupervisionSegment

    from unispeech_cli.manifests import write_cuts

    path.parent.mkdir(parents=True, exist_ok=True)
    cuts = []
    for number, phones in enumerate(spoken):
        name = f"{path.name.split('.')[0]}-{number}"
        wave = _sung(phones.split(), seconds, number)
        soundfile.write(path.parent / f"{name}.wav", wave, 16_000)
        recording = Recording.from_file(path.parent / f"{name}.wav", recording_id=name)
        custom = {"tokens_type": "phones", "phones": phones} if labelled else {}
        said = SupervisionSegment(name, name, 0.0, recording.duration, language=language, custom=custom)
        cuts.append(MonoCut(name, 0.0, recording.duration, 0, [said], recording=recording))
    write_cuts(path, cuts)
    return path


def _sung(phones: Sequence[str], seconds: float, seed: int) -> np.ndarray:
    samples = int(PHONE_SECONDS * 16_000)
    time = np.arange(samples) / 16_000
    sung = [0.3 * np.hanning(samples) * np.sin(2 * np.pi * PITCHES[phone] * time) for phone in phones]
    wave = np.concatenate([np.zeros(800), *sung, np.zeros(800)])
    wave = np.pad(wave, (0, max(0, round(seconds * 16_000) - len(wave))))
    return wave + np.random.default_rng(seed).normal(scale=0.003, size=len(wave))
