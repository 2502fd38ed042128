import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from unispeech_cli.cli import _run
from unispeech_cli.stopping import SIGNALS, Stopped, listening


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_heard_and_does_nothing_else(number: signal.Signals) -> None:
    former = [signal.getsignal(each) for each in SIGNALS]
    with listening() as asked:
        assert not asked()
        os.kill(os.getpid(), number)
        assert asked()
    assert [signal.getsignal(each) for each in SIGNALS] == former


def test_outside_the_main_thread_nothing_is_heard() -> None:
    said: list[bool] = []

    def listen() -> None:
        with listening() as asked:
            said.append(asked())

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert said == [False]


def test_stopped_is_exit_75_one_line_and_word_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNISPEECH_STOPPED", str(tmp_path / "stopped"))

    def work() -> None:
        raise Stopped("stopped at update 3")

    for rank, told in (("0", "unispeech: stopped at update 3\n"), ("1", "")):
        monkeypatch.setenv("RANK", rank)
        with pytest.raises(SystemExit) as ended:
            _run(work)
        assert (ended.value.code, *capsys.readouterr()) == (75, "", told)
    assert (tmp_path / "stopped").is_file()


SERVANT = """
import os, signal, sys, time
from unispeech_cli.stopping import serve
parent = os.getpid()
if os.fork():
    print("begun", flush=True)
    time.sleep(60)
serve(parent)
os.kill(os.getpid(), signal.SIGTERM)
print("serving", flush=True)
time.sleep(20)
print("left behind")
"""


def test_who_serves_is_deaf_and_goes_with_its_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", SERVANT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        # of both, in either order
        said = parent.stdout.readline() + parent.stdout.readline()
        parent.kill()
        # their output ends when the last who holds it has gone
        assert parent.stdout.read() == ""
    assert "serving" in said
