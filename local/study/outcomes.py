"""Errors by language and speaker of a system, over folds and by seed; what its codes say of phones."""

from collections.abc import Mapping, Sequence

from study.cells import SCRATCH, analysis, measured, tuned
from study.ledger import Codes, Ledger, Outcome, added_up
from study.plan import Part, Plan
from unispeech_cli.scorer.rates import Rate, total


def outcomes(plan: Plan, part: Part, ledger: Ledger, system: str, labels: str) -> dict[int, Outcome]:
    """By seed what a system came to on all targets of a part; a seed in which a target or fold lacks is left out."""
    found = {seed: _of_seed(plan, part, ledger, system, labels, seed) for seed in plan.seeds}
    return {seed: outcome for seed, outcome in found.items() if outcome is not None}


def by_target(
    plan: Plan, part: Part, ledger: Ledger, system: str, labels: str
) -> dict[str, dict[int, float]]:
    """Phone error rates by language and seed, of what is there."""
    rates: dict[str, dict[int, float]] = {
        language: {} for target in part.targets for language in target.split("+")
    }
    for target in part.targets:
        for seed in plan.seeds:
            found = _of_target(plan, part, ledger, system, labels, seed, target)
            for language, speakers in (found or {}).items():
                rates.setdefault(language, {})[seed] = total(speakers.values()).fraction
    return rates


def analyses(plan: Plan, ledger: Ledger, system: str) -> list[Codes]:
    """What the codes of the system's first encoder say, of the seeds in which it was analysed."""
    part = next((part for part in plan.parts if system in part.systems), None)
    if part is None or system == SCRATCH:
        return []
    places = [
        analysis(plan, part, system, seed, part.targets[0], fold)[-1]
        for seed in plan.seeds
        for fold in plan.folds or (0,)
    ]
    lines = map(ledger.of, {cell.id: cell for cell in places}.values())
    return [line.codes for line in lines if line is not None and line.codes is not None]


def _of_seed(plan: Plan, part: Part, ledger: Ledger, system: str, labels: str, seed: int) -> Outcome | None:
    whole: dict[str, dict[str, Rate]] = {}
    for target in part.targets:
        found = _of_target(plan, part, ledger, system, labels, seed, target)
        if found is None:
            return None
        for language, speakers in found.items():
            added_up(whole, language, speakers)
    return whole


def _of_target(
    plan: Plan, part: Part, ledger: Ledger, system: str, labels: str, seed: int, target: str
) -> Outcome | None:
    """Over all folds; nothing where one of them lacks."""
    whole: dict[str, dict[str, Rate]] = {}
    for fold in plan.folds or (0,):
        *_, score = measured(tuned(plan, part, system, seed, target, labels, fold))
        line = ledger.of(score)
        if line is None or line.errors is None:
            return None
        for language, speakers in line.errors.items():
            added_up(whole, language, speakers)
    return whole


def speakers_of(found: Mapping[int, Outcome]) -> tuple[list[Rate], list[str]]:
    """Rates with their speakers, over seeds and languages: a speaker is one, however often it is heard."""
    pairs: Sequence[tuple[Rate, str]] = [
        (rate, f"{language}/{who}")
        for seed in sorted(found)
        for language in sorted(found[seed])
        for who, rate in sorted(found[seed][language].items())
    ]
    return [rate for rate, _ in pairs], [who for _, who in pairs]
