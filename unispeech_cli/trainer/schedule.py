"""What changes over a run: learning rate, Gumbel temperature, r.

Fractions of the run unless updates are given: a run of 2,000 updates is then a scaled run of 200,000; the
official scripts' absolute figures are settings too.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class RateSettings:
    """The shape of the learning rate; shares are of all updates (official: 25k of 200k warm up)."""

    # linear: warm up, then down to 0. tri-stage: warm up, hold, exponential decay to `final`
    shape: Literal["linear", "tri-stage"] = "linear"
    warmup: float = 0.125
    hold: float = 0.4
    # share of the peak at the start of a tri-stage warm-up and at its end
    initial: float = 0.01
    final: float = 0.05
    # absolute figures, where given, take the place of the shares
    warmup_updates: int | None = None
    hold_updates: int | None = None
    # the update at which the decay ends; a longer run goes on with 0 (linear) or `final`
    decay_updates: int | None = None


def rate_factor(settings: RateSettings, update: int, updates: int) -> float:
    """The share of the peak learning rate at update number `update` (from 0) in a run of `updates`."""
    end = settings.decay_updates or updates
    warmup = settings.warmup * end if settings.warmup_updates is None else settings.warmup_updates
    if settings.shape == "linear":
        rising = (update + 1) / max(warmup, 1.0)
        return max(0.0, min(1.0, rising, (end - update) / max(end - warmup, 1.0)))
    if update < warmup:
        return settings.initial + (1 - settings.initial) * update / warmup
    held = warmup + (settings.hold * end if settings.hold_updates is None else settings.hold_updates)
    decayed = min(1.0, max(0.0, (update - held) / max(end - held, 1.0)))
    return float(settings.final**decayed)


@dataclass(frozen=True)
class TemperatureSettings:
    """Gumbel softmax: from `start` to `end`, by the same factor each update."""

    start: float = 2.0
    # 0.736 is where the official 0.999995 per update arrives after 200k
    end: float = 0.736
    # absolute factor per update, down to `end`; null: arrive at `end` with the run
    factor: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.end <= self.start:
            raise ValueError(f"start and end go down and stay above 0, not {self.start:g} to {self.end:g}")


def temperature(settings: TemperatureSettings, update: int, updates: int) -> float:
    """The Gumbel temperature of update number `update` (from 0)."""
    if settings.factor is not None:
        return float(max(settings.end, settings.start * settings.factor**update))
    return float(settings.start * (settings.end / settings.start) ** (update / max(updates, 1)))


@dataclass(frozen=True)
class ReplaceSettings:
    """r: the share of frames given to CTC as codebook vectors; 0 before `begin`, full from `full` on."""

    r: float = 0.5
    # shares of the run; the paper mixes from the start, a short run does better once CTC has left its plateau
    begin: float = 0.0
    full: float = 0.0
    # mix, and mask, in validation too (released code): its PER is then that of a random mix
    in_evaluation: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.r <= 1:
            raise ValueError(f"r is a share from 0 to 1, not {self.r:g}")
        if self.full < self.begin:
            raise ValueError(f"full, {self.full:g}, comes before begin, {self.begin:g}")


def replace(settings: ReplaceSettings, update: int, updates: int) -> float:
    """r at update number `update` (from 0)."""
    done = update / max(updates, 1)
    if done >= settings.full:
        return settings.r
    return settings.r * max(0.0, (done - settings.begin) / max(settings.full - settings.begin, 1e-9))
