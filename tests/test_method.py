"""docs/method.md: the settings and tests that it names exist, and its YAML is the released scripts."""

import dataclasses
import re
from pathlib import Path

import pytest

from unispeech_cli.stages import finetune, pretrain
from unispeech_cli.trainer.schedule import rate_factor, temperature

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "method.md").read_text("utf-8")
TABLE = TEXT.split("## Paper and released code, line by line")[1].split("The released scripts as settings")[0]
STAGES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


def names(of: type, prefix: str = "") -> set[str]:
    """Dotted names of all settings below the defaults."""
    found = set()
    for field in dataclasses.fields(of):
        value = getattr(of, field.name)
        found.add(prefix + field.name)
        if dataclasses.is_dataclass(value):
            found |= names(value, f"{prefix}{field.name}.")
    return found


def test_the_settings_of_the_table_exist() -> None:
    known = names(pretrain.read_settings("large", None, [])) | names(finetune.FinetuneSettings())
    named = set(
        re.findall(r"`((?:model|objective|replace|temperature|optim|rate|data|run)\.[a-z_.]+)`", TABLE)
    )
    assert len(named) > 10
    assert named - known == set()


def test_the_tests_that_are_named_exist() -> None:
    written = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", TEXT))
    assert len(named) > 15
    assert {name for name in named if f"def {name}(" not in written} == set()


@pytest.fixture
def stages(
    tmp_path: Path,
) -> tuple[pretrain.PretrainSettings, pretrain.PretrainSettings, finetune.FinetuneSettings]:
    """The three YAML blocks, as a training reads them."""
    paths = [tmp_path / f"{number}.yaml" for number in (1, 2, 3)]
    for path, text in zip(paths, STAGES, strict=True):
        path.write_text(text)
    one, two = (pretrain.read_settings("large", path, []) for path in paths[:2])
    return one, two, finetune.read_settings("large", paths[2], [], None)


def test_the_first_stage_is_the_released_script(stages) -> None:
    stage = stages[0]
    assert (stage.data.seconds_per_batch, stage.data.division().batches) == (1_200_000 / 16_000, 64)
    assert (stage.data.min_seconds, stage.data.max_seconds) == (32_000 / 16_000, 320_000 / 16_000)
    optim, model = stage.optim, stage.model
    assert (optim.lr, optim.betas, optim.eps, optim.weight_decay) == (1e-3, (0.9, 0.98), 1e-6, 0.01)
    assert (model.mask.probability, model.mask.length, model.mask.min_spans) == (0.5, 10, 2)
    assert (model.encoder.layerdrop, model.frontend.gradient_scale, model.frontend.bias) == (0.0, 1.0, True)
    dropouts = (
        model.input_dropout,
        model.feature_dropout,
        model.encoder.dropout,
        model.encoder.attention_dropout,
    )
    assert dropouts == (0.1,) * 4
    assert (stage.objective.alpha, stage.replace.r, stage.objective.diversity) == (0.5, 0.5, 0.1)
    contrast = stage.objective.contrastive
    assert (contrast.distractors, contrast.temperature, contrast.candidates) == (100, 0.1, "all")
    # lr 0 from 200k to 250k, the temperature still far from 0.1
    assert [rate_factor(stage.rate, at, stage.run.updates) for at in (24_999, 200_000, 249_999)] == [
        1.0,
        0,
        0,
    ]
    assert temperature(stage.temperature, 250_000, stage.run.updates) == pytest.approx(0.573, abs=5e-4)


def test_the_second_stage_is_the_released_script(stages) -> None:
    stage = stages[1]
    assert (stage.data.seconds_per_batch, stage.data.division().batches) == (1_000_000 / 16_000, 8 * 2)
    assert (stage.data.min_seconds, stage.data.max_seconds) == (32_000 / 16_000, 250_000 / 16_000)
    assert (stage.objective.alpha, stage.optim.lr, stage.model.mask.probability) == (0.0, 2e-4, 0.65)
    assert (stage.model.encoder.layerdrop, stage.model.frontend.gradient_scale) == (0.05, 0.1)
    assert (stage.model.frontend.normalize_wave, stage.objective.contrastive.candidates) == (True, "masked")
    assert [rate_factor(stage.rate, at, stage.run.updates) for at in (9_999, 55_000)] == [1.0, 0.5]
    assert temperature(stage.temperature, 100_000, stage.run.updates) == pytest.approx(1.213, abs=5e-4)


def test_the_third_stage_is_the_released_script(stages) -> None:
    stage = stages[2]
    assert (stage.data.seconds_per_batch, stage.data.division().batches) == (1_000_000 / 16_000, 4)
    assert (stage.optim.lr, stage.optim.eps, stage.optim.weight_decay) == (2e-5, 1e-8, 0.0)
    model = stage.model
    assert (model.time_mask.probability, model.time_mask.length) == (0.75, 10)
    assert (model.channel_mask.probability, model.channel_mask.length) == (0.25, 64)
    dropouts = (
        model.input_dropout,
        model.final_dropout,
        model.encoder.dropout,
        model.encoder.attention_dropout,
    )
    assert (*dropouts, model.encoder.activation_dropout, model.encoder.layerdrop) == (0.1,) * 6
    assert stage.freeze.frontend and stage.freeze.encoder * stage.run.updates == 2_000
    rates = [rate_factor(stage.rate, at, stage.run.updates) for at in (2_000, 9_999, 15_000, 20_000)]
    assert rates == pytest.approx([1.0, 1.0, 0.05**0.5, 0.05])
