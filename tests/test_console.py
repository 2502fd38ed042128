import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from unispeech_cli import live
from unispeech_cli.console import show
from unispeech_cli.records import Note, Progress, Record, Table, Text

RATES = Table("rates", ("language", "PER %", "cuts"), [("es", 12.345, 20), ("ky", None, 1234)])


def test_results_are_on_stdout_and_everything_else_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    show(iter([Note("reading [bold]x[/bold]"), RATES]))
    out, err = capsys.readouterr()
    assert err == "reading [bold]x[/bold]\n"
    lines = [[cell.strip() for cell in re.split("[│┃]", line)[1:-1]] for line in out.splitlines()]
    assert [line for line in lines if line] == [
        ["language", "PER %", "cuts"],
        ["es", "12.35", "20"],
        ["ky", "-", "1234"],
    ]
    assert out.startswith("rates")


def test_json_is_one_document_of_whole_values(capsys: pytest.CaptureFixture[str]) -> None:
    show(iter([RATES, Table("none", ("a",))]), as_json=True)
    rows = [{"language": "es", "PER %": 12.345, "cuts": 20}, {"language": "ky", "PER %": None, "cuts": 1234}]
    assert json.loads(capsys.readouterr().out) == {"rates": rows, "none": []}


def test_a_narrow_table_breaks_text_but_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    path = "exp/" + "x" * 150 + "/decode_lattice-rescoring"
    show(iter([Table("Rates", ("dir", *(f"rate {n}" for n in range(9))), [(path, *[1234567.25] * 9)])]))
    rows = capsys.readouterr().out.splitlines()[4:-1]
    assert "".join(row.split("│")[1].strip() for row in rows) == path
    assert rows[0].count("1,234,567.25") == 9


def test_what_is_small_is_told_by_two_digits_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    show(iter([Table("rates", ("rate",), [(0.0,), (0.00152,), (0.0501,), (0.126,), (-0.0034,)])]))
    cells = re.findall(r"│ *(\S+) *│", capsys.readouterr().out)
    assert cells == ["0.00", "0.0015", "0.05", "0.13", "-0.0034"]


def test_a_long_note_stays_one_line_where_it_is_not_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show(iter([Note("word " * 100)]))
    assert capsys.readouterr().err.count("\n") == 1


def test_notes_appear_before_the_stage_has_ended(capsys: pytest.CaptureFixture[str]) -> None:
    def stage() -> Iterator[Record]:
        yield Note("first")
        assert capsys.readouterr().err == "first\n"

    show(stage())


def test_text_is_a_result_that_goes_out_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    def stage() -> Iterator[Record]:
        yield Text("uno [b]dos[/b]\n")
        assert capsys.readouterr() == ("uno [b]dos[/b]\n", "")

    show(stage())


def test_a_log_gets_a_line_now_and_then_with_rate_and_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def stage() -> Iterator[Record]:
        # a resumed task: its first 1000 cost nothing now
        for done in range(1000, 1101):
            yield Progress("pretrain", done, 1200, "loss 1.0")
            clock[0] += 1.0

    show(stage())
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 100 // int(live.PLAIN_INTERVAL)
    assert lines[0] == "pretrain 1015/1200 1.0/s 3:05 left loss 1.0"


def test_the_end_of_a_task_is_told_and_quick_tasks_say_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def stage() -> Iterator[Record]:
        yield Progress("quick", 0, 2)
        yield Progress("quick", 2, 2)
        yield Progress("slow", 0, None)
        clock[0] += 20
        yield Progress("slow", 40, None)
        yield Progress("other", 0, 10)
        clock[0] += 2
        yield Progress("other", 10, 10)

    show(stage())
    assert capsys.readouterr().err.splitlines() == ["slow 40 2.0/s", "other 10/10 5.0/s 0:00 left"]


def test_a_terminal_gets_a_bar() -> None:
    script = (
        "from unispeech_cli.console import show; from unispeech_cli.records import Note, Progress, Text\n"
        "steps = [Progress('prepare', 1, 4, 'ok'), Note('a note'), Text('heard\\n')]\n"
        "show(iter([*steps, Progress('prepare', 4, 4, 'ok')]))"
    )
    leader, follower = pty.openpty()
    done = subprocess.run([sys.executable, "-c", script], stderr=follower, stdout=subprocess.PIPE, check=True)
    os.close(follower)
    drawn = os.read(leader, 100_000).decode()
    os.close(leader)
    # a bar on the terminal does not take what goes into a file
    assert done.stdout == b"heard\n"
    assert "a note" in drawn and "prepare" in drawn and "4/4" in drawn and "\x1b[" in drawn
