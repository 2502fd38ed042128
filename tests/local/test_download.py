"""local/download.sh against a server of our own: resuming, checking, unpacking, not doing it twice."""

import hashlib
import io
import subprocess
import tarfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

SCRIPT = Path(__file__).parents[2] / "local" / "download.sh"
TEXT = b"a lexicon\n" * 2000


class Ranges(SimpleHTTPRequestHandler):
    """Serves a folder, also from the middle of a file on, and notes from where on it was asked."""

    asked: list[tuple[str, int]]

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        self.asked.append((name, start))
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self.wfile.write(data[start:])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def asked() -> list[tuple[str, int]]:
    return []


@pytest.fixture
def mirror(tmp_path, asked) -> Iterator[str]:
    """A tiny openslr: 12 has sums and an archive, 11 has a plain file and no sums."""
    handler = type("Handler", (Ranges,), {"asked": asked})
    for number in ("11", "12"):
        (tmp_path / "server" / number).mkdir(parents=True)
    (tmp_path / "server" / "11" / "lexicon.txt").write_bytes(TEXT)
    archive = tmp_path / "server" / "12" / "dev-clean.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("LibriSpeech/dev-clean/1/2/1-2.trans.txt")
        member.size = len(TEXT)
        tar.addfile(member, io.BytesIO(TEXT))
    digest = hashlib.md5(archive.read_bytes()).hexdigest()
    (archive.parent / "md5sum.txt").write_text(f"{digest}  dev-clean.tar.gz\n{'0' * 32}  other.tar.gz\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(tmp_path / "server")))
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def download(mirror: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(SCRIPT), "--mirror", mirror, "--tries", "0", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_an_archive_is_checked_unpacked_and_not_fetched_again(tmp_path, mirror, asked):
    corpus = tmp_path / "corpus"
    done = download(mirror, 12, corpus, "dev-clean.tar.gz")
    assert done.returncode == 0, done.stderr
    assert (corpus / "dev-clean" / "1" / "2" / "1-2.trans.txt").read_bytes() == TEXT
    assert {path.name for path in corpus.iterdir()} == {"dev-clean", ".dev-clean.tar.gz.done"}
    asked.clear()
    again = download(mirror, 12, corpus, "dev-clean.tar.gz")
    assert (again.returncode, asked) == (0, [])
    assert "nothing to do" in again.stderr


def test_what_was_interrupted_goes_on_where_it_stopped(tmp_path, mirror, asked):
    (tmp_path / "lm").mkdir()
    (tmp_path / "lm" / "lexicon.txt.part").write_bytes(TEXT[:700])
    done = download(mirror, 11, tmp_path / "lm", "lexicon.txt")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "lm" / "lexicon.txt").read_bytes() == TEXT
    assert ("lexicon.txt", 700) in asked
    assert "no md5sum.txt" in done.stderr


def test_a_wrong_file_is_removed(tmp_path, mirror):
    (tmp_path / "server" / "12" / "other.tar.gz").write_bytes(b"cut off")
    done = download(mirror, 12, tmp_path / "corpus", "other.tar.gz")
    assert done.returncode == 1
    assert "other.tar.gz had MD5" in done.stderr.splitlines()[-1]
    assert not list((tmp_path / "corpus").iterdir())


def test_what_cannot_be_had_is_named(tmp_path, mirror):
    done = download(mirror, 12, tmp_path / "corpus", "gone.tar.gz")
    assert done.returncode == 1
    assert f"cannot get {mirror}/12/gone.tar.gz; run this again" in done.stderr.splitlines()[-1]
