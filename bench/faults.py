"""Kills and other faults, tried on a short training: what happens, and whether it ends as if nothing had.

    python bench/faults.py [--kills 100] [--torchrun-kills 40] [--updates 400] [--only NAME ...] [--seed 1]

A pre-training of a minute on noise (2 data workers, dropout, layerdrop, masks, Gumbel noise and r on) is run once
undisturbed. Then again, each time with a fault, and the same command after it. "as undisturbed": all checkpoints
that are kept, best/ and metrics.jsonl are bit for bit those of the run that nothing happened to. Kills come at
random instants, one process alone, or it with its data workers, or a rank, or all that torchrun started; in the
single process case every start is a fork of a process that has imported everything, which saves seconds a kill.
Exits with 1 where something did not happen as it should.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import math
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import soundfile
from faulty_training import Corpus, Plan, Run, children, ends, unreadable, writes
from safetensors.torch import load_file, save_file

from unispeech_cli.paths import ExpDir
from unispeech_cli.provenance import hash_file
from unispeech_cli.stopping import EXIT_AGAIN, TOLD_BY
from unispeech_cli.trainer.journal import read_lines

# of the kills: so many while the process starts, so many at a moment of a checkpoint's being written, or a validation
START, WRITE, VALIDATE = 0.1, 0.25, 0.15


@dataclass(frozen=True)
class Row:
    """A fault, what happened, and whether that is what should."""

    fault: str
    happened: str
    good: bool


@dataclass(frozen=True)
class Bench:
    """Where things are, and the undisturbed runs."""

    root: Path
    corpus: Corpus
    plan: Plan
    random: random.Random

    def exp(self, name: str) -> Path:
        return self.root / name

    def undisturbed(self, plan: Plan) -> dict[str, str]:
        """What a training leaves that nothing happens to; run once."""
        exp = self.at_rest(plan)
        if not exp.root.exists():
            run = plan.whole(exp.root)
            assert run.code == 0, run.text()
        return ends(exp)

    def at_rest(self, plan: Plan) -> ExpDir:
        more = "".join(f"-{setting}" for setting in plan.more)
        return ExpDir(self.exp(f"undisturbed-{plan.processes}-{plan.updates}{more}"))

    def same(self, exp: Path, plan: Plan) -> bool:
        return ends(ExpDir(exp)) == self.undisturbed(plan)

    def goes_on(self, exp: Path, plan: Plan) -> tuple[str, bool]:
        """The same command again, to its end."""
        run = plan.whole(exp)
        same = run.code == 0 and self.same(exp, plan)
        return ("as undisturbed" if same else f"exit {run.code}, NOT as undisturbed: {run.last_line()}"), same


def kills(bench: Bench, plan: Plan, count: int) -> Row:
    """SIGKILL at random instants, again and again, then to the end."""
    bench.undisturbed(plan)
    seconds = read_lines(bench.at_rest(plan).timing)[-1]["seconds"]
    # so that the end is not reached before the last of them
    span = 1.2 * seconds / count
    exp, seen = bench.exp(f"kills-{plan.processes}"), _Seen()
    while seen.kills < count:
        run = plan.begin(exp)
        started = _wait(bench.random, run, plan, span)
        if run.poll() is not None:
            break
        _kill(bench.random, run, plan)
        seen.look(ExpDir(exp), plan, started)
    told, same = bench.goes_on(exp, plan)
    good = same and not seen.unreadable and seen.kills == count
    return Row(f"{seen.kills} SIGKILLs at random instants, {_of(plan)}", f"{seen}; {told}", good)


def _wait(chance: random.Random, run: Run, plan: Plan, span: float) -> bool:
    """Until an instant of the start, of the updates, of a checkpoint's being written, of a validation.

    Returns whether it trains.
    """
    kind = chance.random()
    if kind < START:
        run.until(lambda: False, chance.uniform(0, 1))
        return False
    # what a kill left of a checkpoint is swept away first
    run.until(lambda: run.trains() and not writes(run.exp))
    run.until(lambda: False, chance.uniform(0, span))
    aim = [lambda: writes(run.exp), lambda: _validates(run.exp, plan)][kind > 1 - VALIDATE]
    if kind > 1 - VALIDATE - WRITE:
        run.until(aim, 30)
        run.until(lambda: False, chance.uniform(0, 0.02))
    return True


def _validates(exp: ExpDir, plan: Plan) -> bool:
    """Whether the last that was written down is an update whose validation is due and not written down."""
    lines = read_lines(exp.metrics)
    if not lines or "loss" not in lines[-1] or writes(exp):
        return False
    last = lines[-1]["update"]
    return last * plan.validations // plan.updates > (last - 1) * plan.validations // plan.updates


def _kill(chance: random.Random, run: Run, plan: Plan) -> None:
    """The process alone, or all that it has started; a rank, whose end torchrun then sees to."""
    ranks = run.children() if plan.processes > 1 else []
    if ranks and chance.random() < 0.3:
        os.kill(chance.choice(ranks), signal.SIGKILL)
        run.wait(60.0)
        return
    run.kill(group=plan.processes > 1 or chance.random() < 0.5)


def _of(plan: Plan) -> str:
    return "one process" if plan.processes == 1 else f"{plan.processes} processes under torchrun"


class _Seen:
    """What stood there after each kill."""

    def __init__(self) -> None:
        self.kills = self.writing = self.validating = self.unreadable = 0

    def look(self, exp: ExpDir, plan: Plan, started: bool) -> None:
        self.kills += 1
        self.writing += started and writes(exp)
        self.unreadable += len(unreadable(exp))
        self.validating += started and _validates(exp, plan)

    def __str__(self) -> str:
        return (
            f"{self.writing} inside a checkpoint write, {self.validating} in a validation; "
            f"{self.unreadable} unreadable checkpoints"
        )


def no_room(bench: Bench) -> Row:
    # weights larger than what data workers hand over in shared memory, which the limit is on as well
    plan, exp = replace(bench.plan, more=("model.encoder.ffn_dim=16384",)), bench.exp("no-room")
    _killed_at(bench, plan, exp, 20)
    before = ends(ExpDir(exp))
    size = max(path.stat().st_size for path in ExpDir(exp).root.glob("checkpoint-*/*")) // 2
    run = plan.begin(exp, limit=size)
    code = run.wait()
    kept = {name: value for name, value in ends(ExpDir(exp)).items() if name in before and "/" in name}
    untouched = all(before[name] == value for name, value in kept.items())
    told, same = bench.goes_on(exp, plan)
    good = code == 1 and untouched and same and run.last_line().startswith("unispeech: ")
    return Row("no room for a checkpoint (RLIMIT_FSIZE)", _happened(code, run, bench, told), good)


def file_in_the_way(bench: Bench) -> Row:
    plan, exp = bench.plan, bench.exp("in-the-way")
    exp.mkdir()
    (exp.parent / "blocked").write_text("a file")
    refused = plan.whole(bench.exp("blocked"))
    exp.rmdir()
    run = plan.begin(exp)
    place = ExpDir(exp).checkpoint(30).root
    run.until(run.trains)
    place.write_text("a file")
    code = run.wait()
    there = place.is_file()
    place.unlink()
    told, same = bench.goes_on(exp, plan)
    good = (refused.code, code) == (1, 1) and there and same
    return Row("a file where EXP, or a checkpoint, is to be written", _happened(code, run, bench, told), good)


def truncated(bench: Bench) -> Row:
    plan, exp = bench.plan, bench.exp("truncated")
    _killed_at(bench, plan, exp, 30)
    newest = ExpDir(exp).checkpoint(ExpDir(exp).checkpoints()[-1])
    newest.weights.write_bytes(newest.weights.read_bytes()[:-100])
    run = plan.whole(exp)
    (line,) = [line for line in run.text().splitlines() if line.startswith("warning: ")][:1] or [
        run.last_line()
    ]
    same = run.code == 0 and bench.same(exp, plan)
    told = "as undisturbed" if same else "NOT as undisturbed"
    return Row(
        "the newest checkpoint truncated", f"{_short(line, bench)}; {told}", same and "damaged" in line
    )


def audio_gone(bench: Bench) -> Row:
    corpus = _copied(bench, "gone")
    gone = corpus.audio("labeled")[0]
    plan = replace(bench.plan, corpus=corpus, updates=60)
    plan.corpus.cuts("labeled")  # indexed by content
    gone.unlink()
    run = plan.whole(bench.exp("audio-gone"))
    lines = [line for line in run.text().splitlines() if gone.stem in line]
    shown = _short(lines[0], bench) if lines else run.last_line()
    return Row("audio deleted", f"{shown}; exit {run.code}", run.code == 0 and bool(lines))


def worker_killed(bench: Bench) -> Row:
    plan, exp = bench.plan, bench.exp("worker")
    run = plan.begin(exp)
    run.until(lambda: ExpDir(exp).checkpoint(10).root.exists())
    os.kill(run.children()[0], signal.SIGKILL)
    code = run.wait()
    told, same = bench.goes_on(exp, plan)
    good = code == 1 and same and "Traceback" not in run.text()
    return Row("a data worker killed", _happened(code, run, bench, told), good)


def rank_killed(bench: Bench) -> Row:
    plan, exp = replace(bench.plan, processes=2), bench.exp("rank")
    run = plan.begin(exp)
    run.until(lambda: ExpDir(exp).checkpoint(10).root.exists())
    ranks = run.children()
    started = time.monotonic()
    os.kill(ranks[-1], signal.SIGKILL)
    run.until(lambda: False, 120.0)
    took = time.monotonic() - started
    left = [pid for rank in ranks for pid in [rank, *children(rank)] if Path(f"/proc/{pid}").exists()]
    code = run.wait()
    told, same = bench.goes_on(exp, plan)
    return Row(
        "a rank killed", f"exit {code} after {took:.0f} s; again: {told}", code == 1 and not left and same
    )


def signals(bench: Bench) -> Iterator[Row]:
    for number, group in ((signal.SIGTERM, True), (signal.SIGUSR1, False)):
        plan, exp = bench.plan, bench.exp(number.name)
        run = plan.begin(exp)
        run.until(lambda exp=exp: ExpDir(exp).checkpoint(10).root.exists())
        run.kill(group, number)
        code = run.wait()
        told, same = bench.goes_on(exp, plan)
        good = code == EXIT_AGAIN and same and "run the same command again" in run.text()
        to = " to it and its data workers" if group else ""
        yield Row(f"{number.name}{to}", _happened(code, run, bench, told), good)


def torchrun_asked(bench: Bench) -> Row:
    """What torchrun's exit code does not tell, the file does."""
    plan, exp = replace(bench.plan, processes=2), bench.exp("torchrun-asked")
    word = bench.root / "stopped"
    os.environ[TOLD_BY] = str(word)
    run = plan.begin(exp)
    run.until(lambda: ExpDir(exp).checkpoint(10).root.exists())
    os.kill(run.pid, signal.SIGTERM)
    code = run.wait()
    del os.environ[TOLD_BY]
    told, same = bench.goes_on(exp, plan)
    good = code != 0 and word.exists() and same
    happened = (
        f"exit {code}, the file of UNISPEECH_STOPPED is {'' if word.exists() else 'not '}there; again: {told}"
    )
    return Row("SIGTERM to torchrun", happened, good)


def nan_injected(bench: Bench) -> Iterator[Row]:
    """Into the audio of a cut, of all cuts, into the weights, and by a learning rate that no model stands."""
    corpus = _copied(bench, "nan")
    plan = replace(bench.plan, corpus=corpus)
    first, *others = corpus.audio("labeled")
    _spoil(first)
    run = plan.whole(bench.exp("nan-1"))
    lines = [line for line in run.text().splitlines() if first.stem in line]
    shown = _short(lines[0], bench) if lines else run.last_line()
    yield Row("NaN in the audio of a cut", f"{shown}; exit {run.code}", run.code == 0 and bool(lines))
    for path in [*others, *corpus.audio("unlabeled")]:
        _spoil(path)
    yield _ended(
        "NaN in the audio of all cuts", plan.whole(bench.exp("nan-all")), bench, "in a row could not be read"
    )
    exp = bench.exp("nan-weights")
    _killed_at(bench, bench.plan, exp, 20)
    place = ExpDir(exp).checkpoint(ExpDir(exp).checkpoints()[-1])
    weights = load_file(place.weights)
    save_file({**weights, "head.weight": weights["head.weight"] * math.nan}, place.weights)
    sums = json.loads(place.checksums.read_text())
    place.checksums.write_text(json.dumps({**sums, place.weights.name: hash_file(place.weights)}))
    run = bench.plan.whole(exp)
    yield _ended(
        "NaN in the weights of a checkpoint, its checksum made to fit", run, bench, "no longer numbers"
    )
    plan = replace(bench.plan, more=("optim.lr=1e30",))
    yield _ended("optim.lr=1e30", plan.whole(bench.exp("rate")), bench, "it has diverged")


def _ended(fault: str, run: Run, bench: Bench, why: str) -> Row:
    """A training that cannot go on says why."""
    return Row(
        fault, f"exit {run.code}: {_short(run.last_line(), bench)}", run.code == 1 and why in run.last_line()
    )


def two_at_once(bench: Bench) -> Row:
    plan, exp = bench.plan, bench.exp("two")
    run = plan.begin(exp)
    run.until(run.trains)
    said = exp.parent / "second.said"
    before = time.monotonic()
    second = plan.begin(exp)
    code = second.wait()
    took, line = time.monotonic() - before, second.last_line()
    said.write_text(line)
    first = run.wait()
    same = first == 0 and bench.same(exp, plan)
    told = "the first as undisturbed" if same else f"the first exit {first}, NOT as undisturbed"
    happened = f"the second: exit {code} after {took:.1f} s: {_short(line, bench)}; {told}"
    return Row("a second process on the same EXP", happened, code == 1 and same)


def _killed_at(bench: Bench, plan: Plan, exp: Path, update: int) -> None:
    run = plan.begin(exp)
    run.until(lambda: ExpDir(exp).checkpoint(update).root.exists())
    run.kill(group=True)


def _spoil(path: Path) -> None:
    wave, rate = soundfile.read(path, dtype="float32")
    wave[len(wave) // 2] = math.nan
    soundfile.write(path, wave, rate, subtype="FLOAT")


def _copied(bench: Bench, name: str) -> Corpus:
    """A corpus of its own to do harm to."""
    return Corpus(bench.root / f"corpus-{name}").make()


def _happened(code: int, run: Run, bench: Bench, told: str) -> str:
    return f"exit {code}: {_short(run.last_line(), bench)}; again: {told}"


def _short(line: str, bench: Bench) -> str:
    return line.replace(f"{bench.root}/", "").replace("|", "/")


FAULTS: dict[str, Callable[[Bench], "Row | Iterator[Row]"]] = {
    "no-room": no_room,
    "in-the-way": file_in_the_way,
    "truncated": truncated,
    "audio-gone": audio_gone,
    "worker": worker_killed,
    "rank": rank_killed,
    "signals": signals,
    "torchrun-asked": torchrun_asked,
    "nan": nan_injected,
    "two": two_at_once,
}


def tried(bench: Bench, options: argparse.Namespace) -> Iterator[Row]:
    """Every fault that is asked for, one after the other."""
    long = replace(bench.plan, updates=options.updates)
    if not options.only or "kills" in options.only:
        yield kills(bench, long, options.kills)
    if (not options.only and options.torchrun_kills) or "torchrun-kills" in options.only:
        yield kills(bench, replace(long, processes=2), options.torchrun_kills)
    for name, fault in FAULTS.items():
        if not options.only or name in options.only:
            rows = fault(bench)
            yield from [rows] if isinstance(rows, Row) else rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="of a training in one process")
    parser.add_argument("--torchrun-kills", type=int, default=40, help="of one in 2 processes under torchrun")
    parser.add_argument("--updates", type=int, default=400, help="of the training that is killed")
    parser.add_argument("--only", nargs="+", default=[], choices=["kills", "torchrun-kills", *FAULTS])
    parser.add_argument("--seed", type=int, default=1, help="of the instants")
    parser.add_argument("--keep", type=Path, help="work here and leave everything")
    options = parser.parse_args()
    root = options.keep or Path(tempfile.mkdtemp(prefix="faults-"))
    corpus = Corpus(root / "corpus")
    corpus = corpus if corpus.root.exists() else corpus.make()
    bench = Bench(root, corpus, Plan(corpus, updates=60), random.Random(options.seed))
    print("| fault | what happened | as it should |\n|---|---|---|")
    good = True
    for row in tried(bench, options):
        print(f"| {row.fault} | {row.happened} | {'yes' if row.good else '**no**'} |", flush=True)
        good = good and row.good
    if options.keep is None:
        shutil.rmtree(root)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
