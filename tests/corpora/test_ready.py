"""Manifests written by Lhotse itself come back as clips."""

from pathlib import Path

import pytest
from lhotse import AudioSource, CutSet, MonoCut, Recording, RecordingSet, SupervisionSegment, SupervisionSet

from unispeech_cli.corpora.clip import Clip, Dropped
from unispeech_cli.corpora.ready import splits


def recording(name: str, kind: str = "file") -> Recording:
    return Recording(name, [AudioSource(kind, [0], f"/disk/{name}.wav")], 48_000, 480_000, 10.0)


def segment(
    name: str, of: str, start: float, duration: float, language: str | None = "es"
) -> SupervisionSegment:
    return SupervisionSegment(
        name,
        of,
        start,
        duration,
        text=f"text of {name}",
        language=language,
        speaker="s",
        custom={"topic": "t"},
    )


def clips(path: Path, language: str = "", allow_commands: bool = False) -> list[Clip | Dropped]:
    (split,) = splits(path, language, allow_commands=allow_commands)
    return list(split.clips())


def test_recordings_with_supervisions(tmp_path: Path) -> None:
    RecordingSet.from_recordings([recording("r1")]).to_file(tmp_path / "my-es_recordings_train.jsonl.gz")
    supervisions = [segment("u1", "r1", 1.5, 2.0), segment("u2", "r1", 0, 10.0), segment("u3", "r2", 0, 1.0)]
    SupervisionSet.from_segments(supervisions).to_file(tmp_path / "my-es_supervisions_train.jsonl.gz")
    (split,) = splits(tmp_path, "")
    one, two, lost = split.clips()
    assert (split.corpus, split.name) == ("my-es", "train")
    common = {"language": "es", "recording": "r1", "speaker": "s", "custom": {"topic": "t"}}
    assert one == Clip("u1", "/disk/r1.wav", "text of u1", start=1.5, duration=2.0, **common)
    assert two == Clip("u2", "/disk/r1.wav", "text of u2", promised=10.0, **common)
    assert isinstance(lost, Dropped) and lost.reason == "missing recording"


def test_cuts_of_one_of_many_and_of_no_supervisions(tmp_path: Path) -> None:
    spans = [segment("u1", "r1", 0.5, 1.0), segment("u2", "r1", 2.0, 3.0)]
    cuts = [
        MonoCut("c1", 1.0, 6.0, 0, spans, recording=recording("r1")),
        MonoCut("c2", 0.0, 10.0, 0, [segment("u3", "r2", 0, 10.0, None)], recording=recording("r2")).resample(
            16_000
        ),
        MonoCut("c3", 4.0, 2.0, 0, [], recording=recording("r3")),
    ]
    path = tmp_path / "my_cuts_train.jsonl.gz"
    CutSet.from_cuts(cuts).to_file(path)
    found = [clip for clip in clips(path, "fr") if isinstance(clip, Clip)]
    assert [(clip.id, clip.start, clip.duration, clip.language, clip.text) for clip in found] == [
        ("u1", 1.5, 1.0, "es", "text of u1"),
        ("u2", 3.0, 3.0, "es", "text of u2"),
        ("c2", 0.0, None, "fr", "text of u3"),
        ("c3", 4.0, 2.0, "fr", ""),
    ]


def test_cuts_that_are_not_in_a_file_or_have_no_language(tmp_path: Path) -> None:
    cuts = [
        MonoCut("c1", 0.0, 1.0, 0, [], recording=recording("r1", "url")),
        MonoCut("c2", 0.0, 1.0, 0, [segment("u2", "r2", 0, 1.0, None)], recording=recording("r2")),
        MonoCut("c3", 0.0, 1.0, 0, [], recording=recording("r3")).pad(2.0),
    ]
    CutSet.from_cuts(cuts).to_file(tmp_path / "my_cuts_train.jsonl")
    reasons = [drop.reason for drop in clips(tmp_path) if isinstance(drop, Dropped)]
    assert reasons == ["not in a file", "no language", "not of one channel"]


def test_commands_need_leave(tmp_path: Path) -> None:
    path = tmp_path / "my_cuts_train.jsonl"
    CutSet.from_cuts([MonoCut("c1", 0.0, 1.0, 0, [], recording=recording("r1", "command"))]).to_file(path)
    with pytest.raises(ValueError, match=r"c1 reads from a shell command; --allow-commands"):
        clips(path)
    (clip,) = clips(path, allow_commands=True)
    assert isinstance(clip, Clip) and clip.command


def test_what_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    (tmp_path / "my_cuts_bad.jsonl").write_text('{"id": 3}\n')
    (tmp_path / "my_cuts_none.jsonl").write_text("")
    (tmp_path / "odd.jsonl").write_text("")
    RecordingSet.from_recordings([recording("r1")]).to_file(tmp_path / "b_recordings_train.jsonl")
    with pytest.raises(ValueError, match=r"my_cuts_bad\.jsonl: not a Lhotse CutSet"):
        clips(tmp_path / "my_cuts_bad.jsonl")
    assert clips(tmp_path / "my_cuts_none.jsonl") == []
    with pytest.raises(FileNotFoundError, match=r"no manifest"):
        splits(tmp_path / "gone.jsonl.gz", "")
    with pytest.raises(ValueError, match=r"odd\.jsonl: expected a name like"):
        splits(tmp_path / "odd.jsonl", "")
    with pytest.raises(FileNotFoundError, match=r"no supervisions .*b_supervisions_train\.jsonl"):
        splits(tmp_path / "b_recordings_train.jsonl", "")
