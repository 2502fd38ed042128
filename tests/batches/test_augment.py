"""Noise and rooms: measured ratios, spectra, direct convolution and decay are the oracles."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from lhotse import CutSet, Recording

from unispeech_cli.batches.augment import (
    Augmenter,
    AugmentSettings,
    NoiseSettings,
    ReverbSettings,
    made_noise,
    noisy,
    open_augmenter,
    reverberated,
    room,
)

Tones = Callable[..., Path]


def speech(seconds: float = 1.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=0.1, size=round(16_000 * seconds)).astype(np.float32)


def decibels(wave: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(wave, dtype=np.float64))))


@pytest.mark.parametrize("snr", [-3.0, 0.0, 17.5])
def test_noise_is_as_far_below_as_asked_for(snr: float) -> None:
    wave, noise = speech(), 7 * speech(seed=1)
    added = noisy(wave, noise, snr) - wave
    assert decibels(wave) - decibels(added) == pytest.approx(snr, abs=1e-3)
    assert abs(np.corrcoef(added, noise)[0, 1]) > 0.9999
    silence = np.zeros(100, dtype=np.float32)
    assert noisy(silence, noise[:100], snr) is silence
    assert noisy(wave, np.zeros_like(wave), snr) is wave


def octave(wave: np.ndarray, low: float) -> float:
    """The power from `low` to twice as many Hz, of a wave at 16 kHz."""
    power, hertz = np.abs(np.fft.rfft(wave)) ** 2, np.fft.rfftfreq(len(wave), 1 / 16_000)
    return float(power[(hertz >= low) & (hertz < 2 * low)].sum())


@pytest.mark.parametrize(("colour", "ratio"), [("white", 2.0), ("pink", 1.0)])
def test_white_doubles_by_the_octave_and_pink_does_not(colour: str, ratio: float) -> None:
    wave = made_noise(colour, 100_000, np.random.default_rng(0))
    assert wave.shape == (100_000,) and wave.dtype == np.float32
    steps = [octave(wave, 2 * low) / octave(wave, low) for low in (250.0, 500.0, 1000.0, 2000.0)]
    assert steps == pytest.approx([ratio] * 4, rel=0.15)


@pytest.mark.parametrize("samples", [1, 37, 1000])
def test_a_room_is_a_convolution_as_loud_and_as_late_as_the_speech(samples: int) -> None:
    wave = speech(0.05)
    response = np.zeros(300, dtype=np.float32)
    response[40:] = np.random.default_rng(1).normal(size=260) * 0.1
    response[43] = -2.0
    for reply in (response, response[:samples]):
        peak = int(np.abs(reply).argmax())
        direct = np.convolve(wave.astype(np.float64), reply)[peak : peak + len(wave)]
        found = reverberated(wave, reply)
        assert found.shape == wave.shape and found.dtype == np.float32
        assert decibels(found) == pytest.approx(decibels(wave), abs=1e-4) or not reply.any()
        if reply.any():
            np.testing.assert_allclose(
                found, direct * np.sqrt(np.mean(wave**2) / np.mean(direct**2)), atol=1e-5
            )


@pytest.mark.parametrize(("t60", "direct"), [(0.3, 0.0), (0.6, 10.0)])
def test_a_made_up_room_dies_away_in_its_time(t60: float, direct: float) -> None:
    response = room(t60, direct, np.random.default_rng(0))
    assert (response[0], np.abs(response).argmax()) == (1.0, 0)
    assert 10 * np.log10(np.square(response[1:], dtype=np.float64).sum()) == pytest.approx(-direct, abs=1e-3)
    # Schroeder's backward integral falls by 60 dB in t60: fitted between -5 and -25 dB, as rooms are measured
    decay = 10 * np.log10(np.cumsum(np.square(response[:0:-1], dtype=np.float64))[::-1])
    decay -= decay[0]
    fitted = (decay < -5) & (decay > -25)
    slope = np.polyfit(np.arange(len(decay))[fitted] / 16_000, decay[fitted], 1)[0]
    assert -60 / slope == pytest.approx(t60, rel=0.1)


BOTH = AugmentSettings(noise=NoiseSettings(share=0.5), reverb=ReverbSettings(share=0.5))


def test_what_is_heard_is_a_function_of_seed_batch_and_cut() -> None:
    augmenter, wave = Augmenter(BOTH, 1, None, None), speech(0.2)
    heard = [augmenter.heard(wave, "x", batch) for batch in range(40)]
    for batch in (39, 3, 17):
        np.testing.assert_array_equal(augmenter.heard(wave, "x", batch), heard[batch])
    others = [Augmenter(BOTH, 2, None, None).heard(wave, "x", 3), augmenter.heard(wave, "y", 3)]
    varied = [one for one in [*heard, *others] if one is not wave]
    assert len({one.tobytes() for one in varied}) == len(varied)
    # a quarter is left alone: 4 .. 16 of 40 but once in a thousand seeds
    assert 4 <= sum(one is wave for one in heard) <= 16


def test_shares_and_ratios_are_as_set() -> None:
    settings = AugmentSettings(noise=NoiseSettings(share=0.3, snr=(5.0, 15.0), colour="white"))
    augmenter, wave = Augmenter(settings, 1, None, None), speech(0.1)
    heard = [augmenter.heard(wave, "x", batch) for batch in range(600)]
    ratios = [decibels(wave) - decibels(one - wave) for one in heard if one is not wave]
    assert 0.25 < len(ratios) / 600 < 0.35
    assert 5 - 1e-3 < min(ratios) < 5.5 and 14.5 < max(ratios) < 15 + 1e-3
    assert np.mean(ratios) == pytest.approx(10, abs=0.7)


def test_noise_comes_from_its_manifest_and_short_noise_again_and_again(tmp_path: Path) -> None:
    lengths = {"long": 16_000, "short": 700}
    for number, (name, samples) in enumerate(lengths.items()):
        soundfile.write(
            tmp_path / f"{name}.wav", speech(samples / 16_000, number + 5), 16_000, subtype="FLOAT"
        )
    cuts = [Recording.from_file(tmp_path / f"{name}.wav").to_cut() for name in lengths]
    CutSet.from_cuts(cuts).to_file(tmp_path / "noise.jsonl")
    settings = AugmentSettings(noise=NoiseSettings(1.0, (0.0, 0.0), cuts=str(tmp_path / "noise.jsonl")))
    assert settings.manifests == (tmp_path / "noise.jsonl",)
    augmenter, wave = open_augmenter(settings, 1), speech(0.125)
    assert augmenter is not None
    sources = [speech(1.0, 5), np.resize(speech(700 / 16_000, 6), 2000)]
    used = []
    for batch in range(12):
        added = augmenter.heard(wave, "x", batch) - wave
        # where in the source it lies best
        matches = [np.correlate(source, added, "valid") / np.linalg.norm(added) for source in sources]
        norms = [
            np.sqrt(np.convolve(np.square(source), np.ones(len(added)), "valid")) + 1e-9 for source in sources
        ]
        used.append([float((match / norm).max()) > 0.999 for match, norm in zip(matches, norms, strict=True)])
    assert all(sum(one) == 1 for one in used)
    assert {one.index(True) for one in used} == {0, 1}


def test_rooms_come_from_their_manifest(tmp_path: Path) -> None:
    response = np.zeros(2000, dtype=np.float32)
    response[[10, 900]] = 1.0, 0.5
    soundfile.write(tmp_path / "room.wav", response, 16_000, subtype="FLOAT")
    CutSet.from_cuts([Recording.from_file(tmp_path / "room.wav").to_cut()]).to_file(tmp_path / "r.jsonl")
    augmenter = open_augmenter(AugmentSettings(reverb=ReverbSettings(1.0, cuts=str(tmp_path / "r.jsonl"))), 1)
    assert augmenter is not None
    wave = speech(0.3)
    echoed = wave + 0.5 * np.concatenate([np.zeros(890, dtype=np.float32), wave[:-890]])
    found = augmenter.heard(wave, "x", 0)
    np.testing.assert_allclose(found, echoed * np.sqrt(np.mean(wave**2) / np.mean(echoed**2)), atol=1e-5)


def test_nothing_is_opened_where_nothing_is_asked_for(tmp_path: Path) -> None:
    assert open_augmenter(AugmentSettings(), 1) is None
    assert open_augmenter(AugmentSettings(noise=NoiseSettings(cuts="none.jsonl")), 1) is None
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.jsonl"):
        open_augmenter(AugmentSettings(noise=NoiseSettings(0.1, cuts=str(tmp_path / "none.jsonl"))), 1)
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(ValueError, match=r"empty\.jsonl: no cuts in it"):
        open_augmenter(AugmentSettings(reverb=ReverbSettings(0.1, cuts=str(tmp_path / "empty.jsonl"))), 1)


def test_settings_that_cannot_be_are_refused() -> None:
    for wrong in (-0.1, 1.5):
        with pytest.raises(ValueError, match="noise share"):
            NoiseSettings(share=wrong)
    with pytest.raises(ValueError, match=r"noise snr .* \[20\.0, 5\.0\]"):
        NoiseSettings(snr=(20.0, 5.0))
    with pytest.raises(ValueError, match="reverb t60"):
        ReverbSettings(t60=(0.0, 0.5))
    for speeds in ((), (1.0, 3.0)):
        with pytest.raises(ValueError, match="speeds are one or more"):
            AugmentSettings(speeds=speeds)
