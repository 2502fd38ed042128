"""The study's plan as cells: what there is to run, in which order, how long it takes, and when it counts as done."""

import gzip
import json
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "local"))

from study.cells import cells, choose, without  # noqa: E402
from study.forecast import Work, forecast, settings_of  # noqa: E402
from study.marks import marks  # noqa: E402
from study.plan import in_folds, read_plan  # noqa: E402

STUDY = ROOT / "recipes" / "study"
SYSTEMS = STUDY / "conf" / "systems.yaml"
REDUCED = read_plan(STUDY / "plan" / "reduced.yaml", SYSTEMS)


def test_the_reduced_plan_is_what_it_is_said_to_be():
    """Four pre-trainings and five systems on two targets, three seeds each; + and its control of two systems on one."""
    found = cells(REDUCED)
    kinds = Counter(cell.conf or cell.kind for cell in found)
    assert (kinds["pretrain"], kinds["contrastive"]) == (3 * 3, 3)
    assert (kinds["continue"], kinds["contrastive-continue"]) == (2 * 3, 2 * 3)
    tuned = (kinds["finetune"], kinds["contrastive-finetune"], kinds["scratch"])
    assert tuned == ((3 * 2 + 2) * 3, (2 + 2) * 3, 2 * 3)
    assert kinds["decode"] == kinds["score"] == sum(tuned)
    assert {cell.target for cell in found if cell.system == "unispeech+" and cell.target} == {"it"}


@pytest.mark.parametrize("conf", ["mini", "recorded"])
@pytest.mark.parametrize("common", ["pretrain", "continue", "finetune"])
def test_contrast_alone_hears_at_least_as_much_as_the_others(conf, common):
    """Before labels as much; of labels more on recorded speech."""
    own = "contrastive" if common == "pretrain" else f"contrastive-{common}"
    mine, theirs = (settings_of(STUDY / "conf" / conf / f"{name}.yaml") for name in (own, common))
    assert mine.audio == theirs.audio
    assert mine.updates == theirs.updates * (4 if (conf, common) == ("recorded", "finetune") else 1)


@pytest.mark.parametrize("name", ["reduced", "full"])
def test_cells_come_once_and_after_what_they_need(name):
    found = cells(read_plan(STUDY / "plan" / f"{name}.yaml", SYSTEMS))
    seen: set[str] = set()
    for cell in found:
        assert cell.id not in seen and set(cell.needs) <= seen
        seen.add(cell.id)


def test_the_full_plan_has_the_papers_settings_and_sweeps():
    found = cells(read_plan(STUDY / "plan" / "full.yaml", SYSTEMS))
    tuned = {(c.source, c.target, c.vocab, c.labels, c.system) for c in found if c.kind == "finetune"}
    assert {target for source, target, _, _, s in tuned if (source, s) == ("en", "r0")} == {
        "it",
        "sv",
        "nl",
        "ky",
    }
    many = "en+es+fr+it"
    assert (many, "tt", "separate", "10min", "unispeech+") in tuned
    for vocab in ("shared", "separate"):
        assert (many, "ky+nl+ru+sv+tt", vocab, "10min", "unispeech") in tuned
    assert ("librispeech", "tedlium", "shared", "10min", "unispeech") in tuned
    for system in ("r0", "r.25", "unispeech", "r.75", "r1", "alpha0", "alpha.25", "alpha1"):
        assert ("en", "it", "shared", "10min", system) in tuned
    assert {size for *_, size, system in tuned if system == "scratch"} == {"3min", "10min", "30min"}


def test_in_folds_one_encoder_serves_all_targets_and_hears_everything_else():
    plan = in_folds(REDUCED, [1, 2, 3, 4, 5], ["de", "it", "sv"])
    found = [cell for cell in cells(plan) if cell.seed == 1]
    assert sum(cell.kind == "pretrain" for cell in found) == 4
    going_on = [cell for cell in found if cell.kind == "continue" and cell.system == "unispeech+"]
    assert [(cell.hears, cell.fold) for cell in going_on] == [("de+it+sv", fold) for fold in range(1, 6)]
    assert sum(cell.kind == "finetune" for cell in found) == (5 * 2 + 4) * 5
    assert {cell.labels for cell in found if cell.kind == "finetune"} == {"all"}


def test_what_is_chosen_brings_what_it_needs():
    chosen = choose(cells(REDUCED), "seed=2 system=unispeech+ kind=score")
    assert [(cell.kind, cell.system) for cell in chosen] == [
        ("pretrain", "unispeech"),
        ("continue", "unispeech+"),
        *[(kind, "unispeech+") for kind in ("finetune", "decode", "score")],
    ]
    assert len(choose(cells(REDUCED), "kind=pretrain system=r0,unispeech")) == 6


def test_what_is_known_from_elsewhere_is_not_run_nor_what_only_it_needs():
    found = choose(cells(REDUCED), "seed=1 system=unispeech,unispeech+,scratch")
    known = {cell.id for cell in found if cell.kind == "score" and cell.system in ("scratch", "unispeech")}
    left = without(found, known)
    # the pre-training is what unispeech+ goes on from
    assert {cell.system for cell in left if cell.kind == "finetune"} == {"unispeech+"}
    assert [cell.system for cell in left if cell.kind == "pretrain"] == ["ctc-transfer", "unispeech"]
    # codes are held against the phones that ctc-transfer finds, and that is not known
    assert [cell.system for cell in left if cell.kind == "analyze"] == ["unispeech"]
    assert without(found, {cell.id for cell in found}) == []


@pytest.mark.parametrize(
    ("only", "told"), [("sede=1", "cells have no sede"), ("seed=9", "there is no such cell")]
)
def test_what_cannot_be_chosen(only, told):
    with pytest.raises(ValueError, match=told):
        choose(cells(REDUCED), only)


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("{systems: [magic]}", "system magic that no line"),
        ("{systems: [r0], compare: {r0: [scratch]}}", "compares scratch, which is none of its systems"),
        ("{systems: [r0], lables: [3min]}", "a: lables is not known"),
    ],
)
def test_a_plan_that_cannot_be(tmp_path, part, told):
    (tmp_path / "plan.yaml").write_text(f"seeds: [1]\ntargets: [it]\nparts: {{a: {part}}}\n")
    with pytest.raises(ValueError, match=told):
        read_plan(tmp_path / "plan.yaml", SYSTEMS)


@pytest.fixture
def work(tmp_path) -> Work:
    """Two systems of one seed on one target, none run; 10 updates of 20 s, 30 from scratch."""
    conf = tmp_path / "conf"
    conf.mkdir()
    for name, updates in {"pretrain": 10, "finetune": 10, "scratch": 30}.items():
        (conf / f"{name}.yaml").write_text(f"data: {{seconds_per_update: 20}}\nrun: {{updates: {updates}}}\n")
    (tmp_path / "plan.yaml").write_text("seeds: [1]\ntargets: [it]\nparts: {a: {systems: [scratch, r0]}}\n")
    found = cells(read_plan(tmp_path / "plan.yaml", SYSTEMS))
    made = marks(found, tmp_path / "exp", conf, tmp_path / "data", "tiny")
    return Work(found, made, tmp_path / "exp", conf)


def rows(work: Work, **speeds: float) -> dict[str, tuple]:
    speeds = {"pretrain": 10, "finetune": 20, "scratch": 10, "decode": 36, "score": 0, **speeds}
    (table,) = forecast(work, speeds, jobs=2)
    return {str(row[0]): row for row in table.rows}


def test_the_time_that_is_expected(work):
    """200 s of audio at 10 a second are 20 s."""
    told = rows(work)
    hours = {name: row[-1] * 3600 for name, row in told.items()}
    assert told["pretrain"][1:4] == (1, 0, 0) and told["scratch"][4:6] == (30, 20)
    assert hours["pretrain"] == pytest.approx(20, abs=36)
    assert hours["all"] == pytest.approx(20 + 10 + 60 + 2 * 36, abs=36)
    assert told["all, 2 at once"][-1] == pytest.approx(told["all"][-1] / 2, abs=0.01)


def test_settings_of_their_own_are_a_row_of_their_own(tmp_path):
    found, conf = cells(REDUCED), STUDY / "conf" / "recorded"
    made = marks(found, tmp_path / "exp", conf, tmp_path / "data", "tiny")
    told = rows(Work(found, made, tmp_path / "exp", conf), **{"continue": 10, "analyze": 0})
    assert [told[name][4] for name in ("finetune", "contrastive-finetune", "scratch")] == [400, 1600, 2000]
    # by its kind's speed, where none is given of its own
    assert told["contrastive-finetune"][6] == "20.0 audio s/s (given)"


def test_what_was_measured_counts_more_than_what_was_given(work):
    """4 of 10 updates took 1,000 s: 0.08 s of audio a second, and 120 s of audio are left."""
    (pretrain,) = [cell for cell in work.cells if cell.kind == "pretrain"]
    place = work.exp / pretrain.id
    place.mkdir(parents=True)
    (place / "timing.jsonl").write_text(json.dumps({"update": 4, "seconds": 1000.0}) + "\n")
    row = rows(work)["pretrain"]
    assert row[1:4] == (1, 0, 1)
    assert "0.1 audio s/s (measured over 1)" in row[6]
    assert row[-1] == pytest.approx(120 / 0.08 / 3600, abs=0.01)
    done(work, pretrain.id)
    row = rows(work)["pretrain"]
    assert (row[2], row[3], row[-1]) == (1, 0, 0)


def done(work: Work, name: str) -> None:
    work.marks[name].parent.mkdir(parents=True, exist_ok=True)
    work.marks[name].write_text("7\n")


def test_other_settings_and_inputs_undo_what_depends_on_them(work, tmp_path):
    def again(options: str = "tiny") -> dict[str, Path]:
        return marks(work.cells, work.exp, work.conf, tmp_path / "data", options)

    assert again() == work.marks
    assert set(again("base").values()).isdisjoint(work.marks.values())
    (work.conf / "pretrain.yaml").write_text("data: {seconds_per_update: 20}\nrun: {updates: 11}\n")
    changed = {name for name, mark in again().items() if mark != work.marks[name]}
    # all that goes on from the encoder, and nothing from scratch
    assert changed == {cell.id for cell in work.cells if cell.system == "r0"}
    (tmp_path / "data" / "manifests").mkdir(parents=True)
    before = again()
    manifest = tmp_path / "data" / "manifests" / "cv-it_cuts_train.jsonl.gz"
    manifest.write_bytes(gzip.compress(b'{"id": "a", "sources": [{"source": "/corpora/a.flac"}]}'))
    changed = {name for name, mark in again().items() if mark != before[name]}
    assert changed == {cell.id for cell in work.cells if cell.kind != "pretrain"}
    heard = again()
    # the same speech on another machine
    manifest.write_bytes(gzip.compress(b'{"id": "a", "sources": [{"source": "/mnt/a.flac"}]}'))
    assert again() == heard
