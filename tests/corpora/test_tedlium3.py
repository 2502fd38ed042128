"""TED-LIUM's stm files; no audio is needed to read them."""

from pathlib import Path

import pytest

from unispeech_cli.corpora.clip import Clip, Dropped
from unispeech_cli.corpora.tedlium3 import splits

STM = """\
;; CATEGORY "0" "" ""
Ann_2010 1 inter_segment_gap 0 0.5 <o,,unknown> ignore_time_segment_in_scoring
Ann_2010 1 Ann_2010 0.50 4.81 <o,f0,female> and here 's {NOISE} an <unk> idea
Ann_2010 1 Ann_2010 4.81 17.02 words without a label
Ann_2010 1 Ann_2010 end
"""


def write_talk(root: Path, split: str, name: str, text: str) -> None:
    for kind in ("stm", "sph"):
        (root / split / kind).mkdir(parents=True, exist_ok=True)
    (root / split / "stm" / f"{name}.stm").write_text(text)


def test_segments_of_a_talk(tmp_path: Path) -> None:
    write_talk(tmp_path / "legacy", "train", "Ann_2010", STM)
    (split,) = splits(tmp_path)
    gap, first, second, stray = split.clips()
    assert (split.corpus, split.name) == ("tedlium", "train")
    assert first == Clip(
        id="Ann_2010-0000050-0000481",
        path=str(tmp_path / "legacy" / "train" / "sph" / "Ann_2010.sph"),
        text="and here 's {NOISE} an <unk> idea",
        language="en",
        recording="Ann_2010",
        speaker="Ann_2010",
        gender="female",
        start=0.5,
        duration=4.31,
    )
    assert isinstance(second, Clip)
    assert (second.text, second.gender, second.duration) == ("words without a label", None, 12.21)
    assert isinstance(gap, Dropped) and gap.expected and gap.reason == "not transcribed"
    assert isinstance(stray, Dropped) and stray.id == "Ann_2010.stm:5"


def test_splits_of_a_release_without_legacy(tmp_path: Path) -> None:
    for name in ("train", "dev", "test"):
        write_talk(tmp_path, name, "Ann_2010", STM)
    assert [split.name for split in splits(tmp_path)] == ["train", "dev", "test"]
    assert [split.name for split in splits(tmp_path, names=["dev"])] == ["dev"]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    write_talk(tmp_path / "corpus" / "legacy", "train", "Ann_2010", STM)
    with pytest.raises(FileNotFoundError, match=r"no corpus .*gone"):
        splits(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match=r"no split dev; expected .*legacy/dev/stm"):
        splits(tmp_path / "corpus", names=["dev"])
    with pytest.raises(ValueError, match=r"expected legacy/"):
        splits(tmp_path)
