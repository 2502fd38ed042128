"""The study's tables against cases worked by hand, and its bootstrap against all draws there are."""

import json
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "local"))

from study.cells import cells  # noqa: E402
from study.forecast import Work  # noqa: E402
from study.ledger import ledger, read_lines, text_of  # noqa: E402
from study.markdown import document  # noqa: E402
from study.marks import marks  # noqa: E402
from study.picture import draw  # noqa: E402
from study.plan import Plan, in_folds, read_plan  # noqa: E402
from study.significance import tested as difference  # noqa: E402
from study.table import Study, study  # noqa: E402

from unispeech_cli.scorer.alignment import Counts  # noqa: E402
from unispeech_cli.scorer.bootstrap import BootstrapSettings  # noqa: E402
from unispeech_cli.scorer.rates import Rate  # noqa: E402

PLAN = """
seeds: [1, 2]
targets: [it, sv]
parts:
  one:
    systems: [scratch, r0, unispeech]
    compare: {unispeech: [r0, scratch]}
    paper: true
analyze: [unispeech]
"""
FEW = BootstrapSettings(replications=200, speakers=1)
# errors of three speakers, of 10 phones each, by system, seed and target
ERRORS = {
    "r0": {1: {"it": (3, 4, 5), "sv": (6, 6, 6)}, 2: {"it": (3, 3, 3), "sv": (5, 6, 7)}},
    "unispeech": {1: {"it": (2, 2, 2), "sv": (5, 5, 5)}, 2: {"it": (1, 2, 3), "sv": (4, 5, 6)}},
    # seed 2 was not run
    "scratch": {1: {"it": (9, 9, 9), "sv": (8, 9, 10)}},
}


def score(path: Path, test_set: str, errors: tuple[int, ...], first: int) -> None:
    """A score.json with a speaker for each number of errors, numbered from `first`; its other setting is worse."""
    path.mkdir(parents=True)

    def rate(number: int) -> dict[str, float]:
        counts = {"errors": number, "insertions": 1, "deletions": 0, "substitutions": number - 1}
        return {**counts, "fraction": number / 10, "reference": 10, "utterances": 1, "seconds": 2.0}

    def result(setting: str, worse: int) -> dict[str, object]:
        speakers = {f"s{place}": rate(number + worse) for place, number in enumerate(errors, first)}
        return {
            "test_set": test_set,
            "setting": setting,
            "measures": {"PER": {"total": {}, "by": {"speaker": speakers}}},
        }

    tree = {"best": "greedy", "results": [result("greedy", 0), result("other", 1)]}
    (path / "score.json").write_text(json.dumps(tree))


def made(root: Path, errors: dict, folds: tuple[int, ...] = ()) -> tuple:
    """A plan and its work, scored with these errors; in folds, the first speaker is in the first fold, and so on."""
    (root / "plan.yaml").write_text(PLAN)
    plan = read_plan(root / "plan.yaml", ROOT / "recipes" / "study" / "conf" / "systems.yaml")
    if folds:
        plan = in_folds(plan, folds, ["de"])
    conf = ROOT / "local" / "ci" / "study" / "conf"
    found = cells(plan)
    work = Work(found, marks(found, root / "exp", conf, root / "data", ""), root / "exp", conf)
    for cell in found:
        heard = errors.get(cell.system, {}).get(cell.seed, {}).get(cell.target)
        if cell.kind == "score" and heard:
            part = heard[cell.fold - 1 : cell.fold] if cell.fold else heard
            name = f"cv-{cell.target}-{f'part-{cell.fold}' if cell.fold else 'test'}"
            score((work.exp / cell.id).parent, name, part, cell.fold)
            done(work, cell.id)
    return plan, work


def tables(plan: Plan, work: Work, settings: BootstrapSettings = FEW) -> Study:
    return study(plan, work, ledger(work, []), settings)


def done(work: Work, name: str) -> None:
    work.marks[name].parent.mkdir(parents=True, exist_ok=True)
    work.marks[name].touch()


def test_error_rates_worked_by_hand(tmp_path):
    found = tables(*made(tmp_path, ERRORS))
    rows = {row.system: row for row in found.rows}
    r0 = rows["r0"]
    assert r0.per == {"it": {1: pytest.approx(40), 2: pytest.approx(30)}, "sv": {1: 60.0, 2: 60.0}}
    assert r0.average == {1: pytest.approx(50), 2: pytest.approx(45)}
    # 12 + 18 + 9 + 18 of 120
    assert r0.pooled == pytest.approx(47.5) and r0.low < 47.5 < r0.high
    assert r0.over == "6 speakers" and r0.paper["mean of 8"] == pytest.approx(15.325)
    assert (list(r0.updates), r0.hours) == ([30, 8], pytest.approx(38 * 12 / 3600))
    assert rows["scratch"].per == {"it": {1: pytest.approx(90)}, "sv": {1: pytest.approx(90)}}
    assert list(rows["scratch"].updates) == [16]


def test_the_average_weighs_targets_alike_and_what_is_pooled_weighs_phones(tmp_path):
    found = tables(*made(tmp_path, {"r0": {1: {"it": (3, 4, 5), "sv": (6,)}}}))
    (row,) = [row for row in found.rows if row.system == "r0"]
    assert row.average == {1: pytest.approx((40 + 60) / 2)}
    assert row.by_seed == {1: pytest.approx(100 * 18 / 40)} and row.pooled == pytest.approx(45)


def test_differences_worked_by_hand(tmp_path):
    found = tables(*made(tmp_path, ERRORS))
    against_r0, against_scratch = (one.tested for one in found.comparisons)
    # unispeech: 6 + 15 + 6 + 15 of 120
    assert against_r0.pooled.difference == pytest.approx((42 - 57) / 120)
    # it 20 and 20 against 40 and 30, sv 50 and 50 against 60 and 60
    assert against_r0.average == pytest.approx(-(0.2 + 0.1 + 0.1 + 0.1) / 4)
    assert (against_r0.better, against_r0.seeds) == (2, 2)
    # every speaker is better in every draw: the least p that 200 draws can give
    assert against_r0.pooled.p == pytest.approx(2 / 201) and against_r0.p == pytest.approx(2 / 201)
    # of the seed that scratch has
    assert (against_scratch.better, against_scratch.seeds) == (1, 1)
    assert against_scratch.average == pytest.approx(0.35 - 0.9)


def test_a_small_p_is_not_nought(tmp_path):
    many = BootstrapSettings(replications=4000, speakers=1)
    text = document(tables(*made(tmp_path, ERRORS), many), "Made up")
    # 2 of 4001
    assert "| 0.0005 | 2 of 2 |" in text


def test_folds_are_pooled_and_a_missing_one_leaves_the_target_out(tmp_path):
    plan, work = made(tmp_path, ERRORS, folds=(1, 2, 3))
    rows = {row.system: row for row in tables(plan, work).rows}
    assert rows["r0"].per["it"] == {1: pytest.approx(40), 2: pytest.approx(30)}
    assert rows["r0"].pooled == pytest.approx(47.5) and rows["r0"].over == "6 speakers"
    (gone,) = [
        cell
        for cell in work.cells
        if (cell.kind, cell.system, cell.seed, cell.target, cell.fold) == ("score", "r0", 2, "sv", 3)
    ]
    work.marks[gone.id].unlink()
    row = {row.system: row for row in tables(plan, work).rows}["r0"]
    assert row.per["sv"] == {1: pytest.approx(60)} and list(row.average) == [1]


def test_what_was_not_run_is_a_dash(tmp_path):
    text = document(tables(*made(tmp_path, {"r0": ERRORS["r0"]})), "Made up")
    lines = {line.split(" | ")[0].strip("| "): line for line in text.splitlines() if line.startswith("|")}
    assert "| r0 | 35.0 (7.1) | 60.0 (0.0) | 47.5 (3.5) | 47.5 [" in text and text.startswith("## Made up\n")
    assert "| scratch | - | - | - | - | - | 16 | 0.1 |  |  |  |" in text
    assert "| unispeech | r0 | - | - | - | - | - |" in text
    assert "| paper: it | paper: sv | paper: mean of 8 |" in text
    assert "| 0.1 | 16.3 | 20.5 | 15.3 |" in text
    assert lines["unispeech"] == "| unispeech | all | - | - | - | - | - | - | - |"


def test_phones_in_codes_over_seeds(tmp_path):
    plan, work = made(tmp_path, {})
    for seed, (pnmi, low, high) in {1: (0.3, 0.28, 0.33), 2: (0.4, 0.37, 0.41)}.items():
        (cell,) = [cell for cell in work.cells if (cell.kind, cell.seed) == ("analyze", seed)]
        figures = {
            "phone_purity": 0.5,
            "code_purity": 0.1 * seed,
            "pnmi_chance": 0.02,
            "codes_used": 30,
            "perplexity": 20.0,
        }
        groups = [
            {"group": name, "pnmi": pnmi, "pnmi_interval": [low, high], **figures} for name in (0, "all")
        ]
        (work.exp / cell.id).mkdir(parents=True)
        (work.exp / cell.id / "analysis.json").write_text(json.dumps({"groups": groups}))
        done(work, cell.id)
    first, both = tables(plan, work).codes
    assert (first.group, both.group) == ("0", "all")
    assert (list(both.pnmi), both.interval) == ([0.3, 0.4], (0.28, 0.41))
    assert both.code_purity == pytest.approx(0.15)
    (tmp_path / "outcomes.jsonl").write_text(text_of(list(ledger(work, []).lines.values())))
    carried = ledger(replace(work, cells=[]), read_lines(tmp_path / "outcomes.jsonl"))
    assert study(plan, work, carried, FEW).codes == [first, both]
    assert (
        "| unispeech | all | 0.350 (0.071) | 0.020 | 0.280 to 0.410 | 0.500 | 0.150 | 30.0 | 20.0 |"
        in document(tables(plan, work), "Made up")
    )


def test_outcomes_of_other_machines_make_the_same_tables(tmp_path):
    """Each machine had a seed; a third one has neither, and their files."""
    seeds = []
    for seed in (1, 2):
        errors = {system: {seed: of[seed]} for system, of in ERRORS.items() if seed in of}
        (tmp_path / str(seed)).mkdir()
        seeds.append(made(tmp_path / str(seed), errors))
    lines = []
    for number, (_, work) in enumerate(seeds):
        (tmp_path / f"{number}.jsonl").write_text(text_of(list(ledger(work, []).lines.values())))
        lines += read_lines(tmp_path / f"{number}.jsonl")
    assert len(lines) == 10 and "s0" not in text_of(lines)
    (tmp_path / "all").mkdir()
    (tmp_path / "none").mkdir()
    plan, work = made(tmp_path / "none", {})
    assert study(plan, work, ledger(work, lines), FEW) == tables(*made(tmp_path / "all", ERRORS))
    others = [replace(line, mark=f"{line.mark}0") for line in lines]
    assert not ledger(work, others).lines


@pytest.mark.parametrize(
    "text", ["no JSON", "7", '{"mark": "a"}', '{"mark": "a", "errors": {"it": {"s": [1]}}}']
)
def test_a_file_of_no_outcomes_is_refused_by_its_line(tmp_path, text):
    path = tmp_path / "outcomes.jsonl"
    path.write_text('{"mark": "a", "codes": []}\n' + text + "\n")
    with pytest.raises(ValueError, match=r"outcomes\.jsonl, line 2: no outcome"):
        read_lines(path)


def outcome(*speakers: tuple[int, int]) -> dict[str, dict[str, Rate]]:
    """One language: errors and phones of its speakers."""
    rates = {f"s{n}": Rate(Counts(size - errors, errors, 0, 0)) for n, (errors, size) in enumerate(speakers)}
    return {"it": rates}


def test_the_bootstrap_is_that_of_all_draws():
    """Two seeds, three speakers: 2**2 * 3**3 draws, all equally likely."""
    ours = {1: outcome((1, 10), (4, 20), (2, 10)), 2: outcome((3, 10), (4, 20), (3, 10))}
    theirs = {1: outcome((3, 10), (5, 20), (1, 10)), 2: outcome((3, 10), (9, 20), (2, 10))}
    change = {1: (-2, -1, 1), 2: (0, -5, 1)}
    sizes = (10, 20, 10)
    every = [
        sum(change[s][n] for s in seeds for n in speakers) / sum(sizes[n] for _ in seeds for n in speakers)
        for seeds in product((1, 2), repeat=2)
        for speakers in product(range(3), repeat=3)
    ]
    found = difference(ours, theirs, BootstrapSettings(replications=20_000, speakers=1))
    low, high = np.quantile(every, [0.025, 0.975])
    assert (found.low, found.high) == (pytest.approx(low, abs=0.01), pytest.approx(high, abs=0.01))
    tail = min(np.mean(np.array(every) <= 0), np.mean(np.array(every) >= 0))
    assert found.p == pytest.approx(2 * tail, abs=0.02)
    # seed 1 7 - 9 of 40, seed 2 10 - 14 of 40
    assert found.average == pytest.approx((-2 / 40 - 4 / 40) / 2)


def test_systems_tested_on_other_speakers_are_refused():
    with pytest.raises(ValueError, match="other speakers"):
        difference({1: outcome((1, 10))}, {1: outcome((1, 10), (1, 10))}, FEW)


def test_a_picture_of_what_is_there(tmp_path):
    rows = tables(*made(tmp_path, ERRORS)).rows
    draw(rows, "Made up", tmp_path / "study.png")
    assert (tmp_path / "study.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
