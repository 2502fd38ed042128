"""Fine-tuning from a Shar directory, in noise: through the stage as a whole."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from lhotse import CutSet

from unispeech_cli.paths import ExpDir
from unispeech_cli.records import Note
from unispeech_cli.stages.finetune import FinetuneInputs, finetune
from unispeech_cli.trainer.journal import read_lines

pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")


def test_a_shar_directory_in_noise_trains_and_its_noise_is_an_input(
    corpus: Any, minute: Sequence[str], tones: Callable[..., Path], tmp_path: Path
) -> None:
    shar, noise = tmp_path / "shar", tones(tmp_path / "noise.jsonl", ["o i", "e"], labelled=False)
    shar.mkdir()
    CutSet.from_file(corpus.train).to_shar(shar, {"recording": "wav"}, shard_size=4)

    def run(exp: str, train: Path, *more: str) -> list[str]:
        settings = [*minute, "run.updates=2", "run.validations=1", *more]
        inputs = FinetuneInputs([train], [corpus.dev])
        records = finetune(tmp_path / exp, corpus.lang_dir, inputs, preset="tiny", overrides=settings)
        return [record.text for record in records if isinstance(record, Note)]

    varied = ["data.augment.speeds=[0.9, 1.0, 1.1]", "data.augment.noise.share=1"]
    varied.append(f"data.augment.noise.cuts={noise}")
    run("varied", shar, *varied)
    run("plain", shar)
    run("manifest", corpus.train)
    losses = {
        exp: [line["loss"] for line in read_lines(ExpDir(tmp_path / exp).metrics) if "loss" in line]
        for exp in ("varied", "plain", "manifest")
    }
    assert losses["plain"] == losses["manifest"] != losses["varied"]
    assert "nothing to do" in run("varied", shar, *varied)[-1]
    noise.write_text("\n".join(noise.read_text().splitlines()[:1]) + "\n")
    with pytest.raises(ValueError, match=r"made with other inputs: augment\..*noise"):
        run("varied", shar, *varied)
