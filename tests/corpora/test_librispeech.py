"""LibriSpeech's tree of parts, speakers and chapters; no audio is needed to read its transcripts."""

from pathlib import Path

import pytest

from unispeech_cli.corpora.clip import Clip, Dropped
from unispeech_cli.corpora.librispeech import splits


def write_chapter(root: Path, part: str, speaker: str, chapter: str, *lines: str) -> Path:
    folder = root / part / speaker / chapter
    folder.mkdir(parents=True)
    (folder / f"{speaker}-{chapter}.trans.txt").write_text("".join(f"{line}\n" for line in lines))
    return folder


def test_parts_speakers_and_chapters_in_order(tmp_path: Path) -> None:
    write_chapter(tmp_path, "train-clean-5", "9002", "10", "9002-10-0000 TWO", "9002-10-0001 THREE FOUR")
    folder = write_chapter(tmp_path, "train-clean-5", "19", "198", "19-198-0000 ONE")
    write_chapter(tmp_path, "dev-clean-2", "7", "1", "7-1-0000 FIVE")
    (tmp_path / "SPEAKERS.TXT").write_text(";ID |SEX| SUBSET\n19 | F | train-clean-5 | 8.08 | X\n")
    dev, train = splits(tmp_path)
    assert [(split.corpus, split.name) for split in (dev, train)] == [
        ("librispeech", "dev-clean-2"),
        ("librispeech", "train-clean-5"),
    ]
    found = list(train.clips())
    assert [clip.id for clip in found] == ["19-198-0000", "9002-10-0000", "9002-10-0001"]
    flac = str(folder / "19-198-0000.flac")
    assert found[0] == Clip("19-198-0000", flac, "ONE", "en", "19-198-0000", "19", "female")


def test_line_without_words_and_another_language(tmp_path: Path) -> None:
    write_chapter(tmp_path, "test", "1", "2", "1-2-0000", "", "1-2-0001 ZWEI")
    (split,) = splits(tmp_path, "de", ["test"])
    drop, clip = split.clips()
    assert isinstance(drop, Dropped) and (drop.id, drop.reason) == ("1-2-0000", "empty transcript")
    assert isinstance(clip, Clip) and clip.language == "de"


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    write_chapter(tmp_path / "corpus", "test-clean", "1", "2", "1-2-0000 ONE")
    with pytest.raises(
        FileNotFoundError, match=r"no corpus .*gone; expected a folder holding train-clean-100/"
    ):
        splits(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match=r"no part train-clean-100 in"):
        splits(tmp_path / "corpus", names=["test-clean", "train-clean-100"])
    with pytest.raises(ValueError, match=r"expected <part>/"):
        splits(tmp_path)
