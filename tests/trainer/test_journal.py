import json
from pathlib import Path

from unispeech_cli.paths import ExpDir
from unispeech_cli.trainer.journal import Journal, read_lines


def board(exp: ExpDir, name: str) -> list[tuple[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(exp.tensorboard))
    read.Reload()
    return [(event.step, round(event.value, 3)) for event in read.Scalars(name)]


def write(exp: ExpDir, resumed_at: int, until: int, loss: float) -> None:
    journal = Journal(exp, "pretrain", resumed_at)
    for update in range(resumed_at + 1, until + 1):
        journal.metrics(update, {"loss": loss, "dev_per": 0.5})
        journal.timing(update, {"waited_seconds": 0.1})
    journal.say("done")
    journal.close()


def test_a_resumed_run_takes_back_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    exp = ExpDir(tmp_path)
    write(exp, 0, 5, loss=1.0)
    write(exp, 3, 6, loss=2.0)
    steps = [(1, 1.0), (2, 1.0), (3, 1.0), (4, 2.0), (5, 2.0), (6, 2.0)]
    assert [(line["update"], line["loss"]) for line in read_lines(exp.metrics)] == steps
    assert [line["update"] for line in read_lines(exp.timing)] == [1, 2, 3, 4, 5, 6]
    assert board(exp, "loss") == steps
    assert len(exp.log_file("pretrain").read_text().splitlines()) == 2


def test_seconds_go_on_from_the_last_kept_line(tmp_path: Path) -> None:
    exp = ExpDir(tmp_path)
    exp.timing.write_text("".join(json.dumps({"update": n, "seconds": 100.0 * n}) + "\n" for n in (1, 2, 3)))
    write(exp, 2, 3, loss=1.0)
    last = read_lines(exp.timing)[-1]
    assert (last["update"], last["waited_seconds"]) == (3, 0.1)
    assert 200.0 <= last["seconds"] < 230.0
    assert last["peak_memory_mb"] > 10


def test_a_line_cut_off_by_a_kill_is_dropped(tmp_path: Path) -> None:
    exp = ExpDir(tmp_path)
    exp.metrics.write_text('{"update": 1, "loss": 1.0}\n{"update": 2, "lo')
    assert read_lines(exp.metrics) == [{"update": 1, "loss": 1.0}]
    assert read_lines(exp.timing) == []
    write(exp, 1, 2, loss=3.0)
    assert [line["loss"] for line in read_lines(exp.metrics)] == [1.0, 3.0]
