"""Speech made to sound otherwise: in a room, in noise. How fast it is played comes with the plan.

What is drawn for an utterance is a function of (seed, number of the batch, cut id), so that a resumed run, with
any number of processes that read, hears the same.

Legend: S samples of speech, R samples of an impulse response.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from unispeech_cli.audio import Wave, read_cut
from unispeech_cli.batches.index import CutIndex, index_cuts
from unispeech_cli.chance import mixed
from unispeech_cli.frames import SAMPLE_RATE

# ln(1000): sound has died away when its amplitude fell by 60 dB
_DIED_AWAY = 6.908


@dataclass(frozen=True)
class NoiseSettings:
    """Noise added to a share of the utterances, so much below them."""

    share: float = 0.0
    # dB between the power of the whole utterance and that of the noise, drawn evenly
    snr: tuple[float, float] = (5.0, 20.0)
    # what is made where no cuts are given; pink has the same power in every octave
    colour: Literal["white", "pink"] = "pink"
    # a manifest of noise, or a Shar directory; stretches are drawn from its cuts
    cuts: str | None = None

    def __post_init__(self) -> None:
        _check_share("noise", self.share)
        _check_range("noise snr", self.snr, -100.0)


@dataclass(frozen=True)
class ReverbSettings:
    """A room put around a share of the utterances."""

    share: float = 0.0
    # seconds in which the sound of a made-up room falls by 60 dB, drawn evenly
    t60: tuple[float, float] = (0.1, 0.6)
    # dB between direct sound and all that a made-up room adds to it, drawn evenly
    direct: tuple[float, float] = (0.0, 10.0)
    # a manifest of impulse responses in place of made-up rooms
    cuts: str | None = None

    def __post_init__(self) -> None:
        _check_share("reverb", self.share)
        _check_range("reverb t60", self.t60, 0.0)
        _check_range("reverb direct", self.direct, -100.0)


@dataclass(frozen=True)
class AugmentSettings:
    """How training speech is varied; by default not at all. First speed, then room, then noise."""

    # one of these for each cut in each epoch, 1.1 is faster and higher; `phonemize` needs the largest as max_speed
    speeds: tuple[float, ...] = (1.0,)
    noise: NoiseSettings = field(default_factory=NoiseSettings)
    reverb: ReverbSettings = field(default_factory=ReverbSettings)

    def __post_init__(self) -> None:
        if not self.speeds or not all(0.5 <= speed <= 2 for speed in self.speeds):
            raise ValueError(f"speeds are one or more from 0.5 to 2, not {list(self.speeds)}")

    @property
    def manifests(self) -> tuple[Path, ...]:
        """What is read besides speech."""
        named = (part.cuts for part in (self.noise, self.reverb) if part.share > 0)
        return tuple(Path(cuts) for cuts in named if cuts is not None)


def _check_share(name: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise ValueError(f"{name} share is a share of utterances from 0 to 1, not {share:g}")


def _check_range(name: str, bounds: tuple[float, float], least: float) -> None:
    if not least < bounds[0] <= bounds[1]:
        raise ValueError(f"{name} is a range from low to high above {least:g}, not {list(bounds)}")


@dataclass(frozen=True)
class Augmenter:
    """Rooms and noise, with the manifests that they are read from."""

    settings: AugmentSettings
    seed: int
    noise: CutIndex | None
    responses: CutIndex | None

    def heard(self, wave_S: Wave, cut_id: str, batch: int) -> Wave:
        """An utterance as it is heard in a batch: as many samples as it has.

        Raises ValueError naming the noise or the impulse response that cannot be read.
        """
        random = np.random.default_rng(mixed(self.seed, batch, cut_id))
        # drawn always: whether one happens does not change what the other is
        in_room, in_noise = random.random(2) < (self.settings.reverb.share, self.settings.noise.share)
        if in_room:
            wave_S = reverberated(wave_S, self._response(random))
        if in_noise:
            snr = random.uniform(*self.settings.noise.snr)
            wave_S = noisy(wave_S, self._noise(len(wave_S), random), snr)
        return wave_S

    def _response(self, random: np.random.Generator) -> Wave:
        if self.responses is not None:
            return read_cut(self.responses.cut(int(random.integers(len(self.responses)))))
        settings = self.settings.reverb
        return room(random.uniform(*settings.t60), random.uniform(*settings.direct), random)

    def _noise(self, samples: int, random: np.random.Generator) -> Wave:
        if self.noise is not None:
            return _stretch(self.noise, samples, random)
        return made_noise(self.settings.noise.colour, samples, random)


def open_augmenter(settings: AugmentSettings, seed: int) -> Augmenter | None:
    """Index what noise and rooms are read from; None where neither is asked for.

    Raises FileNotFoundError for a missing manifest, ValueError for one that is none or is empty.
    """
    if not settings.noise.share and not settings.reverb.share:
        return None
    return Augmenter(settings, seed, _opened(settings.noise), _opened(settings.reverb))


def _opened(part: NoiseSettings | ReverbSettings) -> CutIndex | None:
    if part.cuts is None or not part.share:
        return None
    index = index_cuts(Path(part.cuts))
    if not len(index):
        raise ValueError(f"{part.cuts}: no cuts in it")
    return index


def noisy(wave_S: Wave, noise_S: Wave, snr: float) -> Wave:
    """Speech and noise at 10 log10(P_speech / P_noise) = `snr` dB, P the mean square; silence stays as it is."""
    power, of_noise = _power(wave_S), _power(noise_S)
    if not power or not of_noise:
        return wave_S
    return (wave_S + np.sqrt(power / of_noise) * 10 ** (-snr / 20) * noise_S).astype(np.float32)


def reverberated(wave_S: Wave, response_R: Wave) -> Wave:
    """Speech convolved with an impulse response, as loud as before and not later: its peak is at sample 0."""
    size = 1 << (len(wave_S) + len(response_R) - 2).bit_length()
    spectrum = np.fft.rfft(wave_S, size) * np.fft.rfft(response_R, size)
    direct = int(np.abs(response_R).argmax())
    heard_S = np.fft.irfft(spectrum, size)[direct : direct + len(wave_S)]
    power = _power(heard_S)
    return (heard_S * np.sqrt(_power(wave_S) / power) if power else wave_S).astype(np.float32)


def room(t60: float, direct: float, random: np.random.Generator) -> Wave:
    """A made-up impulse response (R,): 1, and white noise that dies away exponentially, `direct` dB below it.

    After Polack's model: h(t) = n(t) exp(-6.908 t / T60).
    """
    samples = max(2, round(t60 * SAMPLE_RATE))
    tail_R = random.normal(size=samples) * np.exp(-_DIED_AWAY * np.arange(samples) / samples)
    tail_R[0] = 0.0
    response_R = tail_R * 10 ** (-direct / 20) / np.sqrt(np.square(tail_R).sum())
    response_R[0] = 1.0
    return response_R.astype(np.float32)


def made_noise(colour: str, samples: int, random: np.random.Generator) -> Wave:
    """Gaussian noise (samples,): white, or pink with power falling as 1 / frequency."""
    if colour == "white":
        return random.normal(size=samples).astype(np.float32)
    size = 1 << max(samples - 1, 1).bit_length()
    amplitude = 1 / np.sqrt(np.maximum(np.arange(size // 2 + 1), 1))
    amplitude[0] = 0.0
    phases = random.normal(size=size // 2 + 1) + 1j * random.normal(size=size // 2 + 1)
    return np.fft.irfft(amplitude * phases, size)[:samples].astype(np.float32)


def _stretch(index: CutIndex, samples: int, random: np.random.Generator) -> Wave:
    """So many samples out of a drawn cut, from a drawn place on; a short cut is played again and again."""
    cut: Any = index.cut(int(random.integers(len(index))))
    spare = cut.duration - samples / SAMPLE_RATE
    start = random.uniform(0, max(spare, 0.0))
    if spare > 0:
        cut = replace(cut, start=cut.start + start, duration=samples / SAMPLE_RATE, supervisions=[])
    return np.resize(read_cut(cut), samples)


def _power(wave_S: Any) -> float:
    return float(np.square(wave_S, dtype=np.float64).mean())
