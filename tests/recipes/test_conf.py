"""Every settings file of the recipes loads, and says what its name promises."""

from pathlib import Path

import pytest

from unispeech_cli.model.unispeech import PRESETS
from unispeech_cli.stages import finetune, pretrain

ROOT = Path(__file__).parent.parent.parent
FILES = sorted([*ROOT.glob("recipes/*/conf/*/*.yaml"), *ROOT.glob("local/ci/conf/*.yaml")])


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("path", FILES, ids=lambda path: "-".join(path.parts[-4:]))
def test_loads(path, preset):
    system, stage = path.stem.rsplit("-", 1)
    if stage == "finetune":
        settings = finetune.read_settings(preset, path, [], None)
        assert settings.freeze.frontend is (system != "scratch")
    else:
        settings = pretrain.read_settings(preset, path, [])
        assert (settings.objective.alpha == 0) is (stage == "continue" or system == "contrastive")
        assert (settings.model.quantizer is None) is (system == "ctc-transfer")
        assert (settings.objective.alpha == 1) is (system == "ctc-transfer")
