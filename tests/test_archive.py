"""Members of a tar against what tarfile itself extracts."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from unispeech_cli.archive import Member, member, members

FILES = {"a.flac": b"sound", "a.json": b"{}", f"{'ʎ' * 80}.flac": bytes(range(256)) * 9, "empty": b""}


@pytest.fixture
def tar(tmp_path: Path) -> Path:
    path = tmp_path / "a@b+1" / "recording.000000.tar"
    path.parent.mkdir()
    with tarfile.open(path, "w|") as archive:
        for name, data in FILES.items():
            head = tarfile.TarInfo(name)
            head.size = len(data)
            archive.addfile(head, io.BytesIO(data))
    return path


def test_members_are_found_in_order_and_read_by_place(tar: Path) -> None:
    found = list(members(tar))
    assert [name for name, _ in found] == list(FILES)
    assert [one.read() for _, one in reversed(found)] == list(FILES.values())[::-1]


def test_a_place_goes_through_text_whatever_the_path(tar: Path) -> None:
    for _, one in members(tar):
        assert member(str(one)) == one
    for text in ("a.flac", "a.tar@1", "a.tar@1+", "a.tar@-1+2", "@1+2"):
        with pytest.raises(ValueError, match="not a place in an archive"):
            member(text)


def test_what_is_no_tar_is_named(tar: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no archive .*gone\.tar"):
        list(members(tmp_path / "gone.tar"))
    zipped = tmp_path / "a.tar.gz"
    zipped.write_bytes(gzip.compress(tar.read_bytes()))
    broken = tmp_path / "b.tar"
    broken.write_bytes(tar.read_bytes()[:2400])
    for path in (zipped, broken):
        with pytest.raises(ValueError, match=rf"{path.name}: not a whole, uncompressed tar"):
            list(members(path))


def test_a_place_beyond_the_end_is_named(tar: Path) -> None:
    with pytest.raises(ValueError, match=r"000000\.tar: it ends before the 10 bytes at 999999"):
        Member(tar, 999_999, 10).read()
    with pytest.raises(FileNotFoundError, match=r"no archive .*gone\.tar"):
        Member(tar.with_name("gone.tar"), 0, 10).read()
