import io
import re
import time
from collections.abc import Callable

import pytest
from rich.console import Console

from unispeech_cli.live import drawing
from unispeech_cli.records import Progress

FIGURES = {"loss": 3.14159, "PER %": 25.0, "perplexity": 42.0, "waiting %": 0.5, "memory MB": 4380.4}


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A clock that stands still until it is moved."""
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def move(seconds: float) -> None:
        clock[0] += seconds

    return move


def terminal(width: int = 100) -> Console:
    return Console(force_terminal=True, width=width, height=20, file=io.StringIO())


def last_frame(console: Console) -> list[str]:
    """What stands on the terminal since its lines were last wiped."""
    assert isinstance(console.file, io.StringIO)
    frame = re.split(r"\x1b\[2K", console.file.getvalue())[-1]
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", frame).strip().splitlines()]


def test_a_terminal_shows_figures_by_name_under_the_bar(pass_time: Callable[[float], None]) -> None:
    console = terminal()
    with drawing(console, redirect_stdout=False) as draw:
        draw(Progress("pretrain", 100, 1400, "in words", {"loss": 7.0}))
        pass_time(100)
        draw(Progress("pretrain", 300, 1400, "in words", FIGURES))
    bar, figures = last_frame(console)
    assert bar.startswith("pretrain ━")
    # 200 updates in 100 seconds, 1100 to go
    assert "300/1400" in bar and "2.0/s 9:10 left" in bar and "in words" not in bar
    assert figures.split("   ")[0] == "loss 3.142"
    assert [part.strip() for part in figures.split("   ") if part.strip()] == [
        "loss 3.142", "PER % 25", "perplexity 42", "waiting % 0.5", "memory MB 4,380",
    ]  # fmt: skip


def test_on_a_narrow_terminal_nothing_is_wider_than_it_and_no_figure_is_lost() -> None:
    console = terminal(width=40)
    with drawing(console, redirect_stdout=False) as draw:
        draw(Progress("pretrain", 1, 2_000_000, "", FIGURES))
        console.print("a note that is longer than forty columns are", soft_wrap=True)
    frame = last_frame(console)
    assert max(map(len, frame)) <= 40
    assert [name for name in FIGURES if name not in "\n".join(frame)] == []


def test_the_figures_are_those_of_the_task_last_heard_of() -> None:
    console = terminal()
    with drawing(console, redirect_stdout=False) as draw:
        draw(Progress("pretrain", 1, 10, "", FIGURES))
        draw(Progress("decode", 3, None, "12 cuts"))
    first, second = last_frame(console)
    assert first.startswith("pretrain ") and second.startswith("decode ")
    assert "3/?" in second and second.endswith("12 cuts")


@pytest.mark.parametrize(
    ("each", "said"),
    [
        (0.01, "50/100 100.0/s 0:00 left"),
        (60, "50/100 60 s each 50:00 left"),
        (600, "50/100 600 s each 8:20:00 left"),
        (12_000, "50/100 12,000 s each 6 d 22 h left"),
    ],
)
def test_time_left_of_quick_and_of_slow_updates(
    pass_time: Callable[[float], None], each: float, said: str
) -> None:
    console = terminal()
    with drawing(console, redirect_stdout=False) as draw:
        draw(Progress("pretrain", 0, 100))
        pass_time(50 * each + 1e-6)
        draw(Progress("pretrain", 50, 100))
    assert " ".join(last_frame(console)[0].split()).partition(" 50/100 ")[2].split(" ", 1)[1] == said[7:]


def test_a_log_gets_words_and_no_figures(
    pass_time: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with drawing(Console(stderr=True, soft_wrap=True), redirect_stdout=False) as draw:
        draw(Progress("pretrain", 1, 3, "loss 7", FIGURES))
        pass_time(20)
        draw(Progress("pretrain", 2, 3, "loss 6", FIGURES))
    assert capsys.readouterr().err == "pretrain 2/3 20 s each 0:20 left loss 6\n"
