"""Named alarms: what a training watches about itself, when that is wrong for long, and what to do about it."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class AlarmSettings:
    """From which mean over the last `window` updates on a watched figure is told as wrong."""

    # updates over which a figure is averaged, and between two tellings of what lasts
    window: int = 200
    again: int = 2000
    # share of the run before which nothing is told: of codebooks, of blanks (a CTC head says blank everywhere first)
    codes_after: float = 0.05
    blanks_after: float = 0.25
    # collapse. Codebook perplexity, 0 being one entry for all frames and 1 all entries alike
    perplexity: float = 0.02
    # share of entries that no frame of a batch takes
    dead_codes: float = 0.9
    # share of distractors with the very code of the positive
    same_code: float = 0.5
    # cosine with the positive less the mean cosine with the distractors
    gap: float = 0.01
    # share of frames that are heard as blank
    blanks: float = 0.999

    def __post_init__(self) -> None:
        if self.window < 1 or self.again < 1:
            raise ValueError("window and again are at least 1 update")


@dataclass(frozen=True)
class Alarm:
    """One way for a training to go wrong: a figure beyond its limit."""

    name: str
    figure: str
    limit: float
    # whether what is above the limit is wrong, or what is below it
    above: bool
    # share of the run before which it is quiet
    after: float
    advice: str

    def rings(self, value: float) -> bool:
        return value > self.limit if self.above else value < self.limit


COLLAPSE = (
    "a larger objective.diversity, a lower optim.lr or a longer rate.warmup; more speech an update "
    "(data.seconds_per_update) steadies the codebooks"
)


def codebook_alarms(settings: AlarmSettings, groups: int, entries: int) -> tuple[Alarm, ...]:
    """Those of G groups of V entries: collapse in three guises, and contrast that learns nothing."""
    # perplexity goes from G to G V
    floor = groups + settings.perplexity * groups * (entries - 1)
    after, name = settings.codes_after, "codebook collapse"
    return (
        Alarm(name, "code_perplexity", floor, False, after, COLLAPSE),
        Alarm(name, "dead_codes", settings.dead_codes, True, after, COLLAPSE),
        Alarm(name, "same_code_share", settings.same_code, True, after, COLLAPSE),
        Alarm(
            "no contrast",
            "positive_gap",
            settings.gap,
            False,
            after,
            "the context tells nothing of the codes; see that the audio is not silent and that code_perplexity is "
            "not at its floor, then a lower optim.lr or fewer masks",
        ),
    )


def blank_alarm(settings: AlarmSettings) -> Alarm:
    """That of CTC: blank everywhere, long after the start."""
    return Alarm(
        "all blanks",
        "blank_share",
        settings.blanks,
        True,
        settings.blanks_after,
        "CTC has not found the labels: more updates, a lower optim.lr, less masking and dropout, in pre-training a "
        "later replace.begin and a larger objective.alpha; see that the labels are those of the audio",
    )


class Watch:
    """The alarms of one training; figures that are not among an update's are not looked at.

    It starts anew when a training goes on: what is wrong is told again after a whole window.
    """

    def __init__(self, settings: AlarmSettings, alarms: Sequence[Alarm], updates: int) -> None:
        self._settings, self._updates = settings, updates
        self._bells = [_Bell(alarm, settings) for alarm in alarms]

    def see(self, update: int, watched: Mapping[str, float]) -> list[str]:
        """Lines on what is wrong after this update, and on what is well again."""
        lines = [
            bell.see(update, update > bell.alarm.after * self._updates, watched[bell.alarm.figure])
            for bell in self._bells
            if bell.alarm.figure in watched
        ]
        return [line for line in lines if line is not None]


class _Bell:
    def __init__(self, alarm: Alarm, settings: AlarmSettings) -> None:
        self.alarm, self._settings = alarm, settings
        self._last: deque[float] = deque(maxlen=settings.window)
        self._rung, self._next = False, 0

    def see(self, update: int, awake: bool, value: float) -> str | None:
        self._last.append(value)
        if not awake or len(self._last) < self._settings.window:
            return None
        mean = sum(self._last) / len(self._last)
        if not self.alarm.rings(mean):
            rung, self._rung = self._rung, False
            return f"{self.alarm.name} is over: {self.alarm.figure} {mean:.3g}" if rung else None
        if update < self._next:
            return None
        self._rung, self._next = True, update + self._settings.again
        return self._told(mean)

    def _told(self, mean: float) -> str:
        alarm = self.alarm
        side = "above" if alarm.above else "below"
        figure = f"{alarm.figure} {mean:.3g} over the last {len(self._last)} updates"
        return f"warning: {alarm.name}: {figure}, {side} {alarm.limit:.3g}. What helps: {alarm.advice}"
