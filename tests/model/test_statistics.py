import numpy as np
import pytest
import torch

from unispeech_cli.model.frontend import Frontend, FrontendSettings, normalize_wave
from unispeech_cli.model.statistics import measure

WAVE = np.random.default_rng(0).normal(0.3, 0.1, 9_000).astype(np.float32)


def parts(*edges: int) -> list[np.ndarray]:
    return np.split(WAVE, edges)


@pytest.mark.parametrize("edges", [(), (1, 2, 9, 11), (4_000, 4_000, 4_003), range(0, 9_000, 7)])
def test_blocks_do_not_matter(edges: tuple[int, ...]) -> None:
    found = measure(parts(*edges))
    windows = np.lib.stride_tricks.sliding_window_view(WAVE.astype(np.float64), 10)[::5]
    assert found.num_samples == 9_000
    assert (found.mean, found.variance) == pytest.approx((WAVE.mean(), WAVE.var()), rel=1e-5)
    np.testing.assert_allclose(found.window_mean_K, windows.mean(0))
    np.testing.assert_allclose(found.window_covariance_KK, np.cov(windows.T, bias=True), rtol=1e-9)


def test_normalising_parts_gives_parts_of_the_normalised_whole() -> None:
    wave_BS = torch.from_numpy(WAVE)[None]
    whole = normalize_wave(wave_BS, torch.tensor([9_000]))
    torch.testing.assert_close(measure(parts(50)).normalize(wave_BS[:, 100:200]), whole[:, 100:200])


def test_of_nothing() -> None:
    assert (measure([]).num_samples, measure([WAVE[:0], WAVE[:5]]).num_samples) == (0, 5)


@pytest.mark.parametrize("norm", ["group", "layer"])
@pytest.mark.parametrize(("normalized", "bias"), [(True, False), (False, True), (True, True)])
def test_frames_of_a_part_are_those_of_the_whole(norm: str, normalized: bool, bias: bool) -> None:
    torch.manual_seed(0)
    frontend = Frontend(FrontendSettings(channels=6, norm=norm, normalize_wave=normalized, bias=bias))  # type: ignore[arg-type]
    for name, value in frontend.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(value)
    wave_BS = torch.from_numpy(WAVE)[None]
    whole_BTC, _ = frontend(wave_BS, torch.tensor([9_000]))
    # frames 5 to 9
    part_BTC, lengths_B = frontend(wave_BS[:, 1_600:3_280], torch.tensor([1_680]), measure(parts(17)))
    assert lengths_B.tolist() == [5]
    torch.testing.assert_close(part_BTC, whole_BTC[:, 5:10], rtol=1e-4, atol=1e-5)


def test_silence_is_what_the_last_bit_says() -> None:
    dither = np.random.default_rng(0).integers(0, 2, 16_000) / 32_768
    assert measure([np.full(16_000, 0.2, np.float32)]).is_silent
    assert not measure([(20 * dither).astype(np.float32)]).is_silent
    # half a bit up or down
    assert measure([(dither / 2).astype(np.float32)]).is_silent
