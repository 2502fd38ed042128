"""One update of pre-training, ours and transformers' with the official losses: time, memory, growth with length.

    python bench/train.py                                 the default, about five minutes on two idle cores
    python bench/train.py --preset large --seconds 10 --alone      ours only, of any size and length
    python bench/train.py --preset base large --seconds 15 --rows 8 --precision bf16 --device cuda --peak-tflops 312

Noise labelled with 12 phones a second, every second utterance a fifth shorter; forwards, the three losses, backwards,
clipping, AdamW. Both networks have the same weights, batch, masks and dropout (train_peer.py). Each runs in a process
of its own, which tells its own peak (ru_maxrss, on a GPU torch's): "update" is what the updates add to the model, its
optimiser and the batch. The first update, which allocates, is not timed. On a GPU also hours of audio an hour, the
share of --peak-tflops, and by --largest the most utterances that go into a batch (untried: no GPU was at hand).
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from unispeech_cli.batches.batch import Batch, Example, collate
from unispeech_cli.frames import SAMPLE_RATE
from unispeech_cli.model.size import multiplications
from unispeech_cli.model.unispeech import PRESETS, UniSpeech, UniSpeechSettings
from unispeech_cli.objective.unispeech import ObjectiveSettings, UniSpeechObjective
from unispeech_cli.settings import load
from unispeech_cli.trainer.distributed import Exchange, Ranks
from unispeech_cli.trainer.loop import Machine, fit
from unispeech_cli.trainer.optim import OptimSettings, make_optimizer
from unispeech_cli.trainer.precision import Precision

TOKENS = 80
PHONES_PER_SECOND = 12
SEED = 1
# the default: how both grow with the length, then precision and size
DEFAULT = [("tiny", "float32", seconds) for seconds in (5.0, 10.0, 20.0, 40.0)] + [
    ("tiny", "bf16", 20.0),
    ("base", "float32", 10.0),
    ("base", "bf16", 10.0),
]


@dataclass(frozen=True)
class Cell:
    """What one process measures."""

    who: str
    preset: str
    precision: str
    seconds: float
    rows: int
    updates: int
    device: str
    largest: bool


@dataclass(frozen=True)
class Measured:
    parameters: int
    # of an update, the median: by the clock, and of processors
    seconds: float
    cpu: float
    # MiB: of the whole process or GPU, and what the updates added
    peak: float
    added: float
    losses: dict[str, float]
    # utterances of a batch; 0 where not asked for
    largest: int


def batch_of(rows: int, seconds: float) -> Batch:
    torch.manual_seed(0)
    lengths = [seconds * (0.8 if row % 2 else 1.0) for row in range(rows)]
    examples = [
        Example(
            f"noise-{row}",
            "en",
            torch.randn(int(length * SAMPLE_RATE)) * 0.1,
            torch.randint(1, TOKENS, (int(length * PHONES_PER_SECOND),)),
        )
        for row, length in enumerate(lengths)
    ]
    return collate(examples)


def our_updates(
    model: UniSpeech, cell: Cell, batch: Batch, tell: Callable[[str], None]
) -> Iterator[dict[str, float]]:
    device, optim = torch.device(cell.device), OptimSettings()
    ranks = Ranks(0, 1, device)
    machine = Machine(ranks, Precision(cell.precision, device), Exchange(ranks, 0))
    steps = fit(
        model,
        UniSpeechObjective(ObjectiveSettings()),
        iter([batch] * (cell.updates + 1)),
        make_optimizer(model, optim),
        first=0,
        last=cell.updates + 1,
        batches_per_update=1,
        clip=optim.clip,
        before_update=lambda update: 1e-5,
        seed=SEED,
        machine=machine,
        on_fault=tell,
    )
    yield from (step.losses for step in steps)


def updates_of(
    model: UniSpeech, cell: Cell, batch: Batch, tell: Callable[[str], None]
) -> Iterator[dict[str, float]]:
    """One more than are timed."""
    if cell.who == "unispeech":
        return our_updates(model, cell, batch, tell)
    from train_peer import their_updates

    precision = Precision(cell.precision, torch.device(cell.device))
    return their_updates(model, batch.to(cell.device).seeded(SEED, 0), TOKENS, cell.updates + 1, precision)


def measure(cell: Cell) -> Measured:
    settings = load(UniSpeechSettings, preset=PRESETS[cell.preset])
    torch.manual_seed(SEED)
    model = UniSpeech(settings, TOKENS).to(cell.device).train()
    parameters = sum(weight.numel() for weight in model.parameters())
    largest = find_largest(cell, model) if cell.largest else 0
    before, times, cpu, losses = peak_mib(cell.device), [], [], None
    updates = updates_of(model, cell, batch_of(cell.rows, cell.seconds), print)
    for _ in range(cell.updates + 1):
        started, busy = time.perf_counter(), time.process_time()
        told = next(updates)
        if cell.device != "cpu":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
        cpu.append(time.process_time() - busy)
        losses = losses or told
    peak = peak_mib(cell.device)
    middle = (cell.updates - 1) // 2
    took = sorted(times[1:])[middle], sorted(cpu[1:])[middle]
    return Measured(parameters, *took, peak, peak - before, losses or {}, largest)


def peak_mib(device: str) -> float:
    if device != "cpu":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def find_largest(cell: Cell, model: UniSpeech) -> int:
    """The most utterances that an update takes without running out of memory, to 1 in 8."""
    fits, fails = 0, 0
    while not fails or fails - fits > max(1, fits // 8):
        rows = max(1, 2 * fits) if not fails else (fits + fails) // 2
        if goes(cell, model, rows):
            fits = rows
        else:
            fails = rows
        torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return fits


def goes(cell: Cell, model: UniSpeech, rows: int) -> bool:
    faults: list[str] = []
    try:
        next(updates_of(deepcopy(model), cell, batch_of(rows, cell.seconds), faults.append))
    except RuntimeError as error:
        if "out of memory" not in str(error):
            raise
        return False
    # ours says that it split the batch and goes on
    return not faults


def in_its_own_process(cell: Cell) -> Measured | None:
    """None where it fails, with its last line on stderr."""
    command = [sys.executable, __file__, "--one", json.dumps(asdict(cell))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{cell} failed: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def line(cell: Cell, found: Measured, options: argparse.Namespace) -> str:
    heard = sum(cell.seconds * (0.8 if row % 2 else 1.0) for row in range(cell.rows))
    told = " ".join(f"{name} {value:.3f}" for name, value in found.losses.items())
    parts = [
        f"{cell.preset:5} {cell.precision:7} {cell.seconds:4.0f} s x {cell.rows} {cell.who:12}",
        f"{found.parameters / 1e6:7.2f} M  {found.seconds:7.2f} s an update ({found.cpu:6.2f} s CPU)",
        f"{heard / found.seconds:6.1f} x real time",
        f"peak {found.peak:7.0f} MiB, update {found.added:7.0f}  ({told})",
    ]
    if options.device != "cpu":
        settings = load(UniSpeechSettings, preset=PRESETS[cell.preset])
        assert settings.quantizer is not None
        # forwards once, backwards twice; a multiply-add is two operations
        work = 6 * multiplications(settings.context, settings.quantizer, TOKENS) * heard / found.seconds
        share = f", {work / options.peak_tflops / 1e10:.1f} % of the peak" if options.peak_tflops else ""
        parts.append(f"{heard / found.seconds:.0f} h of audio an hour, {work / 1e12:.1f} TFLOP/s{share}")
        parts.append(f"largest batch {found.largest} utterances" if cell.largest else "")
    return "  ".join(part for part in parts if part)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--preset", nargs="+", choices=[*PRESETS], help="instead of the default's cells")
    parser.add_argument("--precision", nargs="+", choices=["float32", "bf16"], default=["float32"])
    parser.add_argument("--seconds", nargs="+", type=float, default=[10.0], help="the longest of a batch")
    parser.add_argument("--rows", type=int, default=2, help="utterances of a batch")
    parser.add_argument("--updates", type=int, default=2, help="that are timed, after a first one")
    parser.add_argument("--alone", action="store_true", help="without the peer")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1")
    parser.add_argument("--peak-tflops", type=float, help="what the GPU's maker says for this precision")
    parser.add_argument("--largest", action="store_true", help="on a GPU: find the largest batch")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    if options.one:
        sys.path.insert(0, str(Path(__file__).parent))
        print(json.dumps(asdict(measure(Cell(**json.loads(options.one))))))
        return
    chosen = [
        (preset, precision, seconds)
        for preset in options.preset or ()
        for precision in options.precision
        for seconds in options.seconds
    ]
    for preset, precision, seconds in chosen or DEFAULT:
        fixed = (preset, precision, seconds, options.rows, options.updates, options.device, options.largest)
        measured = []
        for who in ["unispeech"] if options.alone else ["unispeech", "transformers"]:
            cell = Cell(who, *fixed)
            if found := in_its_own_process(cell):
                measured.append(found)
                print(line(cell, found, options), flush=True)
        if len(measured) == 2:
            ours, theirs = measured
            print(
                f"{'':6}transformers / unispeech: time {theirs.seconds / ours.seconds:.2f}, "
                f"CPU {theirs.cpu / ours.cpu:.2f}, "
                f"peak {theirs.peak / ours.peak:.2f}, of it the update {theirs.added / max(ours.added, 1.0):.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
