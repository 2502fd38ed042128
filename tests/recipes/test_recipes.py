"""The recipes end to end at the size of CI: real run.sh, minutes of speech, a minute model."""

import gzip
import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
CI = ("--config", "local/ci/options.sh")
TWO = ("unispeech", "scratch")
ONE = ("unispeech",)
PLUS = ("unispeech+",)
# graphs need k2
BOOKS, TALKS = ("lattice-rescoring" if find_spec("k2") else "greedy"), "greedy"
HALF_A_MINUTE = ("--systems", "unispeech", "--target", "0.5min", "--methods", BOOKS)


@pytest.fixture(scope="session")
def checkout(tmp_path_factory) -> Path:
    """A place where the recipes and what they share lie, so that data/, exp/ and download/ are made there."""
    place = tmp_path_factory.mktemp("checkout")
    for name in ("recipes", "local"):
        (place / name).symlink_to(ROOT / name)
    return place


def run(checkout: Path, recipe: str, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
    }
    command = [str(checkout / "recipes" / recipe / "run.sh"), *options]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd="/", timeout=600)


def finished(checkout: Path, recipe: str, *options: str) -> str:
    """Run a recipe that should succeed; its stderr."""
    done = run(checkout, recipe, *CI, *options)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stderr


@pytest.fixture(scope="session")
def commonvoice(checkout) -> str:
    return finished(checkout, "commonvoice", "--systems", " ".join(TWO))


@pytest.fixture(scope="session")
def tedlium3(checkout) -> str:
    """Makes the encoder too, by the LibriSpeech recipe."""
    return finished(checkout, "tedlium3", "--systems", *PLUS, "--methods", TALKS)


@pytest.fixture(scope="session")
def librispeech(checkout, tedlium3) -> str:
    """Comes upon the encoder that the talks went on from, and what it was made of."""
    return finished(checkout, "librispeech", "--stage", "3", *HALF_A_MINUTE)


def stages(log: str) -> list[int]:
    return [int(number) for number in re.findall(r"\(run\.sh:\d+\) Stage (-?\d+):", log)]


def scored(exp: Path, target: str, systems: tuple[str, ...]) -> dict[str, dict]:
    """The systems of summary.json, which hold the PER of their score.json."""
    found = json.loads((exp / "summary.json").read_text())["systems"]
    assert tuple(found) == systems
    for system in systems:
        score = json.loads((exp / system / target / "decode" / "score.json").read_text())
        totals = [result["measures"]["PER"]["total"] for result in score["results"]]
        assert sum(total["reference"] for total in totals) > 50
        assert found[system]["per"] == pytest.approx(totals[0]["fraction"])
        assert found[system]["labelled_minutes"] > 0.4
    return found


def scored_in_words(exp: Path, target: str, systems: tuple[str, ...], methods: str) -> dict[str, dict]:
    """The systems of summary.json, with the WER of every method on dev and test."""
    found = json.loads((exp / "summary.json").read_text())["systems"]
    assert tuple(found) == systems
    for system in systems:
        assert list(found[system]["wer"]) == methods.split()
        for method, rates in found[system]["wer"].items():
            score = json.loads((exp / system / target / f"decode_{method}" / "score.json").read_text())
            totals = {r["test_set"]: r["measures"]["WER"]["total"] for r in score["results"]}
            assert len(rates) == 2 and set(totals) <= set(rates)
            # by words, dev has tried all scales, and test has the best one of them
            settings = {rate["setting"] for rate in rates.values()}
            assert len(settings) == 1 and settings <= {method, "lm_scale_0.2", "lm_scale_0.6"}
            for test_set, total in totals.items():
                assert total["reference"] > 15
                assert rates[test_set]["fraction"] == total["fraction"]
    return found


def test_commonvoice(checkout, commonvoice):
    found = scored(checkout / "exp", "it", TWO)
    assert stages(commonvoice) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert found["unispeech"]["updates_by_stage"] == {"pretrain": 8, "finetune": 8}
    assert found["scratch"]["updates_by_stage"] == {"finetune": 16}


def test_librispeech(checkout, librispeech):
    found = scored_in_words(checkout / "exp" / "librispeech", "0.5min-letters", ONE, BOOKS)
    assert stages(librispeech) == [3, 4, 5, 6, 7, 8]
    assert found["unispeech"]["updates_by_stage"] == {"pretrain": 8, "finetune": 8}
    assert 0.5 <= found["unispeech"]["labelled_minutes"] < 0.8


def test_tedlium3_goes_on_from_the_librispeech_encoder(checkout, tedlium3):
    found = scored_in_words(checkout / "exp" / "tedlium3", "train-letters", PLUS, TALKS)
    assert "[unispeech+] initialised from exp/librispeech/unispeech/pretrain/best" in tedlium3
    assert "initialised from exp/tedlium3/unispeech+/pretrain/best" in tedlium3
    # 8 on LibriSpeech, 4 on the talks' audio
    assert found["unispeech+"]["updates_by_stage"] == {"pretrain": 12, "finetune": 8}


def test_stages_that_were_run_do_nothing_again(checkout, librispeech):
    done, since = librispeech.split("Stage 4:")
    # the encoder
    assert (done.count("nothing to do"), since.count("nothing to do")) == (1, 0)
    before = times(checkout)
    log = finished(checkout, "librispeech", "--stop-stage", "1", *HALF_A_MINUTE)
    assert stages(log) == [0, 1]
    # corpus, three manifests
    assert log.count("nothing to do") == 4
    assert times(checkout) == before


def times(checkout: Path) -> dict[Path, int]:
    files = [
        path
        for name in ("download", "data", "exp")
        for path in (checkout / name).rglob("*")
        if path.is_file()
    ]
    return {path: path.stat().st_mtime_ns for path in files}


def test_the_corpus_may_be_a_link(checkout, commonvoice):
    link = checkout / "corpus-elsewhere"
    link.symlink_to(checkout / "download" / "mini" / "commonvoice")
    options = ("--dl-dir", str(link), "--data", "linked", "--stage", "1", "--stop-stage", "1")
    finished(checkout, "commonvoice", *options)
    made = {path.name for path in (checkout / "linked" / "manifests").glob("*_cuts_*")}
    splits = [(language, split) for language in ("en", "it") for split in ("train", "dev", "test")]
    assert made == {f"cv-{language}_cuts_{split}.jsonl.gz" for language, split in splits}


def test_released_splits_and_phone_maps(checkout, commonvoice, tmp_path):
    """Lists and maps of others, in the layout of the released ones, give the training its cuts and its tokens."""
    made = {cut["id"]: cut for cut in cuts(checkout / "data/commonvoice/it/cv-it_cuts_train.jsonl.gz")}
    train, dev = list(made)[::2], list(made)[1::2]
    folder = tmp_path / "it"
    folder.mkdir()
    for name, clips in (
        ("trainSeqs_1.0_uniform_new_version", train),
        ("valSeqs_1.0_uniform_new_version", dev),
    ):
        lines = ["/data/it/wavs_16k/", *(f"{clip}.wav\t9\t16000" for clip in clips)]
        (folder / f"{name}_16k.tsv").write_text("\n".join(lines) + "\n")
    (folder / "testSeqs_uniform_new_version.txt").write_text("\n".join(dev) + "\n")
    spoken = [cut["supervisions"][0]["custom"]["phones"].split() for cut in made.values()]
    phones = sorted({phone for said in spoken for phone in said}, reverse=True)
    ids = {phone: number for number, phone in enumerate([*phones, ""])}
    (folder / "phonesMatches_reduced.json").write_text(json.dumps(ids))
    splits = (
        "--train-split",
        "trainSeqs_1.0_uniform_new_version_16k",
        "--dev-split",
        "valSeqs_1.0_uniform_new_version_16k",
    )
    options = (*splits, "--test-split", "testSeqs_uniform_new_version", "--split-lists", str(tmp_path))
    data = ("--data", "released", "--inventories", str(tmp_path), "--stage", "1", "--stop-stage", "2")
    finished(checkout, "commonvoice", *options, *data)
    place = checkout / "released" / "it"
    for split, wanted in zip(splits[1::2], (train, dev), strict=True):
        assert sorted(cut["id"] for cut in cuts(place / f"cv-it_cuts_{split}.jsonl.gz")) == sorted(wanted)
    table = (place / "lang_phone" / "tokens.txt").read_text().split("\n")
    assert [line.split()[0] for line in table if line] == ["<blk>", *phones]


def cuts(manifest: Path) -> list[dict]:
    return [json.loads(line) for line in gzip.open(manifest, "rt", encoding="utf-8")]


def test_a_dry_run_tells_of_the_papers_settings_and_makes_nothing(checkout):
    before = set(checkout.iterdir())
    options = (
        "--setting",
        "many-to-many",
        "--preset",
        "base",
        "--dry-run",
        "true",
        "--systems",
        "unispeech+joint",
    )
    done = run(checkout, "commonvoice", *options)
    assert done.returncode == 0, done.stderr[-3000:]
    assert stages(done.stderr) == [3, 4]
    exp = "exp/many-to-many-base-separate/unispeech+joint"
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│" in line
    ]
    trained = [row[1] for row in rows if row[0] == "experiment"]
    # a long name goes on in the next line
    assert [name.startswith(f"{exp}/pretrain-ky") for name in trained] == [True, False]
    assert trained[1].startswith(f"{exp}/ky+nl")
    hours = {(row[0], row[1]): row[2] for row in rows if row[0] in ("labelled", "unlabelled")}
    assert hours[("labelled", "cv-en")] == "1,350.00"
    assert hours[("unlabelled", "cv-ru")] == "55.00"
    # the five targets, an hour each
    assert hours[("labelled", "cv-ru")] == "1.00"
    assert set(checkout.iterdir()) == before


@pytest.mark.parametrize(
    ("recipe", "options", "told"),
    [
        (
            "commonvoice",
            ("--setting", "one"),
            "--setting is one-to-one, many-to-one or many-to-many, not one",
        ),
        (
            "commonvoice",
            ("--dl-dir", "nowhere"),
            "unispeech: no corpus nowhere; expected a folder holding <lang>/train.tsv",
        ),
        (
            "tedlium3",
            ("--stage", "3", "--init", "gone"),
            "no gone/unispeech/pretrain; recipes/librispeech/run.sh --exp gone",
        ),
        (
            "librispeech",
            ("--mini", "true", "--dl-dir", "nowhere"),
            "--dl-dir ends in /librispeech/LibriSpeech: not nowhere",
        ),
        ("librispeech", ("--stgae", "3"), "invalid option --stgae"),
        ("tedlium3", ("--mini", "yes"), "option --mini is true or false, not yes"),
    ],
)
def test_what_is_missing_is_told_in_one_line(checkout, recipe, options, told):
    done = run(checkout, recipe, *options)
    lines = [line for line in done.stderr.splitlines() if ") Stage " not in line]
    assert done.returncode == 1
    assert len(lines) == 1 and told in lines[0]


@pytest.mark.parametrize("recipe", ["commonvoice", "librispeech", "tedlium3"])
def test_help_and_stage_minus_one_make_nothing(checkout, recipe):
    before = set(checkout.iterdir())
    told = run(checkout, recipe, "--help").stdout
    assert told.startswith("Usage: ") and "--mini true" in told
    log = run(checkout, recipe, "--stage", "-1", "--stop-stage", "-1", "--mini", "true").stderr
    assert stages(log) == ([-1] if recipe == "commonvoice" else [])
    assert set(checkout.iterdir()) == before


@pytest.mark.parametrize(
    ("recipe", "told"),
    [("librispeech", "/12/dev-clean.tar.gz"), ("tedlium3", "/51/TEDLIUM_release-3.tgz")],
)
def test_what_cannot_be_downloaded_is_named(checkout, recipe, told, tmp_path):
    """Nobody listens at port 9."""
    nowhere = "http://127.0.0.1:9"
    options = (
        "--dl-dir",
        str(tmp_path / "corpus"),
        "--mirror",
        nowhere,
        "--stage",
        "-1",
        "--stop-stage",
        "-1",
    )
    done = run(checkout, recipe, *options)
    assert done.returncode == 1
    assert f"cannot get {nowhere}{told}" in done.stderr.splitlines()[-1]
