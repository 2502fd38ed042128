"""Corpora made here, with every fault that costs one clip and none that costs the run."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from lhotse import load_manifest_lazy

from unispeech_cli.audio import read_cut
from unispeech_cli.manifests import Summary, read_cuts, validate
from unispeech_cli.records import Note, Progress, Record, Table
from unispeech_cli.stages.prepare import COLUMNS, prepare

HEADER = "client_id path sentence up_votes down_votes age gender accent locale segment"


def noise(path: Path, seconds: float, rate: int = 48_000, channels: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = np.random.default_rng(7).normal(size=(round(seconds * rate), channels)) * 0.1
    kinds: dict[str, dict[str, Any]] = {
        ".sph": {"format": "NIST", "subtype": "PCM_16"},
        ".mp3": {"format": "MP3"},
    }
    soundfile.write(path, wave, rate, **kinds.get(path.suffix, {}))
    return path


def commonvoice(root: Path, language: str, split: str, clips: dict[str, str]) -> Path:
    """Rows of one speaker each; no audio. Returns the folder of clips."""
    folder = root / language / "clips"
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        f"speaker{n}\t{name}.mp3\t{text}\t2\t0\t\t\t\t{language}\t"
        for n, (name, text) in enumerate(clips.items())
    ]
    (root / language / f"{split}.tsv").write_text("\n".join([HEADER.replace(" ", "\t"), *rows]) + "\n")
    return folder


def run(*arguments: Any, **options: Any) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """The notes, and the row of each split by its name."""
    records: list[Record] = list(prepare(*arguments, **options))
    (table,) = [record for record in records if isinstance(record, Table)]
    assert table.columns == COLUMNS
    notes = [record.text for record in records if isinstance(record, Note)]
    return notes, {f"{row[0]} {row[1]}": dict(zip(COLUMNS, row, strict=True)) for row in table.rows}


def texts(path: Path) -> dict[str, str]:
    return {cut.id: cut.supervisions[0].custom["text_norm"] for cut in load_manifest_lazy(path)}


def test_commonvoice_to_cuts_of_16_khz(tmp_path: Path) -> None:
    clips = commonvoice(tmp_path / "cv", "tr", "train", {"a": "Işık, ILIK!", "b": "İyi\u2019ler"})
    noise(clips / "a.mp3", 1.5, 48_000)
    noise(clips / "b.mp3", 2.0, 16_000)
    notes, rows = run("commonvoice", tmp_path / "cv", tmp_path / "out")
    path = tmp_path / "out" / "cv-tr_cuts_train.jsonl.gz"
    hours = 3.5 / 3600
    assert notes == []
    assert rows["cv-tr train"] == dict(
        zip(COLUMNS, ("cv-tr", "train", 2, round(hours, 4), 2, 0, ""), strict=True)
    )
    assert validate(path) == Summary(2, pytest.approx(hours), 2)
    assert texts(path) == {"a": "ışık ılık", "b": "iyi'ler"}
    assert [cut.supervisions[0].text for cut in read_cuts(path)] == ["Işık, ILIK!", "İyi\u2019ler"]
    assert [read_cut(cut).shape for cut in read_cuts(path)] == [(24_000,), (32_000,)]


def test_every_fault_costs_one_line_and_one_cut(tmp_path: Path) -> None:
    names = "good empty page gone cut short long mute stereo listed".split()
    clips = commonvoice(
        tmp_path / "cv", "es", "train", {**dict.fromkeys(names, "Uno dos."), "mute": "…!", "blank": ""}
    )
    (tmp_path / "cv" / "es" / "clip_durations.tsv").write_text("clip\tduration[ms]\nlisted.mp3\t9000\n")
    for name in ("good", "cut", "mute", "listed"):
        noise(clips / f"{name}.mp3", 1.0)
    os.truncate(clips / "cut.mp3", (clips / "cut.mp3").stat().st_size // 2)
    (clips / "empty.mp3").touch()
    (clips / "page.mp3").write_text("<html>not found</html>")
    noise(clips / "short.mp3", 399 / 16_000, 16_000)
    noise(clips / "long.mp3", 61, 8_000)
    noise(clips / "stereo.mp3", 1.0, channels=2)
    table = tmp_path / "cv" / "es" / "train.tsv"
    table.write_text(table.read_text() + table.read_text().splitlines()[1] + "\nstray\trow\n")
    notes, rows = run("commonvoice", tmp_path / "cv", tmp_path / "out")
    path = tmp_path / "out" / "cv-es_cuts_train.jsonl.gz"
    assert list(texts(path)) == ["good", "stereo"]
    assert [read_cut(cut).shape for cut in read_cuts(path)] == [(16_000,), (16_000,)]
    dropped = [
        line.split("\t") for line in (tmp_path / "out" / "cv-es_dropped_train.tsv").read_text().splitlines()
    ]
    assert {fields[0]: fields[1] for fields in dropped} == {
        "id": "reason",
        "empty": "empty file",
        "page": "unreadable file",
        "gone": "missing file",
        "cut": "truncated file",
        "listed": "truncated file",
        "short": "too short",
        "long": "too long",
        "mute": "no words in transcript",
        "blank": "empty transcript",
        "good": "listed twice",
        "train.tsv:14": "stray row",
    }
    assert rows["cv-es train"]["dropped"] == 11 and "2 truncated file" in rows["cv-es train"]["why dropped"]
    # one line each, and one for the clip of two channels
    assert len(notes) == 12 and sum("stereo: 2 channels" in note for note in notes) == 1


def test_many_faults_of_a_kind_share_a_line(tmp_path: Path) -> None:
    clips = commonvoice(tmp_path / "cv", "es", "train", {f"c{n}": "Uno." for n in range(20)})
    noise(clips / "c0.mp3", 1.0)
    notes, rows = run("commonvoice", tmp_path / "cv", tmp_path / "out")
    assert rows["cv-es train"]["why dropped"] == "19 missing file"
    assert len(notes) == 6 and "14 more of this kind: missing file" in notes[-1]


def test_again_does_nothing_unless_something_changed(tmp_path: Path) -> None:
    clips = commonvoice(tmp_path / "cv", "es", "train", {"a": "Uno."})
    noise(clips / "a.mp3", 1.0)
    path = tmp_path / "out" / "cv-es_cuts_train.jsonl.gz"
    _, first = run("commonvoice", tmp_path / "cv", tmp_path / "out")
    written = path.stat().st_mtime_ns
    notes, again = run("commonvoice", tmp_path / "cv", tmp_path / "out")
    assert notes == [f"{path}: same inputs, nothing to do"] and again == first
    assert path.stat().st_mtime_ns == written
    commonvoice(tmp_path / "cv", "es", "train", {"a": "Dos."})
    notes, _ = run("commonvoice", tmp_path / "cv", tmp_path / "out")
    assert len(notes) == 1 and "is made again: inputs" in notes[0] and "train.tsv" in notes[0]
    assert texts(path) == {"a": "dos"}
    notes, _ = run("commonvoice", tmp_path / "cv", tmp_path / "out", transcode=True)
    assert notes == [f"{path} is made again: options transcode: False -> True"]
    path.unlink()
    assert run("commonvoice", tmp_path / "cv", tmp_path / "out", transcode=True)[0] == [] and path.is_file()


def test_several_jobs_write_the_same_manifest(tmp_path: Path) -> None:
    clips = commonvoice(tmp_path / "cv", "es", "train", {f"c{n}": "Uno." for n in range(230)})
    noise(clips / "c0.mp3", 0.5)
    for n in range(1, 230):
        if n % 7:
            os.link(clips / "c0.mp3", clips / f"c{n}.mp3")
    for jobs in (1, 3):
        run("commonvoice", tmp_path / "cv", tmp_path / f"out{jobs}", jobs=jobs)
    one, three = (tmp_path / f"out{jobs}" / "cv-es_cuts_train.jsonl.gz" for jobs in (1, 3))
    assert len(texts(one)) == 198 and one.read_bytes() == three.read_bytes()


def test_progress_counts_the_rows(tmp_path: Path) -> None:
    clips = commonvoice(tmp_path / "cv", "es", "train", {f"c{n}": "Uno." for n in range(120)})
    noise(clips / "c0.mp3", 0.5)
    records = list(prepare("commonvoice", tmp_path / "cv", tmp_path / "out"))
    steps = [(record.done, record.total) for record in records if isinstance(record, Progress)]
    assert steps == [(50, 121), (100, 121), (120, 120)]


def test_transcoded_cuts_are_flac_and_sound_the_same(tmp_path: Path) -> None:
    clips = commonvoice(tmp_path / "cv", "es", "train", {"a": "Uno.", "b": "Dos."})
    noise(clips / "a.mp3", 1.0, 44_100)
    noise(clips / "b.mp3", 1.5, 48_000, channels=2)
    run("commonvoice", tmp_path / "cv", tmp_path / "plain")
    run("commonvoice", tmp_path / "cv", tmp_path / "out", transcode=True, jobs=2)
    plain, coded = (
        list(read_cuts(tmp_path / name / "cv-es_cuts_train.jsonl.gz")) for name in ("plain", "out")
    )
    assert validate(tmp_path / "out" / "cv-es_cuts_train.jsonl.gz").cuts == 2
    for cut in coded:
        source = cut.recording.sources[0].source
        assert (
            source.startswith(f"{tmp_path}/out/audio/cv-es/") and soundfile.info(source).samplerate == 16_000
        )
        assert cut.recording.transforms is None
    np.testing.assert_allclose(read_cut(coded[0]), read_cut(plain[0]), atol=1e-4)
    assert [cut.id for cut in coded] == [cut.id for cut in plain]
    assert (clips / "a.mp3").is_file()


def test_split_list(tmp_path: Path) -> None:
    clips = commonvoice(tmp_path / "cv", "ky", "validated", {"a": "Бир.", "b": "Эки.", "c": "Үч."})
    for name in "abc":
        noise(clips / f"{name}.mp3", 1.0)
    (tmp_path / "train_1h.txt").write_text("c\nx\na\n")
    notes, rows = run(
        "commonvoice",
        tmp_path / "cv",
        tmp_path / "out",
        languages=["ky"],
        split_list=tmp_path / "train_1h.txt",
    )
    assert texts(tmp_path / "out" / "cv-ky_cuts_train_1h.jsonl.gz") == {"a": "бир", "c": "үч"}
    assert len(notes) == 1 and "x dropped: listed in" in notes[0]
    assert rows["cv-ky train_1h"]["why dropped"] == "1 not in any TSV"


def test_librispeech(tmp_path: Path) -> None:
    folder = tmp_path / "LibriSpeech" / "dev-clean-2" / "7" / "1"
    noise(folder / "7-1-0000.flac", 1.0, 16_000)
    (folder / "7-1.trans.txt").write_text("7-1-0000 HE HOPED THERE'D BE STEW\n7-1-0001 GONE\n")
    notes, rows = run("librispeech", tmp_path / "LibriSpeech", tmp_path / "out")
    assert texts(tmp_path / "out" / "librispeech_cuts_dev-clean-2.jsonl.gz") == {
        "7-1-0000": "he hoped there'd be stew"
    }
    assert rows["librispeech dev-clean-2"]["why dropped"] == "1 missing file" and len(notes) == 1


def test_tedlium_segments_of_a_talk(tmp_path: Path) -> None:
    legacy = tmp_path / "ted" / "legacy" / "dev"
    talk = noise(legacy / "sph" / "Ann_2010.sph", 4.0, 16_000)
    (legacy / "stm").mkdir()
    (legacy / "stm" / "Ann_2010.stm").write_text(
        "Ann_2010 1 gap 0 1 <o,,unknown> ignore_time_segment_in_scoring\n"
        "Ann_2010 1 Ann_2010 1.00 2.50 <o,f0,female> it 's {NOISE} <unk> fine\n"
        "Ann_2010 1 Ann_2010 2.50 4.20 <o,f0,female> the end rounded up\n"
        "Ann_2010 1 Ann_2010 5.00 6.00 <o,f0,female> after the end\n"
    )
    notes, rows = run("tedlium3", tmp_path / "ted", tmp_path / "out")
    path = tmp_path / "out" / "tedlium_cuts_dev.jsonl.gz"
    assert texts(path) == {
        "Ann_2010-0000100-0000250": "it's fine",
        "Ann_2010-0000250-0000420": "the end rounded up",
    }
    assert validate(path).cuts == 2
    first, second = read_cuts(path)
    whole, _ = soundfile.read(talk, dtype="float32")
    np.testing.assert_array_equal(read_cut(first), whole[16_000:40_000])
    np.testing.assert_array_equal(read_cut(second), whole[40_000:])
    assert rows["tedlium dev"]["why dropped"] == "1 not transcribed, 1 segment beyond the file"
    # what the corpus itself leaves out needs no line
    assert len(notes) == 1 and "the segment at 6.00 s" in notes[0]


@pytest.mark.filterwarnings("ignore:You requested a subset of a recording:UserWarning")
@pytest.mark.parametrize("transcode", [False, True])
def test_kaldi_with_pipes_and_segments(tmp_path: Path, transcode: bool) -> None:
    audio, data = noise(tmp_path / "a.wav", 3.0, 8_000), tmp_path / "data" / "train"
    data.mkdir(parents=True)
    (data / "wav.scp").write_text(f"r1 cat {audio} |\nr2 exit 3 |\n")
    (data / "segments").write_text("u1 r1 1 2.5\nu2 r2 0 1\n")
    (data / "text").write_text("u1 Eins\nu2 Zwei\n")
    with pytest.raises(ValueError, match=r"--allow-commands"):
        run("kaldi", data, tmp_path / "out", languages=["de"])
    options = {"languages": ["de"], "allow_commands": True, "transcode": transcode}
    _, rows = run("kaldi", data, tmp_path / "out", **options)
    (cut,) = read_cuts(tmp_path / "out" / "kaldi_cuts_train.jsonl.gz")
    wave = read_cut(cut)
    assert (cut.id, cut.duration, wave.shape) == ("u1", 1.5, (24_000,)) and wave.std() > 0.05
    assert rows["kaldi train"]["why dropped"] == "1 unreadable file"


def test_ready_manifests_are_checked_and_brought_to_16_khz(tmp_path: Path) -> None:
    clips = commonvoice(tmp_path / "cv", "es", "train", {"a": "Uno.", "b": "Dos."})
    for name in "ab":
        noise(clips / f"{name}.mp3", 1.0, 32_000)
    run("commonvoice", tmp_path / "cv", tmp_path / "first")
    (clips / "b.mp3").unlink()
    given = tmp_path / "first" / "cv-es_cuts_train.jsonl.gz"
    notes, _ = run("manifest", given, tmp_path / "out")
    (cut,) = read_cuts(tmp_path / "out" / given.name)
    assert cut.to_dict() == next(read_cuts(given)).to_dict()
    assert len(notes) == 1 and "no audio file" in notes[0]
    with pytest.raises(ValueError, match=r"choose another --out"):
        run("manifest", given, tmp_path / "first")


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    commonvoice(tmp_path / "cv", "es", "train", {"a": "Uno."})
    with pytest.raises(ValueError, match=r"nothing of .*cv can be used"):
        run("commonvoice", tmp_path / "cv", tmp_path / "out")


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("commonvoice", {}, "no corpus"),
        ("librispeech", {}, "no corpus"),
        ("tedlium3", {}, "no corpus"),
        ("kaldi", {"languages": ["de"]}, "no data directory"),
        ("manifest", {}, "no manifest"),
        ("timit", {}, "unknown kind of corpus timit; known: commonvoice"),
        ("librispeech", {"languages": ["en", "de"]}, "is one language"),
        ("librispeech", {"split_list": Path("list")}, "choose with --splits"),
    ],
)
def test_wrong_arguments_are_named(tmp_path: Path, kind: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        run(kind, tmp_path / "gone", tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_paths_stay_as_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise(commonvoice(tmp_path / "cv", "es", "train", {"a": "Uno."}) / "a.mp3", 1.0)
    monkeypatch.chdir(tmp_path)
    run("commonvoice", Path("cv"), Path("out"))
    (cut,) = read_cuts(Path("out/cv-es_cuts_train.jsonl.gz"))
    assert cut.recording.sources[0].source == "cv/es/clips/a.mp3"
    assert json.loads(Path("out/.prepare-cv-es-train.json").read_text())["row"][2] == 1
