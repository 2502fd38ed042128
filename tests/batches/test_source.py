from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from unispeech_cli.batches.augment import AugmentSettings
from unispeech_cli.batches.index import CutIndex
from unispeech_cli.batches.plan import endless_plan
from unispeech_cli.batches.source import LoaderSettings, Source, open_sources, pools, summary
from unispeech_cli.lang.tokens import TokenTable

Tones = Callable[..., Path]
TABLE = TokenTable(("<blk>", "a", "e", "i", "o"))


def test_cuts_outside_the_limits_are_left_out_and_counted(tones: Tones, tmp_path: Path) -> None:
    few = tones(tmp_path / "few.jsonl", ["a", "a e i o", "a e"])
    more = tones(tmp_path / "more.jsonl", ["e", "o o o o o o"])
    settings = LoaderSettings(min_seconds=0.3, max_seconds=0.7)
    (source,) = open_sources([few, more], True, settings, TABLE)
    assert [source.cut(number).id for number in range(len(source.seconds_N))] == ["few-1", "few-2"]
    assert (source.left_out, round(source.hours * 3600, 2)) == (3, 0.92)
    assert summary([source], settings)[0] == "labelled: 2 cuts, 0.00 h; 3 outside 0.3 .. 0.7 s"


def test_nothing_within_the_limits_is_refused(tones: Tones, tmp_path: Path) -> None:
    manifest = tones(tmp_path / "x.jsonl", ["a", "e"])
    with pytest.raises(ValueError, match=r"x\.jsonl: none of 2 cuts lasts 5 \.\. 20 s"):
        open_sources([manifest], False, LoaderSettings(min_seconds=5.0), TABLE)


def test_less_than_a_frame_is_never_trained_on(tones: Tones, tmp_path: Path) -> None:
    assert LoaderSettings(min_seconds=0.0).shortest == 0.025
    fast = AugmentSettings(speeds=(0.9, 1.2))
    assert LoaderSettings(min_seconds=0.0, augment=fast).shortest == pytest.approx(0.03)


def test_units_beyond_the_table_are_named_with_their_manifest(tones: Tones, tmp_path: Path) -> None:
    manifest = tones(tmp_path / "x.jsonl", ["a o e"])
    table = TokenTable(("<blk>", "a", "i"))
    with pytest.raises(
        ValueError, match=r"x\.jsonl: not in the token table: e, o; the manifest and the lang"
    ):
        open_sources([manifest], True, LoaderSettings(), table)
    assert len(open_sources([manifest], False, LoaderSettings(), table)[0].seconds_N) == 1


def test_labelled_cuts_without_units_are_refused(tones: Tones, tmp_path: Path) -> None:
    manifest = tones(tmp_path / "x.jsonl", ["a"], labelled=False)
    with pytest.raises(ValueError, match=r"x\.jsonl holds no training units; run `unispeech phonemize`"):
        open_sources([manifest], True, LoaderSettings(), TABLE)


def test_each_language_is_a_source_of_its_own_unless_told_otherwise(tones: Tones, tmp_path: Path) -> None:
    manifests = [
        tones(tmp_path / "cv-ky.jsonl", ["a e", "a", "e i o"], language="ky"),
        tones(tmp_path / "cv-en.jsonl", ["o", "o e"], language="en"),
    ]
    english, kyrgyz = open_sources(manifests, True, LoaderSettings(), TABLE)
    assert (english.language, kyrgyz.language) == ("en", "ky")
    assert [english.cut(number).id for number in range(2)] == ["cv-en-0", "cv-en-1"]
    assert [kyrgyz.cut(number).id for number in range(3)] == ["cv-ky-0", "cv-ky-1", "cv-ky-2"]
    (together,) = open_sources(manifests, True, LoaderSettings(language_alpha=None), TABLE)
    assert [together.cut(number).id[:5] for number in range(5)] == ["cv-ky"] * 3 + ["cv-en"] * 2


def test_one_language_is_planned_as_one_pool_always_was(tones: Tones, tmp_path: Path) -> None:
    """Old runs of one language, and what is resumed of them, see the same batches."""
    manifest = tones(tmp_path / "x.jsonl", ["a", "e o", "i i a", "o a e i", "e", "a i"])
    plans = []
    for alpha in (0.5, None):
        settings = LoaderSettings(language_alpha=alpha)
        sources = [
            source for kind in (True, False) for source in open_sources([manifest], kind, settings, TABLE)
        ]
        plans.append(list(islice(endless_plan(pools(sources, settings), 1.0, seed=1), 40)))
    assert plans[0] == plans[1]
    assert {planned.pool for planned in plans[0]} == {0, 1}


def test_a_language_of_which_nothing_is_left_is_named(tones: Tones, tmp_path: Path) -> None:
    manifests = [
        tones(tmp_path / "en.jsonl", ["a"], language="en"),
        tones(tmp_path / "ky.jsonl", ["a a a a a a a a"], language="ky"),
    ]
    with pytest.raises(ValueError, match=r"none of 1 cuts of en lasts 0\.5 \.\. 20 s"):
        open_sources(manifests, True, LoaderSettings(min_seconds=0.5), TABLE)


def hours(count: float, labelled: bool, language: str = "en") -> Source:
    seconds_N = np.full(4, 900 * count)
    index = CutIndex(Path(), np.zeros(4), seconds_N, np.zeros(4, dtype=np.int16), (language,), {})
    return Source((index,), labelled, language, np.zeros((4, 2)), seconds_N, 0)


def test_shares_of_pools_are_those_of_their_sources() -> None:
    sources = [hours(1, True), hours(4, True, "es"), hours(5, False, "ky")]
    made = pools(sources, LoaderSettings())
    assert [pool.share for pool in made] == pytest.approx([1 / 6, 2 / 6, 1 / 2])
    assert [line.split(":")[0] for line in summary(sources, LoaderSettings())[:3]] == [
        "labelled en",
        "labelled es",
        "unlabelled ky",
    ]
    assert "4.00 h, 33.3 % of the audio trained on; 0 outside" in summary(sources, LoaderSettings())[1]


def test_accumulation_is_derived_from_seconds() -> None:
    assert LoaderSettings(75.0, 4800.0).division().batches == 64
    assert str(LoaderSettings(75.0, 10.0).division()) == "1 batch of 10 s"
    assert summary([], LoaderSettings(75.0, 4800.0)) == ["an update: 64 batches of 75 s"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"seconds_per_batch": 0.0},
        {"labeled_share": 1.5},
        {"workers": -1},
        {"prefetch": 0},
        {"language_alpha": -0.5},
        {"seconds_per_update": -1.0},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LoaderSettings(**wrong)  # type: ignore[arg-type]
