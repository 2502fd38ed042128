"""A decode in shards, or by the processes of torchrun, is the decode of one process."""

import dataclasses
import gzip
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from lhotse import MonoCut, Recording, SupervisionSegment

from unispeech_cli.batches.loader import inference_batches
from unispeech_cli.decoder.parts import deal
from unispeech_cli.decoder.recognition import LongCutSettings
from unispeech_cli.decoder.test_sets import read
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.manifests import write_cuts
from unispeech_cli.model.chunks import ChunkSettings
from unispeech_cli.model.encoder import EncoderSettings
from unispeech_cli.model.frontend import FrontendSettings
from unispeech_cli.model.recognizer import Recognizer, RecognizerSettings
from unispeech_cli.paths import CheckpointDir, DecodeDir
from unispeech_cli.records import Note
from unispeech_cli.shards import Shard
from unispeech_cli.stages.decode import DecodeSettings, decode
from unispeech_cli.stages.merge import merge
from unispeech_cli.trainer.checkpoint import Identity, Position, save

TABLE = TokenTable(("<blk>", "a", "b", "k", "ʎ"))
SIZE = RecognizerSettings(
    FrontendSettings(channels=8),
    EncoderSettings(layers=1, dim=16, heads=2, ffn_dim=16, position_kernel=4, position_groups=2),
)
# batches of a second, cuts over a second alone and in parts
SETTINGS = DecodeSettings(1.0, LongCutSettings(ChunkSettings(1.0, 0.1)))
OVERRIDES = [
    "--set",
    "seconds_per_batch=1",
    "--set",
    "long.chunk.seconds=1",
    "--set",
    "long.chunk.overlap=0.1",
]


@pytest.fixture(scope="module")
def exp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recogniser with random weights that says a lot."""
    root = tmp_path_factory.mktemp("exp")
    torch.manual_seed(5)
    model = Recognizer(SIZE, len(TABLE))
    with torch.no_grad():
        model.head.weight.mul_(20)
    settings = yaml.safe_dump({"model": dataclasses.asdict(SIZE)})
    save(CheckpointDir(root / "best"), model, Position(3, 3), Identity(settings, TABLE))
    return root


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Cuts of eight lengths, three of each talk at once, some long; two cannot be read. And one cut alone."""
    root = tmp_path_factory.mktemp("cuts")
    seconds = [0.1 + 0.15 * (number * 5 % 8) for number in range(24)]
    paths = [root / "cv-es_cuts_test.jsonl.gz", root / "cv-es_cuts_dev.jsonl"]
    write_cuts(
        paths[0], (cut(root / f"c{n}.wav", length, f"talk{n // 3}") for n, length in enumerate(seconds))
    )
    write_cuts(paths[1], [cut(root / "d.wav", 0.5, "talk")])
    (root / "c3.wav").write_bytes(b"RIFF")
    (root / "c6.wav").unlink()
    return paths


def cut(audio: Path, seconds: float, talk: str) -> MonoCut:
    samples = int(seconds * 16_000)
    soundfile.write(audio, np.random.default_rng(samples).normal(scale=0.1, size=samples), 16_000)
    custom = {"tokens_type": "phones", "phones": "k a ʎ"}
    said = SupervisionSegment(audio.stem, talk, 0.0, seconds, text="x", language="es", custom=custom)
    return MonoCut(
        audio.stem, 0.0, seconds, 0, [said], recording=Recording.from_file(audio, recording_id=talk)
    )


def snapshot(root: Path) -> dict[str, bytes]:
    """Every file, unpacked where it was packed with the time."""
    files = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}
    return {
        name: gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for name, path in files.items()
    }


def notes(records: Iterator[object]) -> list[str]:
    return [record.text for record in records if isinstance(record, Note)]


@pytest.fixture(scope="module")
def whole(
    exp: Path, manifests: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str]]:
    out = tmp_path_factory.mktemp("decoded") / "whole"
    return out, notes(decode(exp, manifests, out, settings=SETTINGS))


@pytest.mark.parametrize("of", [1, 3, 40])
def test_shards_make_the_decode_directory_of_one_run(
    exp: Path, manifests: list[Path], whole: tuple[Path, list[str]], tmp_path: Path, of: int
) -> None:
    out = tmp_path / "out"
    for number in range(of, 0, -1):
        list(decode(exp, manifests, out, settings=SETTINGS, shard=Shard(number, of)))
    assert [path.name for path in out.iterdir()] == ["shards"]
    merged = notes(merge(out))
    assert snapshot(out) == snapshot(whole[0]) and DecodeDir(out).decoded.is_file()
    assert len(snapshot(out)) == 7
    # the same lines on what could not be read, and counts of all
    warnings = [line for line in whole[1] if "left out" in line]
    assert len(warnings) == 2 and sorted(warnings) == sorted(line for line in merged if "left out" in line)
    assert "cv-es-test: 22 of 24 cuts" in merged
    done = [f"{out} is decoded from these inputs; nothing to do"]
    assert notes(decode(exp, manifests, out, settings=SETTINGS, shard=Shard(1, of))) == done
    assert notes(decode(exp, manifests, out, settings=SETTINGS)) == done


def test_batches_of_shards_are_those_of_all_cuts(manifests: list[Path]) -> None:
    shards = [Shard(number, 3) for number in (1, 2, 3)]
    seconds = [cut.duration for cut in read(manifests[0], None, 1.0, 1.0).cuts]
    dealt = [deal(seconds, shard, 1.0, 1.0) for shard in shards]
    assert sorted(number for mine in dealt for number in mine) == list(range(24))
    found = [read(manifests[0], shard, 1.0, 1.0) for shard in shards]
    assert [{cut.id for cut in one.cuts} for one in found] == [{f"c{n}" for n in mine} for mine in dealt]
    assert {one.total for one in found} == {24}
    whole = batches(read(manifests[0], None, 1.0, 1.0).cuts)
    assert sorted(whole) == sorted(batch for one in found for batch in batches(one.cuts))
    assert len(whole) > 6 and max(map(len, whole)) > 3
    # in turn: no shard has two batches more than another
    counts = [len(batches(one.cuts)) for one in found]
    assert max(counts) - min(counts) <= 1


def batches(cuts: Sequence[MonoCut]) -> list[tuple[str, ...]]:
    short = [cut for cut in cuts if cut.duration <= 1.0]
    return [tuple(batch.cut_ids) for batch in inference_batches(short, 1.0, None, lambda line: None)]


def test_a_shard_is_done_once_and_shards_are_not_decoded_over(
    exp: Path, manifests: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    list(decode(exp, manifests, out, shard=Shard(1, 2)))
    again = notes(decode(exp, manifests, out, shard=Shard(1, 2)))
    assert again == [f"{out}/shards/decode/1-of-2: same inputs, nothing to do"]
    with pytest.raises(
        ValueError, match=r"shards holds shards of .*out: unispeech merge .*out, or remove them"
    ):
        list(decode(exp, manifests, out))
    with pytest.raises(ValueError, match=r"decode: shard 2 of 2 not done"):
        list(merge(out))
    list(decode(exp, manifests, out, settings=SETTINGS, shard=Shard(2, 2)))
    with pytest.raises(ValueError, match=r"2-of-2 .*1-of-2 .* options seconds_per_batch: 1\.0 -> 120\.0"):
        list(merge(out))


def test_nothing_readable_in_any_shard_is_an_error_of_the_merge(exp: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "t.jsonl", tmp_path / "out"
    write_cuts(path, [cut(tmp_path / "a.wav", 0.3, "talk")])
    (tmp_path / "a.wav").unlink()
    for number in (1, 2):
        list(decode(exp, [path], out, shard=Shard(number, 2)))
    with pytest.raises(ValueError, match="t: none of 1 cuts could be decoded"):
        list(merge(out))
    assert (out / "shards").is_dir() and not DecodeDir(out).decoded.exists()


# without the last two options torchrun of torch 1.13 does not start on Python 3.11
TORCHRUN = (
    "-m torch.distributed.run --standalone --nproc_per_node 2 --monitor_interval 1 --redirects 9:1 --tee 9:1"
)


def torchrun(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *TORCHRUN.split(), "-m", "unispeech_cli", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_the_processes_of_torchrun_are_shards(
    exp: Path, manifests: list[Path], whole: tuple[Path, list[str]], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    # as if a former run had ended half way
    list(decode(exp, manifests, out, settings=SETTINGS, shard=Shard(1, 2)))
    done = torchrun("decode", exp, *manifests, "--out", out, *OVERRIDES)
    assert done.returncode == 0, done.stderr
    assert snapshot(out) == snapshot(whole[0])
    assert "1-of-2: same inputs, nothing to do" in done.stderr and "cv-es-test: 22 of 24 cuts" in done.stderr
