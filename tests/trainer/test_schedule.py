import math

import pytest

from unispeech_cli.trainer.schedule import (
    RateSettings,
    ReplaceSettings,
    TemperatureSettings,
    rate_factor,
    replace,
    temperature,
)


@pytest.mark.parametrize(
    ("update", "factor"),
    # the official pre-training: 25k updates up, then straight down to 0 at 200k
    [(0, 1 / 25_000), (12_499, 0.5), (24_999, 1.0), (112_500, 0.5), (199_999, 1 / 175_000), (200_000, 0.0)],
)
def test_linear_is_the_official_pretraining(update: int, factor: float) -> None:
    assert rate_factor(RateSettings(), update, 200_000) == pytest.approx(factor)


@pytest.mark.parametrize(
    ("update", "factor"),
    # the official fine-tuning: 10 % up from 0.01, 40 % held, exponentially down to 0.05
    [(0, 0.01), (1000, 0.505), (2000, 1.0), (10_000, 1.0), (15_000, 0.05**0.5), (20_000, 0.05)],
)
def test_tri_stage_is_the_official_finetuning(update: int, factor: float) -> None:
    settings = RateSettings(shape="tri-stage", warmup=0.1)
    assert rate_factor(settings, update, 20_000) == pytest.approx(factor)


@pytest.mark.parametrize("shape", ["linear", "tri-stage"])
def test_a_short_run_is_a_scaled_long_one(shape: str) -> None:
    settings = RateSettings(shape=shape)  # type: ignore[arg-type]
    for share in (0.2, 0.5, 0.9):
        long, short = (rate_factor(settings, int(share * n), n) for n in (200_000, 2000))
        assert short == pytest.approx(long, rel=0.01)


def test_absolute_figures_take_the_place_of_shares() -> None:
    settings = RateSettings(warmup_updates=10, decay_updates=50)
    assert [rate_factor(settings, update, 1000) for update in (4, 9, 30, 50, 999)] == [0.5, 1.0, 0.5, 0, 0]


def polynomial_decay(update: int) -> float:
    """fairseq's, at the end of `update` updates: 25k up, down to 0 at 200k, whatever the length of the run."""
    if update <= 25_000:
        return update / 25_000
    return 0.0 if update >= 200_000 else 1 - (update - 25_000) / (200_000 - 25_000)


def tri_stage(update: int) -> float:
    """fairseq's, at the end of `update` updates: 2k up from 0.01, 8k held, 10k exponentially down to 0.05."""
    if update < 2_000:
        return 0.01 + (1 - 0.01) / 2_000 * update
    if update < 10_000:
        return 1.0
    return math.exp(math.log(0.05) / 10_000 * (update - 10_000)) if update <= 20_000 else 0.05


@pytest.mark.parametrize("updates", [200_000, 250_000])
def test_absolute_figures_give_the_released_pretraining_rate(updates: int) -> None:
    settings = RateSettings(warmup_updates=25_000, decay_updates=200_000)
    for update in range(0, updates, 997):
        # theirs starts with an update at rate 0, which is left out here
        theirs = polynomial_decay(update + 1 if update < 25_000 else update)
        assert rate_factor(settings, update, updates) == pytest.approx(theirs, rel=1e-9, abs=1e-12)
    assert rate_factor(settings, updates - 1, updates) == (0.0 if updates > 200_000 else 1 / 175_000)


def test_absolute_figures_give_the_released_finetuning_rate() -> None:
    settings = RateSettings("tri-stage", warmup_updates=2_000, hold_updates=8_000, decay_updates=20_000)
    for update in (*range(0, 25_000, 97), 1_999, 2_000, 9_999, 10_000, 10_001, 20_000):
        assert rate_factor(settings, update, 25_000) == pytest.approx(tri_stage(update), rel=1e-9)


def test_the_released_temperature_never_arrives_at_its_end() -> None:
    settings, current, at = TemperatureSettings(end=0.1, factor=0.999995), 2.0, {}
    for update in range(250_001):
        if update % 50_000 == 0:
            at[update] = current
            assert temperature(settings, update, 250_000) == pytest.approx(current, rel=1e-9)
        current *= 0.999995
    assert [round(at[update], 3) for update in (100_000, 200_000, 250_000)] == [1.213, 0.736, 0.573]
    assert temperature(settings, 10**7, 250_000) == 0.1


@pytest.mark.parametrize("shape", ["linear", "tri-stage"])
def test_no_warm_up_starts_at_the_peak(shape: str) -> None:
    settings = RateSettings(shape=shape, warmup=0.0, hold=0.0)  # type: ignore[arg-type]
    assert rate_factor(settings, 0, 100) == 1.0


def test_temperature_arrives_where_the_official_factor_does() -> None:
    official = [2.0 * 0.999995**update for update in (0, 50_000, 200_000)]
    assert [temperature(TemperatureSettings(), update, 200_000) for update in (0, 50_000, 200_000)] == [
        pytest.approx(value, rel=1e-3) for value in official
    ]
    assert official[-1] == pytest.approx(0.736, abs=5e-4)


def test_temperature_by_an_absolute_factor_stops_at_the_end() -> None:
    settings = TemperatureSettings(start=2.0, end=0.5, factor=0.5)
    assert [temperature(settings, update, 1000) for update in range(4)] == [2.0, 1.0, 0.5, 0.5]


def test_r_is_full_from_the_start_or_rises_between_two_shares() -> None:
    assert replace(ReplaceSettings(0.5), 0, 100) == 0.5
    ramp = ReplaceSettings(r=0.5, begin=0.4, full=0.8)
    assert [replace(ramp, update, 100) for update in (0, 40, 60, 80, 99)] == pytest.approx(
        [0, 0, 0.25, 0.5, 0.5]
    )
    step = ReplaceSettings(r=0.5, begin=0.4, full=0.4)
    assert [replace(step, update, 100) for update in (39, 40)] == [0, 0.5]


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (ReplaceSettings, {"r": 1.5}),
        (ReplaceSettings, {"begin": 0.5, "full": 0.2}),
        (TemperatureSettings, {"end": 3.0}),
        (TemperatureSettings, {"end": 0.0}),
    ],
)
def test_schedules_that_cannot_be_are_refused(kind: type, wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"not|before"):
        kind(**wrong)
