"""Whether one system is better than another on the average of targets, speakers and trainings being drawn.

Legend: S seeds, N speakers of a language, R replications.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from study.ledger import Outcome
from study.outcomes import speakers_of
from unispeech_cli.scorer.bootstrap import BootstrapSettings, Paired, paired
from unispeech_cli.scorer.rates import Rate


@dataclass(frozen=True)
class Tested:
    """The first system less the second, as fractions; below 0 the first is better.

    `pooled`: over all speakers of all targets and seeds, these trainings being given (None without references).
    `average`: of the targets' mean error rate, with its interval and two-sided p where seeds are drawn as well as
    speakers. `better`: seeds in which the first is better on that average, of `seeds`.
    """

    pooled: Paired | None
    average: float
    low: float
    high: float
    p: float
    better: int
    seeds: int


def average(outcome: Outcome) -> float:
    """The mean error rate over languages."""
    return float(np.mean([sum(speakers.values(), Rate()).fraction for speakers in outcome.values()]))


def tested(
    first: Mapping[int, Outcome], second: Mapping[int, Outcome], settings: BootstrapSettings
) -> Tested | None:
    """Compare two systems over the seeds that both have; None where there is none."""
    seeds = sorted(first.keys() & second.keys())
    if not seeds:
        return None
    ours, theirs = ({seed: side[seed] for seed in seeds} for side in (first, second))
    rates, speakers = speakers_of(ours)
    others, same = speakers_of(theirs)
    if speakers != same:
        raise ValueError("two systems were tested on other speakers; decode and score them on the same cuts")
    changes = [average(ours[seed]) - average(theirs[seed]) for seed in seeds]
    drawn_R = _drawn(ours, theirs, settings)
    low, high = (float(bound) for bound in np.quantile(drawn_R, [0.025, 0.975]))
    tail = 1 + min(int((drawn_R <= 0).sum()), int((drawn_R >= 0).sum()))
    return Tested(
        paired(others, rates, speakers, settings),
        float(np.mean(changes)),
        low,
        high,
        min(1.0, 2 * tail / (1 + len(drawn_R))),
        sum(change < 0 for change in changes),
        len(seeds),
    )


def _drawn(
    ours: Mapping[int, Outcome], theirs: Mapping[int, Outcome], settings: BootstrapSettings
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """The difference of averages in each draw of seeds and, within every language, of speakers."""
    generator, seeds = np.random.default_rng(settings.seed), sorted(ours)
    chosen_RS = generator.integers(len(seeds), size=(settings.replications, len(seeds)))
    languages = sorted(ours[seeds[0]])
    total_R = np.zeros(settings.replications)
    for language in languages:
        names = sorted(ours[seeds[0]][language])
        change_SN = np.array([[_change(ours, theirs, s, language, who) for who in names] for s in seeds])
        reference_SN = np.array([[ours[s][language][who].counts.reference for who in names] for s in seeds])
        speakers_RN = generator.integers(len(names), size=(settings.replications, len(names)))
        rows_RSN = (chosen_RS[:, :, None], speakers_RN[:, None, :])
        total_R += change_SN[rows_RSN].sum((1, 2)) / np.maximum(1, reference_SN[rows_RSN].sum((1, 2)))
    return total_R / len(languages)


def _change(
    ours: Mapping[int, Outcome], theirs: Mapping[int, Outcome], seed: int, language: str, speaker: str
) -> int:
    return ours[seed][language][speaker].counts.errors - theirs[seed][language][speaker].counts.errors
