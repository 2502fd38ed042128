"""What lies between a mouth and a file: microphone, noise, room, level. Waves are float32, mono."""

import numpy as np

SILENCE = 1e-4
CLIPPING = 0.97
REVERB_DELAY = 0.002


def coloured_noise(rng: np.random.Generator, size: int, slope: float) -> np.ndarray:
    """Return noise of unit power whose spectrum falls as 1 / f**slope: 0 is white, 1 pink, 2 brown."""
    spectrum = np.fft.rfft(rng.standard_normal(size, dtype=np.float32))
    falling = np.arange(1, len(spectrum) + 1, dtype=np.float32) ** (-slope / 2)
    return unit_power(np.fft.irfft(spectrum * falling, size))


def hum(rng: np.random.Generator, size: int, rate: int) -> np.ndarray:
    """Return mains hum of 50 Hz with overtones, of unit power."""
    time = np.arange(size, dtype=np.float32) / rate
    tones = [np.sin(2 * np.pi * (50 * k * time + rng.random())) / k for k in (1, 2, 3, 5)]
    return unit_power(np.sum(tones, axis=0))


def unit_power(wave: np.ndarray) -> np.ndarray:
    """Scale a wave to a mean square of 1."""
    return (wave / max(float(np.sqrt(np.mean(np.square(wave)))), SILENCE)).astype(np.float32)


def filtered(wave: np.ndarray, band: tuple[float, float], rate: int) -> np.ndarray:
    """Pass a band of (low, high) Hz, falling by 12 dB an octave outside it."""
    size = _fast_length(len(wave))
    hertz = np.fft.rfftfreq(size, 1 / rate)[1:]
    gain = 1 / np.sqrt((1 + (band[0] / hertz) ** 4) * (1 + (hertz / band[1]) ** 4))
    spectrum = np.fft.rfft(wave, size) * np.concatenate([[0], gain])
    return np.fft.irfft(spectrum, size)[: len(wave)].astype(np.float32)


def _fast_length(size: int) -> int:
    """Return the next 2**n or 3 * 2**n, lengths of quick Fourier transforms."""
    power = 1 << (size - 1).bit_length()
    return power * 3 // 4 if power * 3 // 4 >= size else power


def room(rng: np.random.Generator, rate: int, decay: float, reverb_db: float) -> np.ndarray:
    """Return a room's impulse response: direct sound, then a tail of `reverb_db` and RT60 `decay` seconds."""
    size = int(rate * decay)
    time = np.arange(size) / rate
    tail = rng.standard_normal(size) * 10 ** (-3 * time / decay)
    tail[: int(rate * REVERB_DELAY)] = 0
    tail *= 10 ** (reverb_db / 20) / np.sqrt(np.sum(np.square(tail)))
    tail[0] = 1
    return tail.astype(np.float32)


def in_room(wave: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Return the wave as heard in a room, of the same length."""
    size = _fast_length(len(wave) + len(response))
    spectrum = np.fft.rfft(wave, size) * np.fft.rfft(response, size)
    return np.fft.irfft(spectrum, size)[: len(wave)].astype(np.float32)


def excerpt(rng: np.random.Generator, noise: np.ndarray, size: int) -> np.ndarray:
    """Cut `size` samples out of a long noise at random, going round at its end."""
    start = int(rng.integers(len(noise)))
    return np.take(noise, np.arange(start, start + size), mode="wrap")


def with_noise(speech: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Add noise of unit power to speech of unit power."""
    return speech + noise * 10 ** (-snr_db / 20)


def padded(speech: np.ndarray, before: float, after: float, rate: int) -> np.ndarray:
    """Put silence of so many seconds before and after the speech."""
    return np.pad(speech, (int(before * rate), int(after * rate)))


def at_level(wave: np.ndarray, dbfs: float) -> np.ndarray:
    """Scale a wave of about unit power to a level in dB below full scale, clipping the rare peaks."""
    return np.clip(wave * 10 ** (dbfs / 20), -CLIPPING, CLIPPING).astype(np.float32)
