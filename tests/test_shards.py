"""What is dealt out comes back whole and in order, or not at all."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unispeech_cli.provenance import describe
from unispeech_cli.records import Note
from unispeech_cli.shard_paths import PartsDir
from unispeech_cli.shards import Dealt, Shard, collect, in_order, is_left_to_do, parse, part, remove


def test_a_shard_is_written_as_a_fraction() -> None:
    assert parse("3/8") == Shard(3, 8) and str(Shard(3, 8)) == "3/8"
    assert parse(None) is None


@pytest.mark.parametrize("text", ["3", "0/8", "9/8", "1/0", "-1/8", "a/b", "3/8/2", "3 of 8", ""])
def test_other_than_i_of_n_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=rf"^--shard {text}: "):
        parse(text)


@pytest.mark.parametrize(
    ("total", "of", "block"), [(0, 3, 2), (1, 3, 2), (23, 3, 2), (24, 4, 3), (7, 1, 5), (5, 8, 1)]
)
def test_shards_together_are_all_items_in_their_order(total: int, of: int, block: int) -> None:
    dealt = [Dealt(range(total), Shard(number, of), block) for number in range(1, of + 1)]
    parts = [list(one) for one in dealt]
    assert {one.total for one in dealt} == {total}
    assert sorted(item for one in parts for item in one) == list(range(total))
    assert list(in_order(parts, total, block)) == list(range(total))
    # neighbours stay together, and no shard has more than a block above its share
    assert all(
        one[:block] == list(range(n * block, (n + 1) * block))[: len(one)] for n, one in enumerate(parts)
    )
    assert max(map(len, parts)) - min(map(len, parts)) <= block


def test_blocks_go_on_where_those_of_another_file_ended() -> None:
    whole = [f"{name}{number}" for name in "ab" for number in range(5)]
    # a has blocks 0 1 2, b begins with 3
    parts = {1: (["a0", "a1", "a4"], ["b2", "b3"]), 2: (["a2", "a3"], ["b0", "b1", "b4"])}
    found = [*in_order([parts[1][0], parts[2][0]], 5, 2), *in_order([parts[1][1], parts[2][1]], 5, 2, 3)]
    assert found == whole


def test_too_few_or_too_many_are_named_with_their_shard() -> None:
    with pytest.raises(ValueError, match=r"^shard 2/2 ends before item 4 of 4$"):
        list(in_order([[0, 2], [1]], 4, 1))
    with pytest.raises(ValueError, match=r"^shard 1/2 has more than its part of 3 items$"):
        list(in_order([[0, 2, 3], [1]], 3, 1))


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., PartsDir]:
    source = tmp_path / "source.txt"
    source.write_text("all")

    def made(*numbers: int, of: int = 3, **options: Any) -> PartsDir:
        place = PartsDir(tmp_path / "out" / "shards" / "work")
        for number in numbers:
            wanted = describe("work", [source], {"speed": 1, **options})
            with part(place, Shard(number, of), wanted) as (fresh, facts):
                (fresh.root / "items.txt").write_text(str(number))
                facts["items"] = number
        return place

    return made


def test_all_parts_are_found_in_order(make: Callable[..., PartsDir]) -> None:
    parts = collect(make(3, 1, 2))
    assert [(str(one.shard), one.facts["items"]) for one in parts] == [("1/3", 1), ("2/3", 2), ("3/3", 3)]
    assert parts[0].made["options"] == {"speed": 1}


def test_ten_come_after_two(make: Callable[..., PartsDir]) -> None:
    assert [one.shard.number for one in collect(make(*range(11, 0, -1), of=11))] == list(range(1, 12))


def spoil(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))


def other_options(make: Callable[..., PartsDir]) -> None:
    make(2, speed=2)


def other_division(make: Callable[..., PartsDir]) -> None:
    make(1, of=4)


def damaged(make: Callable[..., PartsDir]) -> None:
    (make().root / "2-of-3" / "items.txt").write_text("3")


def renamed(make: Callable[..., PartsDir]) -> None:
    place = make()
    (place.root / "3-of-3" / "items.txt").unlink()
    (place.root / "3-of-3" / "shard.json").unlink()
    (place.root / "3-of-3").rmdir()
    (place.root / "2-of-3").rename(place.root / "3-of-3")
    make(2)


def changed(make: Callable[..., PartsDir]) -> None:
    (make().root.parents[2] / "source.txt").write_text("more")


def cut_short(make: Callable[..., PartsDir]) -> None:
    record = make().root / "2-of-3" / "shard.json"
    record.write_text(record.read_text()[:50])


def without_record(make: Callable[..., PartsDir]) -> None:
    (make().root / "2-of-3" / "shard.json").unlink()


@pytest.mark.parametrize(
    ("harm", "complaint"),
    [
        (
            other_options,
            r"2-of-3 \(first\) and .*1-of-3 \(second\) .*options speed: 2 -> 1; run one of them again",
        ),
        (other_division, r"work: shards of 3 and of 4; merge or remove those of one division first"),
        (damaged, r"items\.txt is not what the shard has written: remove .*2-of-3 and run --shard 2/3 again"),
        (renamed, r"3-of-3 holds shard 2/3: remove .*3-of-3 and run --shard 3/3 again"),
        (changed, r"source\.txt has changed since .* was made of it: run the shards again"),
        (cut_short, r"2-of-3/shard\.json is damaged .* run --shard 2/3 again"),
        (without_record, r"no .*2-of-3/shard\.json: remove .* run --shard 2/3 again"),
    ],
)
def test_what_does_not_go_together_is_named(
    make: Callable[..., PartsDir], harm: Callable[..., None], complaint: str
) -> None:
    place = make(1, 2, 3)
    harm(make)
    with pytest.raises(ValueError, match=complaint) as error:
        collect(place)
    assert "\n" not in str(error.value)


def test_missing_shards_are_named(make: Callable[..., PartsDir]) -> None:
    with pytest.raises(ValueError, match=r"work: shard 2 of 3 not done; --shard I/3 makes each"):
        collect(make(1, 3))


def test_many_missing_shards_stay_one_line(make: Callable[..., PartsDir]) -> None:
    with pytest.raises(
        ValueError, match=r": shards 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 7 more of 20 not done"
    ):
        collect(make(20, of=20))


def test_a_shard_that_is_done_is_not_made_again(make: Callable[..., PartsDir], tmp_path: Path) -> None:
    place = make(1)

    def left(shard: Shard, **options: Any) -> tuple[list[str], bool]:
        going, notes = is_left_to_do(place, shard, describe("work", [tmp_path / "source.txt"], options)), []
        while True:
            try:
                note = next(going)
                assert isinstance(note, Note)
                notes.append(note.text)
            except StopIteration as end:
                return notes, end.value

    path = place.root / "1-of-3"
    assert left(Shard(1, 3), speed=1) == ([f"{path}: same inputs, nothing to do"], False)
    assert left(Shard(2, 3), speed=1) == ([], True)
    assert left(Shard(1, 3), speed=2) == ([f"{path} is made again: options speed: 1 -> 2"], True)
    with pytest.raises(ValueError, match="shards of 3 and of 4"):
        left(Shard(1, 4), speed=1)


def test_a_failure_midway_leaves_no_part(make: Callable[..., PartsDir], tmp_path: Path) -> None:
    place = make(1)
    with pytest.raises(OSError, match="no room"), part(place, Shard(2, 3), {}) as (fresh, _):
        (fresh.root / "items.txt").write_text("half")
        raise OSError("no room")
    assert [path.name for path in place.root.iterdir()] == ["1-of-3"]


def test_what_a_killed_shard_left_is_swept_by_its_successor_alone(make: Callable[..., PartsDir]) -> None:
    place = make(1)
    for name in (".fresh-2-of-3-abc", ".fresh-3-of-3-abc", ".fresh-2-of-30-abc"):
        (place.root / name).mkdir()
    make(2)
    names = {path.name for path in place.root.iterdir()}
    assert names == {"1-of-3", "2-of-3", ".fresh-3-of-3-abc", ".fresh-2-of-30-abc"}


def test_parts_that_were_put_together_go_with_their_folder(
    make: Callable[..., PartsDir], tmp_path: Path
) -> None:
    place, other = make(1, 2, 3), PartsDir(tmp_path / "out" / "shards" / "other")
    with part(other, Shard(1, 1), {}):
        pass
    remove(tmp_path / "out", place)
    assert [path.name for path in (tmp_path / "out" / "shards").iterdir()] == ["other"]
    (other.root.parent / ".gone-work-abc").mkdir()
    remove(tmp_path / "out", other)
    assert list((tmp_path / "out").iterdir()) == []
