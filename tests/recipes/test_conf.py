"""Every settings file of the recipes loads, and says what its name promises."""

from pathlib import Path

import pytest
import yaml

from unispeech_cli.model.unispeech import PRESETS
from unispeech_cli.stages import finetune, pretrain
from unispeech_cli.trainer.schedule import rate_factor, temperature

ROOT = Path(__file__).parent.parent.parent
# those of the study are one file for all systems: below
STUDY = ROOT / "recipes" / "study" / "conf"
FILES = sorted([*ROOT.glob("recipes/*/conf/*/*-*.yaml"), *ROOT.glob("local/ci/conf/*.yaml")])


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("path", FILES, ids=lambda path: "-".join(path.parts[-4:]))
def test_loads(path, preset):
    system, stage = path.stem.rsplit("-", 1)
    if stage == "finetune":
        settings = finetune.read_settings(preset, path, [], None)
        # nothing of a fresh encoder is frozen; before one that knows something the head learns alone
        assert (settings.freeze.encoder == 0) is (system == "scratch")
        assert not (system == "scratch" and settings.freeze.frontend)
    else:
        settings = pretrain.read_settings(preset, path, [])
        assert (settings.objective.alpha == 0) is (stage == "continue" or system.startswith("contrastive"))
        assert (settings.replace.r == 0) is (system in ("ctc-transfer", "r0"))
        assert (settings.model.quantizer is None) is (system == "ctc-transfer")
        assert (settings.objective.alpha == 1) is (system == "ctc-transfer")


# held against the numbers of the released one2one_large_pretrain_en1350.sh, continue_pretrain.sh and finetune.sh
PAPER = ROOT / "recipes" / "commonvoice" / "conf" / "paper"


def test_the_papers_pre_training_is_the_released_one():
    settings = pretrain.read_settings("large", PAPER / "unispeech-pretrain.yaml", [])
    updates, data = settings.run.updates, settings.data
    assert (updates, data.seconds_per_batch * 16_000, data.division().batches) == (200_000, 1_200_000, 64)
    assert (data.min_seconds * 16_000, data.max_seconds * 16_000) == (32_000, 320_000)
    assert settings.rate.warmup * updates == 25_000
    assert (settings.optim.lr, settings.objective.alpha, settings.replace.r) == (1e-3, 0.5, 0.5)
    assert (settings.model.mask.probability, settings.model.mask.length) == (0.5, 10)
    assert (settings.objective.contrastive.distractors, data.language_alpha) == (100, 0.5)
    encoder = settings.model.encoder
    dropouts = {
        encoder.dropout,
        encoder.attention_dropout,
        settings.model.input_dropout,
        settings.model.feature_dropout,
    }
    assert (dropouts, encoder.activation_dropout, encoder.layerdrop) == ({0.1}, 0.0, 0.0)


@pytest.mark.parametrize("system", ["unispeech+", "contrastive+"])
def test_the_papers_second_stage_is_the_released_one(system):
    settings = pretrain.read_settings("large", PAPER / f"{system}-continue.yaml", [])
    updates, data = settings.run.updates, settings.data
    assert (updates, data.seconds_per_batch * 16_000, data.division().batches) == (100_000, 1_000_000, 8 * 2)
    assert (settings.optim.lr, settings.rate.warmup * updates) == (2e-4, 10_000)
    assert (settings.model.mask.probability, settings.model.encoder.layerdrop) == (0.65, 0.05)
    assert settings.model.frontend.gradient_scale == 0.1
    assert temperature(settings.temperature, updates, updates) == pytest.approx(
        2 * 0.999995**updates, rel=1e-3
    )


def test_the_papers_fine_tuning_is_the_released_one():
    settings = finetune.read_settings("large", PAPER / "unispeech-finetune.yaml", [], None)
    updates, rate = settings.run.updates, settings.rate
    assert (updates, rate.shape, rate.warmup * updates, rate.hold * updates) == (
        20_000,
        "tri-stage",
        2000,
        8000,
    )
    assert rate_factor(rate, updates, updates) == pytest.approx(0.05)
    assert settings.freeze.frontend
    assert (settings.data.seconds_per_batch * 16_000, settings.data.division().batches) == (1_000_000, 4)
    assert (settings.optim.lr, settings.optim.eps, settings.optim.weight_decay) == (2e-5, 1e-8, 0.0)
    assert (settings.freeze.frontend, settings.freeze.encoder * updates) == (True, 2000)
    masks = [
        (mask.probability, mask.length) for mask in (settings.model.time_mask, settings.model.channel_mask)
    ]
    assert masks == [(0.75, 10), (0.25, 64)]
    assert (settings.model.encoder.layerdrop, settings.model.encoder.activation_dropout) == (0.1, 0.1)


STUDIED = yaml.safe_load((STUDY / "systems.yaml").read_text())
SIZES = [path.name for path in sorted(STUDY.iterdir()) if path.is_dir()]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("system", list(STUDIED))
def test_a_system_of_the_study_is_what_its_line_says(size, system):
    """Beside what the line changes all systems have the same settings."""
    shared = pretrain.read_settings("tiny", STUDY / size / "pretrain.yaml", [])
    settings = pretrain.read_settings("tiny", STUDY / size / "pretrain.yaml", STUDIED[system].split())
    alike = {**vars(settings), "objective": None, "replace": None, "model": None}
    assert alike == {**vars(shared), "objective": None, "replace": None, "model": None}
    assert (settings.objective.alpha == 0) is (system in ("contrastive", "alpha0"))
    assert (settings.objective.alpha == 1) is (system in ("ctc-transfer", "alpha1"))
    assert (settings.replace.r == 0) is (system in ("r0", "ctc-transfer"))
    assert (settings.model.quantizer is None) is (system == "ctc-transfer")
    # and it goes on with what is left of it
    pretrain.read_settings("tiny", STUDY / size / "continue.yaml", STUDIED[system].split())


def test_codebooks_of_the_study_have_the_size_in_their_name():
    for system in (name for name in STUDIED if name.startswith("codes-")):
        read = pretrain.read_settings("tiny", STUDY / "mini" / "pretrain.yaml", STUDIED[system].split())
        assert read.model.quantizer is not None
        assert system == f"codes-{read.model.quantizer.groups}x{read.model.quantizer.entries}"


def test_scratch_hears_as_much_as_both_stages_on_synthetic_speech():
    """On recorded speech it has less, and its settings say so."""
    before = pretrain.read_settings("tiny", STUDY / "mini" / "pretrain.yaml", [])
    tuned, scratch = (
        finetune.read_settings("tiny", STUDY / "mini" / f"{name}.yaml", [], None)
        for name in ("finetune", "scratch")
    )
    assert scratch.run.updates == before.run.updates + tuned.run.updates
    assert {s.data.seconds_per_update for s in (before, tuned, scratch)} == {20}
    assert not scratch.freeze.frontend
