import os

import pytest

from unispeech_cli.batches.feeding import Appetite, Readers, hungry, readers


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("cores", "processes", "workers"),
    [(1, None, 1), (2, None, 1), (4, None, 3), (64, None, 8), (64, "8", 7), (8, "8", 1), (4, "nonsense", 3)],
)
def test_readers_are_the_cores_of_a_rank_less_one(
    machine: pytest.MonkeyPatch, cores: int, processes: str | None, workers: int
) -> None:
    machine.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    if processes:
        machine.setenv("LOCAL_WORLD_SIZE", processes)
    assert readers(None, 2, 75.0) == Readers(workers, 2)


def test_five_minutes_are_ready_and_what_is_asked_for_is_kept_to() -> None:
    assert [readers(3, None, seconds).prefetch for seconds in (5.0, 75.0, 100.0, 600.0)] == [8, 4, 3, 2]
    assert readers(0, 5, 75.0) == Readers(0, 5)


def test_waiting_is_told_with_what_to_do(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    assert hungry(2.0, 10.0, 2) is None
    assert hungry(3.4, 10.0, 2) == (
        "the model waited for data 34 % of the time: more data.workers (now 2), "
        "or audio as flac at 16 kHz (`unispeech prepare --transcode`)"
    )
    assert "data.workers above 0, or audio as flac" in str(hungry(9.0, 10.0, 0))
    # no more processes than cores are advised
    assert hungry(3.4, 10.0, 16) == (
        "the model waited for data 34 % of the time with 16 data.workers on 16 cores: more cores, "
        "or audio as flac at 16 kHz (`unispeech prepare --transcode`)"
    )


def test_a_warning_is_given_every_so_many_updates_and_ever_less_often() -> None:
    appetite = Appetite(workers=1, watched=5)
    assert [update for update in range(1, 61) if appetite.after(0.5, 1.0)] == [5, 15, 35]
    fed = Appetite(workers=1, watched=5)
    assert [update for update in range(1, 61) if fed.after(0.1, 1.0)] == []
    # a lull of the past is no matter: 5 .. 10 are fed, 11 .. 15 are not
    late = Appetite(workers=1, watched=5)
    assert [update for update in range(1, 21) if late.after(1.0 if 10 < update <= 15 else 0.0, 1.0)] == [15]
