from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors.torch import load_file

from unispeech_cli.paths import CheckpointDir, ExpDir
from unispeech_cli.provenance import hash_file
from unispeech_cli.records import Table
from unispeech_cli.stages.info import info
from unispeech_cli.stages.pretrain import PretrainInputs, pretrain
from unispeech_cli.trainer.journal import read_lines


def tables(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    return {record.title: record.rows for record in info(path) if isinstance(record, Table)}


@pytest.fixture(scope="module")
def exp(corpus: Any, minute: list[str], tmp_path_factory: pytest.TempPathFactory) -> ExpDir:
    exp = ExpDir(tmp_path_factory.mktemp("info") / "exp")
    inputs = PretrainInputs([corpus.train], [corpus.unlabelled], [corpus.dev])
    list(pretrain(exp.root, corpus.lang_dir, inputs, overrides=[*minute, "run.updates=2"]))
    return exp


def test_an_experiment_tells_of_its_best_checkpoint(exp: ExpDir, corpus: Any) -> None:
    found = tables(exp.root)
    what = dict(found["checkpoint"])
    weights = load_file(exp.best.weights)
    assert what["directory"] == str(exp.best.root)
    assert what["network"] == "encoder, codebook, CTC head (UniSpeech pre-training)"
    assert what["encoder"] == "1 layers, 32 wide, 2 heads"
    assert what["parameters"] == sum(value.numel() for value in weights.values())
    least = min((line["dev_per"], line["update"]) for line in read_lines(exp.metrics) if "dev_per" in line)
    assert (what["best"], what["best update"]) == least
    assert found["metrics"] == [(least[1], "dev_per", least[0])]
    assert dict(found["tokens"])["symbols"] == "<blk> a e i o"


def test_parameters_are_those_of_the_parts(exp: ExpDir) -> None:
    *parts, (last, everything) = tables(exp.root)["parameters"]
    assert (last, sum(number for _, number in parts)) == ("all", everything)
    assert dict(parts)["head"] == 5 * 32 + 5
    assert dict(parts)["context.project"] == 16 * 32 + 32


def test_settings_are_those_of_its_file(exp: ExpDir) -> None:
    found = dict(tables(exp.checkpoint(2).root)["settings"])
    saved = yaml.safe_load(exp.settings.read_text())
    assert found["run.updates"] == 2
    assert found["objective.alpha"] == saved["objective"]["alpha"]


def test_what_it_was_trained_on(exp: ExpDir, corpus: Any) -> None:
    assert tables(exp.root)["provenance"] == [
        ("labeled", str(corpus.train), hash_file(corpus.train)),
        ("unlabeled", str(corpus.unlabelled), hash_file(corpus.unlabelled)),
        ("dev", str(corpus.dev), hash_file(corpus.dev)),
    ]


def test_a_damaged_checkpoint_is_named(exp: ExpDir, tmp_path: Path) -> None:
    place = CheckpointDir(tmp_path / "copy")
    place.root.mkdir()
    for path in exp.best.root.iterdir():
        (place.root / path.name).write_bytes(path.read_bytes())
    place.tokens.write_text("<blk> 0\n")
    with pytest.raises(ValueError, match=r"tokens\.txt is damaged"):
        list(info(place.root))
    with pytest.raises(FileNotFoundError, match="holds no checkpoint"):
        list(info(tmp_path))
