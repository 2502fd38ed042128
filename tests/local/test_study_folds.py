"""Folds of a language: speakers apart, parts of one length, the same ones every time."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

sys.path.insert(0, str(Path(__file__).parents[2] / "local"))

from study.folds import deal, write_folds


def test_speakers_are_dealt_by_hand():
    """Who said most comes first, each to the part that has least."""
    speakers = {"a": ["a1", "a2"], "b": ["b1"], "c": ["c1"], "d": ["d1"], "e": ["e1"]}
    seconds = {"a1": 4.0, "a2": 5.0, "b1": 1.0, "c1": 3.0, "d1": 5.0, "e1": 4.0}
    # a 9 | d 5, then e to the 5: 9 | 9, then c to the first of equals: 12 | 9, then b: 12 | 10
    assert deal(speakers, seconds, 2) == [["a1", "a2", "c1"], ["b1", "d1", "e1"]]


def test_many_clips_are_balanced_and_no_speaker_is_in_two_parts():
    generator = np.random.default_rng(1)
    speakers = {f"s{n}": [f"s{n}-{clip}" for clip in range(1 + n % 4)] for n in range(60)}
    seconds = {clip: float(generator.uniform(2, 8)) for clips in speakers.values() for clip in clips}
    parts = deal(speakers, seconds, 5)
    assert sorted(clip for part in parts for clip in part) == sorted(seconds)
    owners = [{clip.split("-")[0] for clip in part} for part in parts]
    assert sum(map(len, owners)) == len(set().union(*owners)) == 60
    lengths = [sum(seconds[clip] for clip in part) for part in parts]
    assert max(lengths) - min(lengths) < 0.05 * sum(lengths) / 5


def test_lists_of_a_corpus(tmp_path):
    clips = tmp_path / "cv" / "sv-SE" / "clips"
    clips.mkdir(parents=True)
    rows = ["client_id\tpath\tsentence"]
    for number in range(6):
        soundfile.write(clips / f"{number}.wav", np.zeros(1600 * (1 + number)), 16_000)
        rows.append(f'speaker-{number}\t{number}.wav\t"Ja, {number}')
    (tmp_path / "cv" / "sv-SE" / "validated.tsv").write_text("\n".join(rows) + "\n")
    seconds = write_folds(tmp_path / "cv", "sv", 3, tmp_path / "out")
    lists = [(tmp_path / "out" / f"part-{part}.txt").read_text().split() for part in (1, 2, 3)]
    # 0.6 + 0.1, 0.5 + 0.2, 0.4 + 0.3
    assert lists == [["0.wav", "5.wav"], ["1.wav", "4.wav"], ["2.wav", "3.wav"]]
    assert seconds == pytest.approx([0.7, 0.7, 0.7])
    with pytest.raises(ValueError, match="6 speakers cannot be dealt out to 7 folds"):
        write_folds(tmp_path / "cv", "sv", 7, tmp_path / "out")
    with pytest.raises(FileNotFoundError, match=r"it/validated\.tsv"):
        write_folds(tmp_path / "cv", "it", 3, tmp_path / "out")
