"""The mini corpora synthesiser: layouts, disjoint splits, the same bytes again, and refusals."""

import csv
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

LOCAL = Path(__file__).parents[2] / "local"
sys.path.insert(0, str(LOCAL))

from mini_corpora.cli import LANGUAGE_FILES, main  # noqa: E402

SPLITS = ("train", "dev", "test")
ALL = "--corpora commonvoice,librispeech,tedlium3 --languages en,it"
SMALL = "--hours 0.01 --dev-minutes 0.4 --test-minutes 0.6"
TINY = "--hours 0.002 --dev-minutes 0.1 --test-minutes 0.1"


def run(out: Path, options: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [*before, sys.executable, str(LOCAL / "mini_corpora"), "--out", str(out), *options.split()]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("made")
    done = run(out, f"{ALL} {SMALL} --jobs 2 --json")
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows(tsv: Path) -> list[dict[str, str]]:
    with open(tsv, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_same_options_give_the_same_bytes_whatever_the_jobs(made, tmp_path):
    assert run(tmp_path, f"{ALL} {SMALL} --jobs 1").returncode == 0
    assert digests(tmp_path) == digests(made[0])


def test_dev_and_test_do_not_change_with_the_hours(made, tmp_path):
    assert run(tmp_path, f"--languages en {SMALL} --hours 0.02").returncode == 0
    for split in ("dev", "test"):
        files = [out / "commonvoice/en" / f"{split}.tsv" for out in (made[0], tmp_path)]
        assert files[0].read_bytes() == files[1].read_bytes()
        name = rows(files[0])[0]["path"]
        clips = [file.parent / "clips" / name for file in files]
        assert clips[0].read_bytes() == clips[1].read_bytes()


@pytest.mark.parametrize("language", ["en", "it"])
def test_commonvoice_layout(made, language):
    folder = made[0] / "commonvoice" / language
    header = (folder / "train.tsv").read_text(encoding="utf-8").splitlines()[0]
    assert header.split("\t") == (
        "client_id path sentence_id sentence sentence_domain up_votes down_votes age gender accents variant "
        "locale segment"
    ).split(" ")
    by_split = {split: rows(folder / f"{split}.tsv") for split in SPLITS}
    everything = [row for split in SPLITS for row in by_split[split]]
    assert rows(folder / "validated.tsv") == everything
    assert (
        rows(folder / "invalidated.tsv") == rows(folder / "other.tsv") == rows(folder / "reported.tsv") == []
    )
    assert {row["path"] for row in everything} == {clip.name for clip in (folder / "clips").iterdir()}
    assert {row["locale"] for row in everything} == {language}
    for name in ("client_id", "sentence"):
        values = [{row[name] for row in by_split[split]} for split in SPLITS]
        assert sum(map(len, values)) == len(set.union(*values))


def test_clip_durations_are_those_of_the_mp3_files(made):
    folder = made[0] / "commonvoice" / "en"
    durations = rows(folder / "clip_durations.tsv")
    assert len(durations) == len(list((folder / "clips").iterdir()))
    for row in durations:
        info = soundfile.info(folder / "clips" / row["clip"])
        assert (info.format, info.channels) == ("MP3", 1) and info.samplerate in (32000, 48000)
        assert abs(1000 * info.duration - int(row["duration[ms]"])) <= 1
        assert 1 < info.duration < 10


def test_librispeech_layout(made):
    root = made[0] / "librispeech" / "LibriSpeech"
    assert {path.name for path in root.iterdir()} == {
        "train-clean-5",
        "dev-clean-2",
        "test-clean",
        "SPEAKERS.TXT",
    }
    speakers = [line.split("|")[0].strip() for line in (root / "SPEAKERS.TXT").read_text().splitlines()[1:]]
    assert sorted(speakers) == sorted(path.name for path in root.glob("*/*"))
    assert len(set(speakers)) == len(speakers)
    for chapter in root.glob("*/*/*"):
        transcript = chapter / f"{chapter.parent.name}-{chapter.name}.trans.txt"
        texts = dict(line.split(" ", 1) for line in transcript.read_text(encoding="utf-8").splitlines())
        assert set(texts) == {path.stem for path in chapter.glob("*.flac")}
        assert all(re.fullmatch(r"[A-Z' É]+", text) for text in texts.values())
        info = soundfile.info(next(chapter.glob("*.flac")))
        assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")


def test_tedlium_layout(made):
    root = made[0] / "tedlium3" / "TEDLIUM_release-3" / "legacy"
    for split in SPLITS:
        recordings = {path.stem: soundfile.info(path) for path in (root / split / "sph").iterdir()}
        assert set(recordings) == {path.stem for path in (root / split / "stm").iterdir()}
        for name, info in recordings.items():
            assert (info.format, info.samplerate, info.channels) == ("NIST", 16000, 1)
            lines = (root / split / "stm" / f"{name}.stm").read_text(encoding="utf-8").splitlines()
            fields = [line.split(" ", 6) for line in lines]
            times = [float(time) for field in fields for time in field[3:5]]
            assert times == sorted(times) and times[-1] <= info.duration + 0.01
            spoken = [field for field in fields if field[6] != "ignore_time_segment_in_scoring"]
            assert {field[0] for field in fields} == {field[2] for field in spoken} == {name}
            assert len(fields) > len(spoken) >= 2
            assert all(re.fullmatch(r"<o,f0,(fe)?male>", field[5]) for field in spoken)
            assert all(re.fullmatch(r"[a-zé' ]+|<unk>.*|.*\{NOISE\}", field[6]) for field in spoken)


def noise_floor_db(wave: np.ndarray) -> float:
    """How far the quietest tenth of 25 ms frames lies under the loudest tenth."""
    frames = wave[: len(wave) // 400 * 400].reshape(-1, 400)
    quiet, loud = np.percentile(np.log10(np.mean(frames**2, axis=1) + 1e-12), [10, 90])
    return 10 * (quiet - loud)


def test_talks_are_faster_and_noisier_than_books(made):
    books, talks = (next(made[0].glob(name)) for name in ("librispeech/*/train*", "tedlium3/*/legacy/train"))
    read = [soundfile.read(path, dtype="float32")[0] for path in sorted(books.rglob("*.flac"))]
    held = [soundfile.read(path, dtype="float32")[0] for path in sorted(talks.rglob("*.sph"))]
    assert max(map(noise_floor_db, read)) < -30 < -25 < min(map(noise_floor_db, held))
    letters = sum(len(path.read_text()) for path in books.rglob("*.trans.txt"))
    lines = [line.split(" ", 6) for path in talks.rglob("*.stm") for line in path.read_text().splitlines()]
    spoken = [
        (len(line[6]), float(line[4]) - float(line[3])) for line in lines if "ignore_time" not in line[6]
    ]
    slow = letters / (sum(map(len, read)) / 16000)
    fast = sum(length for length, _ in spoken) / sum(seconds for _, seconds in spoken)
    assert fast > 1.25 * slow


def test_counts_match_the_files(made):
    out, counts = made
    corpora = ["commonvoice en", "commonvoice it", "librispeech en", "tedlium3 en"]
    places = [f"{row['corpus']} {row['language']} {row['split']}" for row in counts]
    assert places == [f"{corpus} {split}" for corpus in corpora for split in SPLITS]
    for row in counts[:3]:
        lines = rows(out / "commonvoice/en" / f"{row['split']}.tsv")
        clips = [out / "commonvoice/en/clips" / line["path"] for line in lines]
        assert row["sentences"] == len(lines)
        assert row["speakers"] == len({line["client_id"] for line in lines})
        seconds = sum(soundfile.info(clip).duration for clip in clips)
        assert row["hours"] == pytest.approx(seconds / 3600, abs=1e-4)
        assert row["phones"]["t"] > row["phones"].get("ʒ", 0)
        assert sum(row["phones"].values()) > 5 * row["sentences"]


def test_hours_come_out_as_asked(made):
    minutes = {"train": 0.6, "dev": 0.4, "test": 0.6}
    assert all(abs(60 * row["hours"] - minutes[row["split"]]) < 0.2 for row in made[1])


def test_second_run_does_nothing(made, capsys):
    out, counts = made
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert main(["--out", str(out), *f"{ALL} {SMALL} --json".split()]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == counts
    assert printed.err.count("\n") == printed.err.count("nothing to do") == 4
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_other_options_make_the_corpus_anew_and_say_so(tmp_path):
    assert run(tmp_path, f"--languages it {TINY}").returncode == 0
    done = run(tmp_path, f"--languages it {TINY} --test-minutes 0.2")
    assert "making anew: other test_seconds" in done.stderr
    assert [path.name for path in (tmp_path / "commonvoice").iterdir()] == ["it"]


def test_counts_are_printed_as_a_table(made):
    table = run(made[0], f"{ALL} {SMALL}").stdout.splitlines()
    assert table[0].split()[:4] == ["corpus", "lang", "split", "hours"]
    assert len({len(line) for line in table[:13]}) == 1
    assert table[14].startswith("commonvoice en train: ")


def test_every_language_speaks(tmp_path):
    languages = ",".join(path.stem for path in LANGUAGE_FILES.glob("*.yaml") if path.stem not in ("en", "it"))
    done = run(tmp_path, f"--languages {languages} {TINY} --json")
    assert done.returncode == 0, done.stderr
    assert {row["language"] for row in json.loads(done.stdout)} == set(languages.split(","))


def test_too_few_sentences_in_a_file(tmp_path, capsys):
    source = tmp_path / "lines.txt"
    source.write_text("Buongiorno.\nBuona sera.\n")
    assert main(["--out", str(tmp_path / "out"), "--languages", "it", "--sentences", f"it={source}"]) == 1
    assert "ask for fewer hours" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_mini_corpus_is_left_alone(tmp_path, capsys):
    real = tmp_path / "commonvoice" / "en" / "train.tsv"
    real.parent.mkdir(parents=True)
    real.write_text("client_id\tpath\n")
    assert main(["--out", str(tmp_path), "--languages", "en"]) == 1
    assert "no mini corpus" in capsys.readouterr().err
    assert real.read_text() == "client_id\tpath\n"


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    done = run(tmp_path, f"--languages en {TINY}", before=("bash", "-c", 'ulimit -f 4; exec "$@"', "limited"))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr and "is there room?" in done.stderr.splitlines()[-1]
    assert list((tmp_path / "commonvoice").iterdir()) == []


def children(pid: int) -> list[int]:
    by_thread = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in by_thread for child in file.read_text().split()]


def test_a_speaker_whose_process_is_killed_is_an_error_and_leaves_nothing_behind(tmp_path):
    command = [sys.executable, str(LOCAL / "mini_corpora"), "--out", str(tmp_path), "--languages", "en"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    speaking: list[int] = []
    while not speaking:
        assert process.poll() is None
        time.sleep(0.02)
        speaking = [speaker for server in children(process.pid) for speaker in children(server)]
    os.kill(speaking[0], signal.SIGKILL)
    said = process.communicate(timeout=60)[1].splitlines()
    assert (process.returncode, len(said)) == (1, 2)
    assert "was killed, is there memory?" in said[-1]
    assert list((tmp_path / "commonvoice").iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--languages xx", "unknown language 'xx'"),
        ("--corpora fisher", "unknown corpus 'fisher'"),
        ("--languages en --hours ru=1", "names ru"),
        ("--languages en --hours 0", "must be above 0"),
        ("--languages en --sentences it=x.txt", "names it"),
    ],
)
def test_refusals(tmp_path, capsys, options, message):
    assert main(["--out", str(tmp_path / "out"), *options.split()]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
