from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from unispeech_cli.batches.index import CutIndex
from unispeech_cli.batches.source import LoaderSettings, Source, open_source, pools, summary
from unispeech_cli.lang.tokens import TokenTable

Tones = Callable[..., Path]
TABLE = TokenTable(("<blk>", "a", "e", "i", "o"))


def test_cuts_outside_the_limits_are_left_out_and_counted(tones: Tones, tmp_path: Path) -> None:
    few = tones(tmp_path / "few.jsonl", ["a", "a e i o", "a e"])
    more = tones(tmp_path / "more.jsonl", ["e", "o o o o o o"])
    settings = LoaderSettings(min_seconds=0.3, max_seconds=0.7)
    source = open_source([few, more], True, settings, TABLE)
    assert [source.cut(number).id for number in range(len(source.seconds_N))] == ["few-1", "few-2"]
    assert (source.left_out, round(source.hours * 3600, 2)) == (3, 0.92)
    assert summary([source], settings)[0] == "labelled: 2 cuts, 0.00 h; 3 outside 0.3 .. 0.7 s"


def test_nothing_within_the_limits_is_refused(tones: Tones, tmp_path: Path) -> None:
    manifest = tones(tmp_path / "x.jsonl", ["a", "e"])
    with pytest.raises(ValueError, match=r"x\.jsonl: none of 2 cuts lasts 5 \.\. 20 s"):
        open_source([manifest], False, LoaderSettings(min_seconds=5.0), TABLE)


def test_less_than_a_frame_is_never_trained_on(tones: Tones, tmp_path: Path) -> None:
    assert LoaderSettings(min_seconds=0.0).shortest == 0.025


def test_units_beyond_the_table_are_named_with_their_manifest(tones: Tones, tmp_path: Path) -> None:
    manifest = tones(tmp_path / "x.jsonl", ["a o e"])
    table = TokenTable(("<blk>", "a", "i"))
    with pytest.raises(
        ValueError, match=r"x\.jsonl: not in the token table: e, o; the manifest and the lang"
    ):
        open_source([manifest], True, LoaderSettings(), table)
    assert len(open_source([manifest], False, LoaderSettings(), table).seconds_N) == 1


def test_labelled_cuts_without_units_are_refused(tones: Tones, tmp_path: Path) -> None:
    manifest = tones(tmp_path / "x.jsonl", ["a"], labelled=False)
    with pytest.raises(ValueError, match=r"x\.jsonl holds no training units; run `unispeech phonemize`"):
        open_source([manifest], True, LoaderSettings(), TABLE)


def hours(count: float, labelled: bool) -> Source:
    seconds_N = np.full(4, 900 * count)
    index = CutIndex(Path(), np.zeros(4), seconds_N, {})
    return Source((index,), labelled, np.zeros((4, 2)), seconds_N, 0)


@pytest.mark.parametrize(
    ("sources", "labeled_share", "shares"),
    [
        ([hours(1, True), hours(3, False)], None, [0.25, 0.75]),
        ([hours(1, True), hours(3, False)], 0.5, [0.5, 0.5]),
        ([hours(1, True), hours(1, True), hours(6, False)], 0.5, [0.25, 0.25, 0.5]),
        ([hours(1, True)], 0.3, [1.0]),
        ([hours(2, False)], 0.3, [1.0]),
    ],
)
def test_shares_are_by_hours_unless_given(
    sources: list[Source], labeled_share: float | None, shares: list[float]
) -> None:
    assert [pool.share for pool in pools(sources, labeled_share)] == pytest.approx(shares)


def test_accumulation_is_derived_from_seconds() -> None:
    assert LoaderSettings(75.0, 4800.0).batches_per_update == 64
    assert LoaderSettings(75.0, 10.0).batches_per_update == 1
    assert summary([], LoaderSettings(75.0, 4800.0)) == ["an update: 64 batches of 75 s"]


@pytest.mark.parametrize(
    "wrong",
    [{"seconds_per_batch": 0.0}, {"labeled_share": 1.5}, {"workers": -1}, {"seconds_per_update": -1.0}],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LoaderSettings(**wrong)  # type: ignore[arg-type]
