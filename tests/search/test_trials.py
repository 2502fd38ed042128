import os
import signal
import sqlite3
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from unispeech_cli.search.space import Range, Space, SpaceSettings
from unispeech_cli.search.trials import Trials
from unispeech_cli.search_paths import SweepDir

SPACE = Space(
    SpaceSettings(trials=6), {"pretrain": {"a": Range(0, 1), "n": Range(1, 9), "c": Range(choices=(1, 2))}}
)


def opened(place: SweepDir, space: Space = SPACE) -> Trials:
    return Trials(place, space, lambda stage, name: name == "n", 10)


def child(work: Callable[[], None]) -> int:
    """A process of its own that does this and nothing after."""
    with warnings.catch_warnings():
        # this process may have threads; the other needs nothing that they hold
        warnings.simplefilter("ignore", DeprecationWarning)
        number = os.fork()
    if number == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return number


def work_through(place: SweepDir) -> None:
    trials = opened(place)
    while True:
        with trials.next() as drawn:
            if drawn is None:
                return
            with (place.root / "worked").open("a") as log:
                log.write(f"{drawn.number}\n")
            trials.tell(drawn, float(drawn.values["pretrain"]["a"]))  # type: ignore[arg-type]


def test_two_processes_share_the_trials(tmp_path: Path) -> None:
    place = SweepDir(tmp_path)
    opened(place)
    ended = [os.waitpid(number, 0)[1] for number in [child(lambda: work_through(place)) for _ in range(2)]]
    assert ended == [0, 0]
    assert Counter((tmp_path / "worked").read_text().split()) == Counter("012345")
    trials = opened(place)
    assert len({trial.params["pretrain.a"] for trial in trials.all()}) == 6
    assert all(isinstance(trial.params["pretrain.n"], int) for trial in trials.all())
    best = trials.best()
    assert best is not None and best.value == min(trial.params["pretrain.a"] for trial in trials.all())


def test_a_killed_process_leaves_its_trial_to_the_next(tmp_path: Path) -> None:
    place = SweepDir(tmp_path)
    seen: list[dict[str, object]] = []

    def die() -> None:
        with opened(place).next() as drawn:
            assert drawn is not None
            os.kill(os.getpid(), signal.SIGKILL)

    assert os.WTERMSIG(os.waitpid(child(die), 0)[1]) == signal.SIGKILL
    trials = opened(place)
    for _ in range(2):
        with trials.next() as drawn:
            assert drawn is not None
            seen.append({"number": drawn.number, "again": drawn.again})
            trials.tell(drawn, 0.5)
    assert seen == [{"number": 0, "again": True}, {"number": 1, "again": False}]
    assert [trial.state.name for trial in trials.all()] == ["COMPLETE", "COMPLETE"]


def test_a_trial_killed_while_it_was_drawn_gets_what_it_would_have_had(tmp_path: Path) -> None:
    whole, torn = SweepDir(tmp_path / "whole"), SweepDir(tmp_path / "torn")
    with opened(whole).next() as drawn:
        assert drawn is not None
    with opened(torn).next() as first:
        assert first is not None
    with sqlite3.connect(torn.trials) as tables:
        tables.execute("delete from trial_params where param_name != 'pretrain.a'")
    tables.close()
    with opened(torn).next() as again:
        assert again is not None and again.again
        assert again.values["pretrain"]["a"] == drawn.values["pretrain"]["a"]
        assert set(again.values["pretrain"]) == {"a", "n", "c"}


def test_a_trial_worse_than_the_median_is_hopeless(tmp_path: Path) -> None:
    settings = SpaceSettings(trials=9)
    trials = opened(SweepDir(tmp_path), Space(settings, SPACE.ranges))
    for number in range(5):
        with trials.next() as drawn:
            assert drawn is not None
            assert not drawn.report({2: 0.9, 5: 0.1 * number})
            trials.tell(drawn, 0.1 * number)
    with trials.next() as bad:
        assert bad is not None
        # not before its share of the updates, nor for what it has told before
        assert not bad.report({2: 0.99})
        assert bad.report({2: 0.99, 5: 0.5})
        trials.tell_pruned(bad)
    with trials.next() as good:
        assert good is not None
        assert not good.report({5: 0.15})
    assert trials.all()[5].state.name == "PRUNED"
    best = trials.best()
    assert best is not None and best.number == 0


def test_failures_are_kept_with_their_line(tmp_path: Path) -> None:
    trials = opened(SweepDir(tmp_path))
    with trials.next() as drawn:
        assert drawn is not None
        trials.tell_failed(drawn, "no room")
    assert [(trial.state.name, trial.user_attrs["failure"]) for trial in trials.all()] == [
        ("FAIL", "no room")
    ]
    assert trials.best() is None
