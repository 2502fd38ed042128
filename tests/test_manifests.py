"""Cut manifests, held against what Lhotse itself would write and accept."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from lhotse import MonoCut, Recording, SupervisionSegment, load_manifest_lazy

from unispeech_cli.corpora.clip import Clip, Dropped, Measured, measure
from unispeech_cli.manifests import (
    Summary,
    build_cut,
    cut_writer,
    outside_limits,
    read_cuts,
    summarize,
    units,
    validate,
    write_cuts,
)


def measured(
    path: Path, rate: int = 48_000, samples: int = 100_003, channels: int = 1, **place: float
) -> Measured:
    noise = np.random.default_rng(0).normal(size=(samples, channels)) * 0.1
    soundfile.write(path, noise, rate)
    clip = Clip(
        "u1", str(path), "Hola, tú.", "es", path.stem, "s1", "female", **place, custom={"age": "teens"}
    )
    found = measure(clip)
    assert isinstance(found, Measured)
    return found


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_whole_file_is_the_cut_that_lhotse_makes(tmp_path: Path, rate: int, channels: int) -> None:
    path = tmp_path / "r1.wav"
    cut = build_cut(measured(path, rate, channels=channels), "hola tú")
    recording = Recording.from_file(path)
    expected = recording if rate == 16_000 else recording.resample(16_000)
    assert cut["recording"] == expected.to_dict()
    assert MonoCut.from_dict(json.loads(json.dumps(cut))).to_dict() == cut
    assert cut["duration"] == expected.duration == cut["supervisions"][0]["duration"]


def test_segment_keeps_its_place_and_the_original_text(tmp_path: Path) -> None:
    cut = build_cut(measured(tmp_path / "r1.flac", start=0.25, duration=1.5), "hola tú")
    assert (cut["start"], cut["duration"]) == (0.25, 1.5)
    assert cut["supervisions"] == [
        {
            "id": "u1",
            "recording_id": "r1",
            "start": 0.0,
            "duration": 1.5,
            "channel": 0,
            "text": "Hola, tú.",
            "language": "es",
            "speaker": "s1",
            "gender": "female",
            "custom": {"age": "teens", "text_norm": "hola tú"},
        }
    ]


def test_written_manifest_is_read_by_lhotse_and_validates(tmp_path: Path) -> None:
    path = tmp_path / "m" / "cv-es_cuts_train.jsonl.gz"
    cut = build_cut(measured(tmp_path / "r1.wav"), "hola tú")
    with cut_writer(path) as write:
        write(cut)
        assert not path.exists()
    assert [read.to_dict() for read in load_manifest_lazy(path)] == [cut]
    assert [read.to_dict() for read in read_cuts(path)] == [cut]
    assert validate(path) == Summary(1, pytest.approx(100_003 / 48_000 / 3600, rel=1e-4), 1)


def test_same_cuts_same_bytes(tmp_path: Path) -> None:
    cuts = [MonoCut.from_dict(build_cut(measured(tmp_path / "r1.wav"), "hola tú"))]
    first, second = tmp_path / "a_cuts_x.jsonl.gz", tmp_path / "b_cuts_x.jsonl.gz"
    assert write_cuts(first, cuts) == write_cuts(second, read_cuts(first)) == summarize(cuts)
    assert first.read_bytes() == second.read_bytes()


def test_failure_leaves_the_former_manifest(tmp_path: Path) -> None:
    path = tmp_path / "cuts.jsonl"
    path.write_text("former\n")
    with pytest.raises(ZeroDivisionError), cut_writer(path) as write:
        write({"id": "x"})
        raise ZeroDivisionError
    assert path.read_text() == "former\n" and list(tmp_path.iterdir()) == [path]


def test_malformed_lines_are_named(tmp_path: Path) -> None:
    good = json.dumps(build_cut(measured(tmp_path / "r1.wav"), ""))
    path = tmp_path / "cuts.jsonl"
    for bad in ("{", "3", '{"id": "x"}', '{"id": "r", "sources": [], "sampling_rate": 1}', "\xff"):
        path.write_text(f"{good}\n{bad}\n", encoding="latin-1")
        with pytest.raises(ValueError, match=r"cuts\.jsonl:2: not a Lhotse cut"):
            list(read_cuts(path))
    with pytest.raises(FileNotFoundError, match=r"no manifest"):
        list(read_cuts(tmp_path / "gone.jsonl"))


def test_cut_off_gzip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cuts.jsonl.gz"
    with gzip.open(path, "wt") as stream:
        stream.write(json.dumps(build_cut(measured(tmp_path / "r1.wav"), "")) + "\n")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"cuts\.jsonl\.gz:1: not a Lhotse cut"):
        list(read_cuts(path))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ([{}, {}], "cut u1: its id occurs twice"),
        ([{"sampling_rate": 8_000}], "cut u1: sampling rate 8000"),
        ([{"twice": True}], "cut u1: more than one supervision"),
        ([{"duration": -1.0}], "cut u1: .*duration must be greater than 0"),
    ],
)
def test_validate_names_the_cut(tmp_path: Path, changes: list[dict], fault: str) -> None:
    lines = []
    for change in changes:
        cut = build_cut(measured(tmp_path / "r1.wav", 16_000), "")
        cut["supervisions"] *= 1 + change.get("twice", False)
        cut["duration"] = change.get("duration", cut["duration"])
        cut["recording"]["sampling_rate"] = change.get("sampling_rate", 16_000)
        lines.append(json.dumps(cut) + "\n")
    (tmp_path / "cuts.jsonl").write_text("".join(lines))
    with pytest.raises(ValueError, match=fault):
        validate(tmp_path / "cuts.jsonl")


def test_limits_are_what_the_model_can_read() -> None:
    assert outside_limits("u1", 400 / 16_000) is None and outside_limits("u1", 60.0) is None
    short, long = outside_limits("u1", 399 / 16_000), outside_limits("u1", 60.1)
    assert isinstance(short, Dropped) and (short.reason, short.detail[:3]) == ("too short", "399")
    assert isinstance(long, Dropped) and (long.id, long.reason) == ("u1", "too long")


def test_units_are_those_of_the_tokens_type() -> None:
    custom = {"text_norm": "hola", "phones": "o l a", "letters": "h o l a", "tokens_type": "phones"}
    assert units(SupervisionSegment("u", "r", 0, 1, custom=custom)) == ["o", "l", "a"]
    assert units(SupervisionSegment("u", "r", 0, 1, custom={**custom, "tokens_type": "letters"})) == list(
        "hola"
    )
    assert units(SupervisionSegment("u", "r", 0, 1, custom={"text_norm": "hola"})) == []
    assert units(SupervisionSegment("u", "r", 0, 1)) == []
