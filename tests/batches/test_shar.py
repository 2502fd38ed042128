"""Shar directories as `CutSet.to_shar` writes them; what Lhotse streams out of them is the oracle."""

import gzip
import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from lhotse import CutSet

from unispeech_cli.audio import read_cut
from unispeech_cli.batches.index import index_cuts
from unispeech_cli.batches.loader import training_batches
from unispeech_cli.batches.source import LoaderSettings, open_sources
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.paths import ExpDir
from unispeech_cli.provenance import hash_manifest
from unispeech_cli.trainer.checkpoint import Identity
from unispeech_cli.trainer.experiment import claim

Tones = Callable[..., Path]
TABLE = TokenTable(("<blk>", "a", "e", "i", "o"))
# Lhotse leaves its tars open
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
SPOKEN = ["a", "e o", "i i a", "o a e i", "e", "a i", "o o e"]


def write_shar(manifest: Path, out: Path, audio: str = "flac", shard_size: int = 3) -> Path:
    out.mkdir()
    CutSet.from_file(manifest).to_shar(out, {"recording": audio}, shard_size=shard_size)
    return out


@pytest.fixture
def manifest(tones: Tones, tmp_path: Path) -> Path:
    return tones(tmp_path / "cv-es_cuts_train.jsonl.gz", SPOKEN)


@pytest.mark.parametrize("audio", ["flac", "wav", "mp3"])
def test_every_cut_is_as_lhotse_streams_it(manifest: Path, tmp_path: Path, audio: str) -> None:
    shar = write_shar(manifest, tmp_path / "shar", audio)
    index = index_cuts(shar)
    streamed = list(CutSet.from_shar(in_dir=shar))
    assert len(index) == len(streamed) == len(SPOKEN)
    for number in (6, 0, 3, 1, 2, 5, 4):
        cut, wanted = index.cut(number), streamed[number]
        assert (cut.id, cut.supervisions, cut.duration) == (wanted.id, wanted.supervisions, wanted.duration)
        np.testing.assert_allclose(read_cut(cut), wanted.load_audio()[0], atol=1e-6)
    assert index.units == {"es": ["a", "e", "i", "o"]}
    # Lhotse takes all that lies there for fields of its own
    assert {path.name.split(".")[0] for path in shar.iterdir()} == {"cuts", "recording"}


def test_training_sees_the_same_as_from_the_manifest(manifest: Path, tmp_path: Path) -> None:
    shar = write_shar(manifest, tmp_path / "shar")
    settings = LoaderSettings(seconds_per_batch=1.0, workers=0)
    seen = []
    for path in (manifest, shar):
        sources = open_sources([path], True, settings, TABLE)
        seen.append(list(islice(training_batches(sources, TABLE, settings, 1, 2, pytest.fail), 8)))
    for plain, sharded in zip(*seen, strict=True):
        assert plain is not None and sharded is not None
        assert plain.cut_ids == sharded.cut_ids
        assert plain.token_BL.equal(sharded.token_BL)
        # flac has 16 bits, as the wavs do
        assert plain.wave_BS.equal(sharded.wave_BS)


def test_an_only_shard_without_a_number_is_read(manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "shar"
    out.mkdir()
    CutSet.from_file(manifest).to_shar(out, {"recording": "wav"}, shard_size=None)
    assert [index_cuts(out).cut(number).id[-1] for number in range(7)] == list("0123456")


def test_a_directory_that_moved_is_still_read(manifest: Path, tmp_path: Path) -> None:
    shar = write_shar(manifest, tmp_path / "shar")
    index_cuts(shar)
    (tmp_path / "elsewhere").mkdir()
    moved = shutil.move(shar, tmp_path / "elsewhere")
    shutil.move(tmp_path / ".index", tmp_path / "elsewhere")
    assert len(read_cut(index_cuts(Path(moved)).cut(2))) > 0


def test_a_part_of_a_cut_is_read_where_it_lies(manifest: Path, tmp_path: Path) -> None:
    cut = index_cuts(write_shar(manifest, tmp_path / "shar")).cut(3)
    whole, part = read_cut(cut), read_cut(cut.truncate(offset=0.1, duration=0.2))
    np.testing.assert_array_equal(part, whole[1600:4800])


def test_the_hash_is_of_the_cuts_and_of_how_large_the_audio_is(manifest: Path, tmp_path: Path) -> None:
    shar = write_shar(manifest, tmp_path / "shar")
    again = write_shar(manifest, tmp_path / "again")
    for path in again.glob("cuts.*"):
        # gzip has the time in it
        shutil.copy(shar / path.name, path)
    first = hash_manifest(shar)
    assert first == hash_manifest(again)
    (shar / "recording.000001.tar").write_bytes((shar / "recording.000001.tar").read_bytes() + bytes(512))
    assert hash_manifest(shar) != first
    (again / "cuts.000001.jsonl.gz").write_bytes(gzip.compress(b"{}"))
    assert hash_manifest(again) != first


def test_what_is_no_shar_directory_is_named(manifest: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no cuts\.000000\.jsonl\.gz in it"):
        index_cuts(tmp_path)
    shar = write_shar(manifest, tmp_path / "shar")
    (shar / "recording.000002.tar").unlink()
    with pytest.raises(ValueError, match=r"shar: 3 shards of cuts and 2 of recordings"):
        index_cuts(shar)


def test_cuts_and_audio_that_do_not_belong_together_are_named(manifest: Path, tmp_path: Path) -> None:
    shar = write_shar(manifest, tmp_path / "shar")
    tars = sorted(shar.glob("recording.*"))
    (shar / "cuts.000001.jsonl.gz").write_bytes((shar / "cuts.000000.jsonl.gz").read_bytes())
    with pytest.raises(
        ValueError, match=r"000001\.tar has cut cv-es_cuts_train-3 where cuts\.000001\.jsonl\.gz has "
    ):
        index_cuts(shar)
    lines = gzip.decompress((shar / "cuts.000000.jsonl.gz").read_bytes()).splitlines()
    (shar / "cuts.000000.jsonl.gz").write_bytes(gzip.compress(b"\n".join(lines[:2])))
    with pytest.raises(ValueError, match=r"000000\.tar has cut cv-es_cuts_train-2 where .* has nothing"):
        index_cuts(shar)
    tars[0].write_bytes(tars[0].read_bytes()[:-12_000])
    with pytest.raises(ValueError, match=r"recording\.000000\.tar"):
        index_cuts(shar)
    # .index and its lock, and nothing half made
    assert list((tmp_path / ".index").glob("*")) == []


def test_an_experiment_is_made_from_this_very_directory(manifest: Path, tmp_path: Path) -> None:
    shar, exp = write_shar(manifest, tmp_path / "shar"), ExpDir(tmp_path / "exp")
    mine = Identity("run:\n  updates: 10\n", TABLE)
    for _ in range(2):
        claim(exp, mine, {"train": [shar]}, None)
    (shar / "recording.000000.tar").write_bytes((shar / "recording.000000.tar").read_bytes() + bytes(512))
    with pytest.raises(ValueError, match=r"made with other inputs: train\..*shar "):
        claim(exp, mine, {"train": [shar]}, None)
