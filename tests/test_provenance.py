from pathlib import Path

import pytest

from unispeech_cli.provenance import describe, differences, hash_file, record


def test_same_inputs_have_no_difference_and_others_are_named(tmp_path: Path) -> None:
    source, mark = tmp_path / "in.tsv", tmp_path / ".prepare.json"
    source.write_text("a")
    first = describe("prepare", [source], {"languages": ["ky"]})
    assert differences(mark, first) is None
    record(mark, first)
    assert differences(mark, describe("prepare", [source], {"languages": ["ky"]})) == []
    source.write_text("b")
    changed = differences(mark, describe("prepare", [source], {"languages": ["tt"]}))
    assert changed is not None
    assert len(changed) == 2
    assert changed[0].startswith(f"inputs {source}: ")
    assert changed[1] == "options languages: ['ky'] -> ['tt']"


def test_a_stranger_mark_is_refused(tmp_path: Path) -> None:
    mark = tmp_path / "mark.json"
    mark.write_text("{")
    with pytest.raises(ValueError, match=r"mark\.json is not the JSON"):
        differences(mark, {"stage": "x"})


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*gone\.tsv"):
        hash_file(tmp_path / "gone.tsv")
