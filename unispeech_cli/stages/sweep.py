"""Ranges of settings in, trials of whole trainings through the command line, and the settings of the best out."""

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unispeech_cli.atomic import write_text
from unispeech_cli.provenance import compare, hash_manifest, record
from unispeech_cli.records import Note, Progress, Record, Records, Table
from unispeech_cli.search.runs import Failed, Pruned, Run, finish, validations
from unispeech_cli.search.space import STAGES, Space, Value, is_whole, override, read_space
from unispeech_cli.search.trials import FAILURE, Drawn, Trials, alone
from unispeech_cli.search_paths import SweepDir
from unispeech_cli.stopping import Stopped, never
from unispeech_cli.trainer import finetuning, pretraining


@dataclass(frozen=True)
class Part:
    """One training of each trial: what it reads, and what its settings are besides those searched."""

    stage: str
    lang_dir: Path
    # manifests by the name of their option
    cuts: Mapping[str, Sequence[Path]]
    config: Path | None = None
    overrides: Sequence[str] = ()

    @property
    def made_of(self) -> dict[str, Any]:
        """What a search cannot change on its way."""
        read = {str(path): hash_manifest(path) for paths in self.cuts.values() for path in paths}
        config = None if self.config is None else hash_manifest(self.config)
        return {"cuts": read, "config": config, "set": list(self.overrides), "lang_dir": str(self.lang_dir)}

    def arguments(self, preset: str, init: Path | None, device: str, searched: Sequence[str]) -> list[str]:
        """Of the command line."""
        given = [("--lang-dir", self.lang_dir), ("--preset", preset), ("--device", device)]
        given += [(f"--{name}", path) for name, paths in self.cuts.items() for path in paths]
        given += [("--config", self.config)] * (self.config is not None) + [("--init", init)] * (
            init is not None
        )
        given += [("--set", line) for line in [*self.overrides, *searched]]
        return [str(word) for pair in given for word in pair]


@dataclass(frozen=True)
class Search:
    """A search: its place, its space, and the trainings of a trial, the last of which gives the value."""

    place: SweepDir
    space: Space
    parts: Sequence[Part]
    preset: str
    init: Path | None
    device: str

    def run(self, drawn: Drawn, number: int) -> Run:
        """The trial's training of that number; the second starts from the first's best."""
        part = self.parts[number]
        init = self.init if number == 0 else self.place.exp(drawn.number, self.parts[0].stage).root
        searched = [override(name, value) for name, value in drawn.values[part.stage].items()]
        return Run(
            part.stage,
            self.place.exp(drawn.number, part.stage),
            part.arguments(self.preset, init, self.device, searched),
            self.place.log(drawn.number, part.stage),
        )


def sweep(
    out: Path,
    space_file: Path,
    parts: Sequence[Part],
    *,
    preset: str = "base",
    init: Path | None = None,
    device: str = "cpu",
    asked_to_stop: Callable[[], bool] = never,
) -> Records:
    """Try settings until the trials of the space file are done; several processes with the same `out` share them.

    A trial's value is the least dev PER of its last training. Raises ValueError for a space that does not fit or a
    search that was begun otherwise, FileNotFoundError for missing inputs, and Stopped where it was asked to stop.
    """
    search = Search(SweepDir(out), read_space(space_file), parts, preset, init, device)
    settings = _settings(search, space_file)
    _claim(search)
    trials = Trials(
        search.place,
        search.space,
        lambda stage, name: is_whole(settings[stage], name),
        settings[parts[-1].stage].run.updates,
    )
    worked = yield from _work(search, trials, asked_to_stop)
    if not worked:
        yield Note(f"{out}: no trial is left to take up; nothing to do")
    yield from _result(search, trials)


def _settings(search: Search, space_file: Path) -> dict[str, Any]:
    """The settings of each training, the first value of each range in them; all ends are tried on them."""
    found: dict[str, Any] = {}
    for part in search.parts:
        ranges = search.space.ranges[part.stage]
        for name, values in ranges.items():
            for value in values.ends:
                _read(search, part, [override(name, value)], space_file)
        found[part.stage] = _read(search, part, [], space_file)
    idle = [stage for stage in STAGES if search.space.ranges[stage] and stage not in found]
    if idle:
        raise ValueError(f"{space_file}: ranges under {idle[0]}, but no cuts for it are given")
    return found


def _read(search: Search, part: Part, searched: Sequence[str], space_file: Path) -> Any:
    lines = [*part.overrides, *searched]
    try:
        if part.stage == "pretrain":
            return pretraining.read_settings(search.preset, part.config, lines)
        init = search.init if part is search.parts[0] else None
        return finetuning.read_settings(search.preset, part.config, lines, init)
    except ValueError as error:
        raise ValueError(f"{space_file}: {part.stage}: {error}" if searched else str(error)) from None


def _claim(search: Search) -> None:
    """Write down what the trials are made of, or see that it is the same."""
    wanted = {"space": search.space.made_of, "preset": search.preset, "init": str(search.init)}
    wanted |= {part.stage: part.made_of for part in search.parts}
    wanted = json.loads(json.dumps(wanted))
    with alone(search.place):
        if not search.place.made.is_file():
            record(search.place.made, wanted)
            return
        different = compare(json.loads(search.place.made.read_text("utf-8")), wanted)
    if different:
        raise ValueError(
            f"{search.place.root} was begun with others: {different[0]}; give the former or another directory"
        )


def _work(search: Search, trials: Trials, asked_to_stop: Callable[[], bool]) -> Generator[Record, None, int]:
    """Trial after trial. Returns how many."""
    worked = 0
    while True:
        if asked_to_stop():
            raise Stopped(f"{search.place.root} was stopped; run the same command again to go on")
        with trials.next() as drawn:
            if drawn is None:
                break
            yield Note(f"trial {drawn.number}{' again' if drawn.again else ''}: {_said(drawn.values)}")
            yield Note(f"trial {drawn.number}: {_tried(search, trials, drawn, asked_to_stop)}")
            _write_best(search, trials)
        done = sum(trial.state.is_finished() for trial in trials.all())
        worked += 1
        yield Progress("sweep", done, search.space.settings.trials)
    return worked


def _tried(search: Search, trials: Trials, drawn: Drawn, asked_to_stop: Callable[[], bool]) -> str:
    """Run a trial's trainings and tell what came of them, in a few words."""
    last = len(search.parts) - 1
    try:
        for number in range(last):
            finish(search.run(drawn, number), lambda: False, asked_to_stop)
        run = search.run(drawn, last)
        finish(run, lambda: drawn.report(validations(run.exp)), asked_to_stop)
        figures = [per for per in validations(run.exp).values() if per == per]
        if not figures:
            raise Failed(
                f"{run.exp.root} has no dev PER: give labelled dev cuts, and objective.alpha above 0"
            )
    except Pruned:
        trials.tell_pruned(drawn)
        return "given up, worse than the median"
    except Failed as failure:
        trials.tell_failed(drawn, str(failure))
        return f"failed: {failure}"
    drawn.report(validations(run.exp))
    trials.tell(drawn, min(figures))
    return f"dev per {min(figures):.4f}"


def _write_best(search: Search, trials: Trials) -> None:
    """The whole settings of the best trial so far, for --config."""
    with alone(search.place):
        best = trials.best()
        if best is None:
            return
        for part in search.parts:
            head = f"# {part.stage} of trial {best.number} of {search.place.root}: dev per {best.value:.4f}\n"
            settings = search.place.exp(best.number, part.stage).settings.read_text("utf-8")
            write_text(search.place.best(part.stage), head + settings)


def _result(search: Search, trials: Trials) -> Records:
    names = [f"{stage}.{name}" for stage, name, _ in search.space.named()]
    rows = [
        (
            trial.number,
            trial.user_attrs.get(FAILURE) if trial.state.name == "FAIL" else _STATES[trial.state.name],
            None if trial.value is None else 100 * trial.value,
            *(trial.params.get(name) for name in names),
        )
        for trial in trials.all()
    ]
    yield Table("trials", ("trial", "state", "dev PER %", *names), rows)
    best = trials.best()
    if best is None:
        yield Note("no trial is finished: no best settings")
        return
    yield Table("best", ("setting", "value"), [(name, best.params[name]) for name in names])
    files = " and ".join(str(search.place.best(part.stage)) for part in search.parts)
    yield Note(f"trial {best.number} is the best: {files}, for --config")


_STATES = {"COMPLETE": "done", "PRUNED": "given up", "RUNNING": "begun", "WAITING": "begun"}


def _said(values: Mapping[str, Mapping[str, Value]]) -> str:
    return ", ".join(override(name, value) for given in values.values() for name, value in given.items())
