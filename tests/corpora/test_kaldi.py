"""Kaldi data directories, with and without segments and pipes."""

from pathlib import Path

import pytest

from unispeech_cli.corpora.clip import Clip, Dropped
from unispeech_cli.corpora.kaldi import splits


def write_data(folder: Path, **tables: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in tables.items():
        (folder / name.replace("wav_scp", "wav.scp")).write_text(text)
    return folder


def clips(folder: Path, language: str = "fr") -> list[Clip | Dropped]:
    (split,) = splits(folder, language, allow_commands=True)
    return list(split.clips())


def test_whole_recordings(tmp_path: Path) -> None:
    data = write_data(
        tmp_path / "train",
        wav_scp="u1 /disk/a.wav\nu2\t/disk/b c.flac\n",
        text="u2 deux mots\nu1 un\n",
        utt2spk="u1 s1\nu2 s2\n",
        spk2gender="s1 f\ns2 m\n",
        utt2lang="u2 es\n",
    )
    assert clips(data) == [
        Clip("u1", "/disk/a.wav", "un", "fr", "u1", "s1", "female"),
        Clip("u2", "/disk/b c.flac", "deux mots", "es", "u2", "s2", "male"),
    ]


def test_segments_and_pipes(tmp_path: Path) -> None:
    data = write_data(
        tmp_path / "train",
        wav_scp="r1 sph2pipe -f wav a.sph |\n",
        segments="u1 r1 0.5 2.25\nu2 r1 3 -1\nu3 r9 0 1\nu4 r1 x 1\nu5 r1 4 5\n",
        text="u1 un\nu2 deux\nu3 trois\nu4 quatre\nu5\n",
    )
    one, two, *drops = clips(data)
    assert one == Clip(
        "u1", "sph2pipe -f wav a.sph", "un", "fr", "r1", start=0.5, duration=1.75, command=True
    )
    assert isinstance(two, Clip) and (two.start, two.duration) == (3.0, None)
    reasons = [(drop.id, drop.reason) for drop in drops if isinstance(drop, Dropped)]
    assert reasons == [("u3", "missing recording"), ("u4", "stray line"), ("u5", "empty transcript")]


def test_without_text_the_speech_is_unlabelled(tmp_path: Path) -> None:
    (clip,) = clips(write_data(tmp_path / "raw", wav_scp="u1 a.wav\n"))
    assert isinstance(clip, Clip) and clip.text == ""


def test_data_directories_inside_one(tmp_path: Path) -> None:
    for name in ("train", "dev"):
        write_data(tmp_path / "data" / name, wav_scp="u1 a.wav\n", text="u1 un\n")
    found = splits(tmp_path / "data", "fr")
    assert [(split.corpus, split.name) for split in found] == [("kaldi", "dev"), ("kaldi", "train")]
    assert [split.name for split in splits(tmp_path / "data", "fr", ["train"])] == ["train"]


def test_what_is_missing_or_not_allowed_is_named(tmp_path: Path) -> None:
    data = write_data(tmp_path / "train", wav_scp="r1 rm -rf x |\n")
    with pytest.raises(ValueError, match=r"wav\.scp: r1 is a shell command; --allow-commands"):
        splits(data, "fr")
    with pytest.raises(ValueError, match=r"say with --language"):
        splits(data, "", allow_commands=True)
    with pytest.raises(FileNotFoundError, match=r"no data directory .*gone"):
        splits(tmp_path / "gone", "fr")
    with pytest.raises(FileNotFoundError, match=r"no data directory .*dev; expected"):
        splits(tmp_path, "fr", ["dev"])
    (tmp_path / "train" / "empty").mkdir()
    with pytest.raises(ValueError, match=r"expected wav\.scp"):
        splits(tmp_path / "train" / "empty", "fr")
