"""What a training would do, by its settings and the hours of its speech: nothing is trained or allocated."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unispeech_cli.batches.shares import Part, shares
from unispeech_cli.batches.source import LoaderSettings, kept_sources
from unispeech_cli.model.masking import SpanSettings
from unispeech_cli.paths import corpus_of
from unispeech_cli.records import Records, Table
from unispeech_cli.trainer.schedule import RateSettings
from unispeech_cli.trainer.session import RunSettings

# what one GPU is taken to sustain where no speed is given. An assumption: nothing was measured
ASSUMED_TFLOPS = 30.0
MANIFEST, TOLD = "manifest", "--hours"

Row = tuple[str | int | float | None, ...]


@dataclass(frozen=True)
class Known:
    """Speech that a training would hear, and where its hours are known from."""

    part: Part
    origin: str


@dataclass(frozen=True)
class Forecast:
    """What pre-training and fine-tuning have in common."""

    exp: Path
    run: RunSettings
    data: LoaderSettings
    speech: Sequence[Known]
    # by part, the head without outputs where the number of tokens is not known
    weights: Mapping[str, int]
    tokens: int | None
    # multiply-adds of forward and backward pass over a second of audio
    multiplications: float
    # seconds of audio that one GPU trains a second; None: assumed
    speed: float | None

    @property
    def hours(self) -> float:
        """Hours of audio heard in the whole run, were its batches full to the last second."""
        division = self.data.division()
        return self.run.updates * division.batches * division.seconds / 3600

    @property
    def pace(self) -> tuple[float, str]:
        """Seconds of audio a second on one GPU, and how that is known."""
        if self.speed is not None:
            return self.speed, "--speed"
        operations = 2 * self.multiplications
        how = f"assumed, not measured: {ASSUMED_TFLOPS:g} TFLOP/s over {operations / 1e9:.0f} GFLOP a second of audio"
        return ASSUMED_TFLOPS * 1e12 / operations, how

    def tables(self, rows: Iterable[Row], schedule: Table) -> Records:
        """The training (with `rows` of its own), its speech, and the points of its schedule."""
        columns = ("kind", "language", "hours", "from", "share %", "times")
        training = [("experiment", str(self.exp), ""), *self._training(), *rows, *self._size()]
        yield Table("training", ("what", "value", "how"), training)
        yield Table("speech", columns, self._speech())
        yield schedule

    def _speech(self) -> list[Row]:
        parts = [known.part for known in self.speech]
        of_all = shares(parts, self.data.labeled_share, self.data.language_alpha)
        return [
            (
                "labelled" if known.part.labelled else "unlabelled",
                known.part.language,
                known.part.hours,
                known.origin,
                100 * share,
                share * self.hours / known.part.hours,
            )
            for known, share in zip(self.speech, of_all, strict=True)
        ]

    def _training(self) -> list[Row]:
        data, run = self.data, self.run
        limits = f"{data.shortest:g} .. {data.max_seconds:g} s"
        pace, how = self.pace
        alpha = "not told apart" if data.language_alpha is None else f"hours ** {data.language_alpha:g}"
        return [
            ("updates", run.updates, "run.updates"),
            ("seconds of audio an update", data.seconds_per_update, "data.seconds_per_update"),
            (
                "seconds of audio a batch",
                data.division().seconds,
                f"data.seconds_per_batch; cuts of {limits}",
            ),
            ("batches an update", data.division().batches, "accumulated on one GPU"),
            ("languages", alpha, "data.language_alpha"),
            ("hours of audio heard", self.hours, "at most: updates x batches x seconds, padding included"),
            ("seconds of audio a second", pace, how),
            ("GPU hours", self.hours / pace, "hours of audio heard / seconds of audio a second"),
            ("updates between validations", run.updates / run.validations, "run.validations"),
            ("updates between checkpoints", run.save_every, "run.save_every"),
        ]

    def _size(self) -> list[Row]:
        tokens = "no tokens.txt yet: without the CTC head" if self.tokens is None else f"{self.tokens} tokens"
        parts: list[Row] = [(f"parameters: {name}", count, "") for name, count in self.weights.items()]
        return [("parameters", sum(self.weights.values()), tokens), *parts]


def known_speech(
    manifests: Sequence[Path], labelled: bool, data: LoaderSettings, told: Mapping[str, float]
) -> list[Known]:
    """The speech of manifests, by language; of those that are not there yet, by corpus, the hours told of it.

    Raises ValueError naming a manifest that is not there and of whose corpus no hours are told.
    """
    there = [path for path in manifests if path.exists()]
    missing = list(dict.fromkeys(corpus_of(path) for path in manifests if path not in there))
    unknown = [corpus for corpus in missing if corpus not in told]
    if unknown:
        raise ValueError(f"no manifest of {unknown[0]} yet: make it, or tell --hours {unknown[0]}=HOURS")
    opened = kept_sources(there, labelled, data) if there else []
    found = [Known(source.part, MANIFEST) for source in opened]
    return found + [Known(Part(labelled, corpus, told[corpus]), TOLD) for corpus in missing]


def hours_told(pairs: Sequence[str]) -> dict[str, float]:
    """`cv-en=1350` -> hours by corpus. Raises ValueError where it is no such thing."""
    told = {}
    for pair in pairs:
        corpus, _, hours = pair.rpartition("=")
        try:
            told[corpus] = float(hours)
        except ValueError:
            told[corpus] = 0.0
        if not corpus or told[corpus] <= 0:
            raise ValueError(f"--hours {pair}: expected CORPUS=HOURS, as cv-en=1350")
    return told


def schedule_table(
    rate: RateSettings, updates: int, columns: Sequence[str], at: Callable[[int], Row]
) -> Table:
    """What is on a schedule at the turning points of the learning rate and half-way; `at` gives a row's values."""
    end = rate.decay_updates or updates
    warmup = round(rate.warmup * end) if rate.warmup_updates is None else rate.warmup_updates
    held = warmup
    if rate.shape == "tri-stage":
        held += round(rate.hold * end) if rate.hold_updates is None else rate.hold_updates
    points = sorted({0, warmup, held, updates // 2, end, updates - 1} & set(range(updates)))
    rows: list[Row] = [(update, *at(update)) for update in points]
    return Table(f"schedule ({rate.shape})", ("update", *columns), rows)


def mask_row(name: str, mask: SpanSettings) -> Row:
    """The share that spans cover: 1 - (1 - p / L) ** L, as their starts are drawn over all positions."""
    covered = 100 * (1 - (1 - mask.probability / mask.length) ** mask.length)
    spans = f"{mask.probability:g} x {mask.length}, at least {mask.min_spans} spans"
    return (f"% of the {name} masked", covered, f"{spans}; they may overlap")
