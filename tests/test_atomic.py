from pathlib import Path

import pytest

from unispeech_cli.atomic import atomic_dir, atomic_file, remove_dir, sweep, write_text


def test_a_failed_write_leaves_the_former_file(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    write_text(path, "former")
    with pytest.raises(RuntimeError), atomic_file(path) as fresh:
        fresh.write_text("half")
        raise RuntimeError
    assert path.read_text() == "former"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_keeps_its_suffixes_while_it_is_fresh(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "cuts.jsonl.gz") as fresh:
        assert fresh.name.endswith(".jsonl.gz")
        fresh.write_text("x")
    assert (tmp_path / "cuts.jsonl.gz").read_text() == "x"


def test_a_directory_takes_the_place_of_the_former(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint-1"
    for name in ("old", "new"):
        with atomic_dir(path) as fresh:
            (fresh / name).write_text(name)
    assert [item.name for item in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_in_the_place_of_a_directory_stays(tmp_path: Path) -> None:
    (tmp_path / "best").write_text("mine")
    with pytest.raises(NotADirectoryError), atomic_dir(tmp_path / "best") as fresh:
        (fresh / "model").write_text("x")
    assert (tmp_path / "best").read_text() == "mine"
    assert list(tmp_path.iterdir()) == [tmp_path / "best"]


def test_a_failed_directory_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), atomic_dir(tmp_path / "best") as fresh:
        (fresh / "model").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_what_is_removed_goes_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(path: Path, ignore_errors: bool) -> None:
        raise KeyboardInterrupt(path.name)

    with atomic_dir(tmp_path / "checkpoint-1") as fresh:
        (fresh / "model").write_text("x")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt, match=r"\.gone-checkpoint-1-"):
        patch.setattr("shutil.rmtree", killed)
        remove_dir(tmp_path / "checkpoint-1")
    assert not (tmp_path / "checkpoint-1").exists()
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_takes_leftovers_and_nothing_else(tmp_path: Path) -> None:
    for name in (".fresh-best-x", ".former-best-x", ".gone-checkpoint-3-x", "best"):
        (tmp_path / name).mkdir()
    for name in (".12-fresh-table.txt", "table.txt", ".prepare.json"):
        (tmp_path / name).touch()
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".prepare.json", "best", "table.txt"]


def test_a_directory_killed_between_its_two_renames_comes_back(tmp_path: Path) -> None:
    for name in (".former-checkpoint-10-ab_c", ".fresh-checkpoint-10-ab_c"):
        (tmp_path / name).mkdir()
    (tmp_path / ".former-checkpoint-10-ab_c" / "model").touch()
    sweep(tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == [
        "checkpoint-10",
        "checkpoint-10/model",
    ]
