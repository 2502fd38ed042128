"""Tests that need k2 are deselected and counted where it cannot be imported; audio that can be learnt."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

DESELECTED = pytest.StashKey[int]()


def k2_works() -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import k2
        except Exception:  # a k2 built for another torch raises what it likes
            return False
    return hasattr(k2, "ctc_loss")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if k2_works():
        return
    need_k2 = [item for item in items if item.get_closest_marker("k2")]
    config.stash[DESELECTED] = len(need_k2)
    config.hook.pytest_deselected(items=need_k2)
    items[:] = [item for item in items if not item.get_closest_marker("k2")]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    deselected = config.stash.get(DESELECTED, None)
    if deselected is not None:
        terminalreporter.write_line(
            f"k2 cannot be imported here: {deselected} tests that need it were deselected"
        )


# what a tone "phone" sounds like, in Hz
PITCHES = {"a": 300.0, "e": 600.0, "i": 1200.0, "o": 2400.0}
PHONE_SECONDS = 0.12


@pytest.fixture
def tones() -> Callable[..., Path]:
    return write_tones


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
