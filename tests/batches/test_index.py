import gzip
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from unispeech_cli.batches.index import index_cuts
from unispeech_cli.manifests import read_cuts
from unispeech_cli.paths import ManifestDir

Tones = Callable[..., Path]


def lines(manifest: Path) -> list[bytes]:
    return gzip.decompress(manifest.read_bytes()).splitlines(keepends=True)


def test_every_cut_is_reached_by_its_number(tones: Tones, tmp_path: Path) -> None:
    manifest = tones(tmp_path / "cv-es_cuts_train.jsonl.gz", ["a", "o i e", "e e"])
    index, cuts = index_cuts(manifest), list(read_cuts(manifest))
    assert [index.cut(number) for number in (2, 0, 1)] == [cuts[2], cuts[0], cuts[1]]
    assert index.seconds_N.tolist() == pytest.approx([cut.duration for cut in cuts])
    assert len(index) == 3


def test_letters_of_any_alphabet_do_not_move_the_offsets(tones: Tones, tmp_path: Path) -> None:
    manifest = tones(tmp_path / "x.jsonl", ["a", "e", "i"])
    text = manifest.read_text(encoding="utf-8").replace("x-0", "ʎ-0", 2)
    manifest.write_text(text.rstrip("\n"), encoding="utf-8")
    index = index_cuts(manifest)
    assert [index.cut(number).supervisions[0].custom["phones"] for number in (0, 1, 2)] == ["a", "e", "i"]


def test_units_are_noted_by_language(tones: Tones, tmp_path: Path) -> None:
    assert index_cuts(tones(tmp_path / "a.jsonl", ["i a i"], language="ky")).units == {"ky": ["a", "i"]}
    assert index_cuts(tones(tmp_path / "b.jsonl", ["i a"], labelled=False)).units == {}


def test_languages_are_noted_cut_by_cut(tones: Tones, tmp_path: Path) -> None:
    spoken = [tones(tmp_path / f"{name}.jsonl", ["i a"], language=name) for name in ("ky", "yue")]
    mixed = tmp_path / "mixed.jsonl"
    mute = spoken[0].read_text().replace('"language": "ky", ', "")
    mixed.write_text(spoken[1].read_text() + mute + spoken[0].read_text())
    index = index_cuts(mixed)
    assert [index.languages[code] for code in index.language_N] == ["yue", "", "ky"]


def test_an_empty_manifest_has_no_cuts(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").touch()
    assert (len(index_cuts(tmp_path / "x.jsonl")), index_cuts(tmp_path / "x.jsonl").languages) == (0, ())


def test_an_index_is_made_once_and_again_for_other_bytes(tones: Tones, tmp_path: Path) -> None:
    manifest = tones(tmp_path / "x.jsonl.gz", ["a", "e"])
    made = index_cuts(manifest).lines
    before = made.stat().st_mtime_ns
    assert index_cuts(manifest).lines == made
    assert made.stat().st_mtime_ns == before
    tones(manifest, ["i"])
    assert (len(index_cuts(manifest)), index_cuts(manifest).lines != made) == (1, True)


def test_trainings_that_start_together_share_one_index(tones: Tones, tmp_path: Path) -> None:
    manifest = tones(tmp_path / "x.jsonl.gz", ["a", "e"])
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: index_cuts(manifest), range(8)))
    assert [len(index) for index in made] == [2] * 8
    assert list(ManifestDir(tmp_path).index.iterdir()) == [made[0].lines.parent]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"{broken\n", "line 2: Expecting property name"),
        (b'"text"\n', "line 2: not a Lhotse cut"),
        (
            b'{"id": "x", "start": 0, "duration": 1, "recording_id": "x"}\n',
            "line 2: not a Lhotse cut.*no type",
        ),
    ],
)
def test_a_line_that_is_no_cut_is_named(tones: Tones, tmp_path: Path, line: bytes, fault: str) -> None:
    manifest = tones(tmp_path / "x.jsonl.gz", ["a", "e"])
    first, second = lines(manifest)
    manifest.write_bytes(gzip.compress(first + line + second))
    with pytest.raises(ValueError, match=rf"x\.jsonl\.gz {fault}"):
        index_cuts(manifest)
    assert list(ManifestDir(tmp_path).index.iterdir()) == []


def test_a_truncated_manifest_is_named(tones: Tones, tmp_path: Path) -> None:
    manifest = tones(tmp_path / "x.jsonl.gz", ["a", "e", "i"])
    manifest.write_bytes(manifest.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"x\.jsonl\.gz line .*; make the manifest again"):
        index_cuts(manifest)


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.jsonl\.gz"):
        index_cuts(tmp_path / "none.jsonl.gz")


def test_empty_lines_are_passed_over(tones: Tones, tmp_path: Path) -> None:
    manifest = tones(tmp_path / "x.jsonl", ["a", "e"])
    manifest.write_text(manifest.read_text().replace("\n", "\n\n"))
    index = index_cuts(manifest)
    assert json.loads(index.lines.read_text().splitlines()[1])["id"] == index.cut(1).id
