import json
from pathlib import Path

import pytest

from unispeech_cli.decoder.scales import read_scales, setting
from unispeech_cli.paths import DecodeDir


def test_numbers_or_the_best_of_a_scored_directory(tmp_path: Path) -> None:
    assert read_scales("0.2,0.4, 1") == (0.2, 0.4, 1.0)
    DecodeDir(tmp_path).score.write_text(json.dumps({"best": setting(0.35)}))
    assert read_scales(str(tmp_path)) == (0.35,)


@pytest.mark.parametrize("given", ["a,b", "0.5,,", "-1", "nan", "exp/decode"])
def test_anything_else_is_refused_by_name(given: str) -> None:
    with pytest.raises(ValueError, match=f"--lm-scales {given}: "):
        read_scales(given)


def test_a_directory_without_a_best_scale_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="not scored yet; `unispeech score"):
        read_scales(str(tmp_path))
    DecodeDir(tmp_path).score.write_text(json.dumps({"best": "greedy"}))
    with pytest.raises(ValueError, match="its best setting is not a scale"):
        read_scales(str(tmp_path))
