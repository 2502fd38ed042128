"""The trials of a search in SQLite, through Optuna: drawn, taken up again, told of; several processes share them."""

import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from unispeech_cli.search.space import PruneSettings, Range, Space, Value
from unispeech_cli.search_paths import SweepDir

if TYPE_CHECKING:
    import optuna

# seconds that a process waits for another's write
_PATIENCE = 120.0
FAILURE = "failure"


@dataclass(frozen=True)
class Drawn:
    """A trial of ours: nobody else has it while this process lives."""

    number: int
    # by training, then by name of the setting
    values: Mapping[str, Mapping[str, Value]]
    again: bool
    trial: "optuna.Trial"

    def report(self, figures: Mapping[int, float]) -> bool:
        """Tell of validations, by update. Returns whether the trial is hopeless."""
        known = self.trial.study.get_trials(deepcopy=False)[self.number].intermediate_values
        for update, per in figures.items():
            if update not in known and per == per:
                self.trial.report(per, update)
        return self.trial.should_prune()


class Trials:
    """A search: what is known of its trials, in a file that several processes write."""

    def __init__(
        self, place: SweepDir, space: Space, whole: Callable[[str, str], bool], updates: int
    ) -> None:
        """`whole` says of a training's setting whether it is a whole number, `updates` how many a trial has.

        Raises ValueError where Optuna is missing.
        """
        try:
            import optuna
        except ImportError:
            raise ValueError("sweep needs optuna: pip install 'unispeech[sweep]'") from None
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._place, self._space, self._whole = place, space, whole
        with alone(place):
            storage = optuna.storages.RDBStorage(
                f"sqlite:///{place.trials.resolve()}", engine_kwargs={"connect_args": {"timeout": _PATIENCE}}
            )
            self._study = optuna.create_study(
                storage=storage,
                study_name="sweep",
                direction="minimize",
                load_if_exists=True,
                pruner=_pruner(space.settings.prune, updates),
            )

    @contextmanager
    def next(self) -> Iterator[Drawn | None]:
        """A trial that nobody works at, left behind or new, and ours within; None where there is none to take."""
        with _kept_open() as locks:
            with alone(self._place):
                drawn = self._left_behind(locks) or self._new(locks)
            yield drawn

    def tell(self, drawn: Drawn, value: float) -> None:
        self._study.tell(drawn.trial, value)

    def tell_pruned(self, drawn: Drawn) -> None:
        """Its last validation counts as its value."""
        from optuna.trial import TrialState

        self._study.tell(drawn.trial, state=TrialState.PRUNED)

    def tell_failed(self, drawn: Drawn, line: str) -> None:
        from optuna.trial import TrialState

        drawn.trial.set_user_attr(FAILURE, line)
        self._study.tell(drawn.trial, state=TrialState.FAIL)

    def all(self) -> list["optuna.trial.FrozenTrial"]:
        """By number."""
        return self._study.get_trials(deepcopy=False)

    def best(self) -> "optuna.trial.FrozenTrial | None":
        """The finished trial with the least value, of equal ones the first."""
        done = [trial for trial in self.all() if trial.state.name == "COMPLETE" and trial.value is not None]
        return min(done, key=lambda trial: (trial.value, trial.number), default=None)

    def _left_behind(self, locks: list[TextIO]) -> Drawn | None:
        for found in self.all():
            if found.state.is_finished() or not _locked(self._place, found.number, locks):
                continue
            # whoever had it may have finished it before letting it go
            if not self.all()[found.number].state.is_finished():
                return self._drawn(found.number, found._trial_id, again=True)
            locks.pop().close()
        return None

    def _new(self, locks: list[TextIO]) -> Drawn | None:
        number = len(self.all())
        if number >= self._space.settings.trials:
            return None
        self._study.sampler = _sampler(self._space.settings.seed + number)
        trial = self._study.ask()
        if not _locked(self._place, trial.number, locks):
            raise ValueError(f"{self._place.lock(trial.number)} is held by another process")
        return self._drawn(trial.number, trial._trial_id, again=False)

    def _drawn(self, number: int, trial_id: int, again: bool) -> Drawn:
        """Draws what is not drawn yet: a process may have been killed in between."""
        import optuna

        self._study.sampler = _sampler(self._space.settings.seed + number)
        trial = optuna.Trial(self._study, trial_id)
        values: dict[str, dict[str, Value]] = {stage: {} for stage in self._space.ranges}
        for stage, name, given in self._space.named():
            values[stage][name] = _suggested(trial, f"{stage}.{name}", given, self._whole(stage, name))
        return Drawn(number, values, again, trial)


def _suggested(trial: "optuna.Trial", name: str, given: Range, whole: bool) -> Value:
    if given.choices:
        return trial.suggest_categorical(name, given.choices)
    low, high = given.low, given.high
    assert low is not None and high is not None
    if whole:
        return trial.suggest_int(name, int(low), int(high), step=int(given.step or 1), log=given.log)
    return trial.suggest_float(name, low, high, step=given.step, log=given.log)


def _sampler(seed: int) -> Any:
    """By number of the trial: processes that share a search draw nothing twice."""
    import optuna

    return optuna.samplers.TPESampler(seed=seed, constant_liar=True)


def _pruner(settings: PruneSettings | None, updates: int) -> Any:
    import optuna

    if settings is None:
        return optuna.pruners.NopPruner()
    return optuna.pruners.MedianPruner(settings.startup, round(settings.after * updates))


@contextmanager
def alone(place: SweepDir) -> Iterator[None]:
    """Within it no other process draws a trial or writes what is best."""
    place.root.mkdir(parents=True, exist_ok=True)
    with place.turn.open("a") as stream:
        with suppress(OSError):  # a file system without locks
            fcntl.lockf(stream, fcntl.LOCK_EX)
        yield


@contextmanager
def _kept_open() -> Iterator[list[TextIO]]:
    locks: list[TextIO] = []
    try:
        yield locks
    finally:
        for stream in locks:
            stream.close()


def _locked(place: SweepDir, number: int, locks: list[TextIO]) -> bool:
    """Whether the trial is ours now; the lock goes when this process does, however that ends."""
    place.trial(number).mkdir(parents=True, exist_ok=True)
    stream = place.lock(number).open("a")
    try:
        fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        stream.close()
        return False
    locks.append(stream)
    return True
