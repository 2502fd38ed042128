"""What was scored and analysed, read back: errors by language and speaker, shares of what codes say of phones."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from study.cells import Cell, analysis, tuned
from study.forecast import Work
from study.plan import Part, Plan
from unispeech_cli.paths import DecodeDir
from unispeech_cli.scorer.alignment import Counts
from unispeech_cli.scorer.rates import Rate

# language -> speaker -> errors
Outcome = Mapping[str, Mapping[str, Rate]]


def outcomes(plan: Plan, part: Part, work: Work, system: str, labels: str) -> dict[int, Outcome]:
    """By seed what a system came to on all targets of a part; a seed in which a target or fold lacks is left out."""
    found = {seed: _of_seed(plan, part, work, system, labels, seed) for seed in plan.seeds}
    return {seed: outcome for seed, outcome in found.items() if outcome is not None}


def by_target(plan: Plan, part: Part, work: Work, system: str, labels: str) -> dict[str, dict[int, float]]:
    """Phone error rates by language and seed, of what is there."""
    rates: dict[str, dict[int, float]] = {
        language: {} for target in part.targets for language in target.split("+")
    }
    for target in part.targets:
        for seed in plan.seeds:
            found = _of_target(plan, part, work, system, labels, seed, target)
            for language, speakers in (found or {}).items():
                rates.setdefault(language, {})[seed] = sum(speakers.values(), Rate()).fraction
    return rates


def read_score(decoded: Path) -> Outcome:
    """The speakers of score.json in its best setting, by language. Raises ValueError for a file that is not its."""
    path = DecodeDir(decoded).score
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        results = [result for result in tree["results"] if result["setting"] == tree["best"]]
        found: dict[str, dict[str, Rate]] = {}
        for result in results:
            speakers = result["measures"]["PER"]["by"]["speaker"]
            added_up(found, language_of(result["test_set"]), {who: _rate(r) for who, r in speakers.items()})
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{path} is not as `unispeech score` writes it for phones") from None
    return found


def language_of(test_set: str) -> str:
    """`cv-it-part-1` -> it; `tedlium-test` -> tedlium."""
    return test_set.removeprefix("cv-").split("-")[0]


def added_up(total: dict[str, dict[str, Rate]], language: str, speakers: Mapping[str, Rate]) -> None:
    own = total.setdefault(language, {})
    for speaker, rate in speakers.items():
        own[speaker] = own.get(speaker, Rate()) + rate


def analyses(plan: Plan, work: Work, system: str) -> list[dict[str, Any]]:
    """analysis.json of the seeds in which the system's first encoder was analysed."""
    part = next((part for part in plan.parts if system in part.systems), None)
    if part is None:
        return []
    places = [
        analysis(plan, part, system, seed, part.targets[0], fold)[-1]
        for seed in plan.seeds
        for fold in plan.folds or (0,)
    ]
    done = dict.fromkeys(cell.id for cell in places if work.is_done(cell))
    return [json.loads((work.exp / name / "analysis.json").read_text(encoding="utf-8")) for name in done]


def _of_seed(plan: Plan, part: Part, work: Work, system: str, labels: str, seed: int) -> Outcome | None:
    whole: dict[str, dict[str, Rate]] = {}
    for target in part.targets:
        found = _of_target(plan, part, work, system, labels, seed, target)
        if found is None:
            return None
        for language, speakers in found.items():
            added_up(whole, language, speakers)
    return whole


def _of_target(
    plan: Plan, part: Part, work: Work, system: str, labels: str, seed: int, target: str
) -> Outcome | None:
    """Over all folds; nothing where one of them lacks."""
    whole: dict[str, dict[str, Rate]] = {}
    for fold in plan.folds or (0,):
        place = score_of(work, tuned(plan, part, system, seed, target, labels, fold))
        if place is None:
            return None
        for language, speakers in read_score(place).items():
            added_up(whole, language, speakers)
    return whole


def score_of(work: Work, training: Cell) -> Path | None:
    """The decode directory of a training, where that is scored with these settings."""
    mark = work.marks.get(f"{training.id}/decode/score.json")
    return work.exp / training.id / "decode" if mark is not None and mark.is_file() else None


def _rate(found: Mapping[str, Any]) -> Rate:
    substitutions, deletions, insertions = (found[k] for k in ("substitutions", "deletions", "insertions"))
    correct = found["reference"] - substitutions - deletions
    return Rate(Counts(correct, substitutions, deletions, insertions), found["utterances"], found["seconds"])


def speakers_of(found: Mapping[int, Outcome]) -> tuple[list[Rate], list[str]]:
    """Rates with their speakers, over seeds and languages: a speaker is one, however often it is heard."""
    pairs: Sequence[tuple[Rate, str]] = [
        (rate, f"{language}/{who}")
        for seed in sorted(found)
        for language in sorted(found[seed])
        for who, rate in sorted(found[seed][language].items())
    ]
    return [rate for rate, _ in pairs], [who for _, who in pairs]
