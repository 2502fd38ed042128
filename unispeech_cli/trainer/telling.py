"""What a training says while it runs: lines on its updates, its pace, and what its ranks have to tell."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence

import torch

from unispeech_cli.records import Note
from unispeech_cli.trainer.distributed import Ranks
from unispeech_cli.trainer.journal import Journal, peak_memory
from unispeech_cli.trainer.loop import Step


class Pace:
    """Sums over the updates since the training began or went on; validation is not in them."""

    def __init__(self) -> None:
        self.speech = self.padded = self.seconds = self.waited = 0.0

    @property
    def speech_per_second(self) -> float:
        return self.speech / max(self.seconds, 1e-9)

    def add(self, step: Step) -> None:
        self.speech += step.speech
        self.padded += step.padded
        self.seconds += step.seconds
        self.waited += step.waited

    def values(self) -> dict[str, float]:
        """What timing.jsonl has of it."""
        return {
            "waited_seconds": round(self.waited, 3),
            "speech_seconds_per_second": round(self.speech_per_second, 1),
            "padding_share": round(1 - self.speech / max(self.padded, 1e-9), 4),
        }


def line(step: Step, pace: Pace) -> str:
    """An update in a line."""
    terms = [f"{name} {value:.3f}" for name, value in {**step.losses, **step.watched}.items()]
    return f"loss {step.total:.3f} ({' '.join(terms)}) {pace.speech_per_second:.0f} x real time"


# of what is watched, what a live view tells, by the name that it has there
SHOWN = {"code_perplexity": "perplexity", "blank_share": "blanks", "positive_gap": "gap"}


def figures(step: Step, pace: Pace, dev: Mapping[str, float]) -> dict[str, float]:
    """An update for a live view: `dev` is the last validation's figures, by name."""
    watched = {SHOWN[name]: value for name, value in step.watched.items() if name in SHOWN}
    return {
        "loss": step.total,
        **step.losses,
        **{f"dev {name}": value for name, value in dev.items()},
        **watched,
        "rate": step.rate,
        "audio s/s": pace.speech_per_second,
        "padding %": 100 * pace.values()["padding_share"],
        "waiting for data %": 100 * pace.waited / max(pace.seconds, 1e-9),
        "memory MB": peak_memory(),
        **_on_gpu(),
    }


def _on_gpu() -> dict[str, float]:
    return {"GPU MB": torch.cuda.max_memory_allocated() // 2**20} if torch.cuda.is_initialized() else {}


def log(step: Step, pace: Pace, scheduled: Mapping[str, float], journal: Journal | None) -> None:
    """Write an update down, with what was on a schedule; where the weights stayed as they were `skipped` is 1."""
    if journal is None:
        return
    losses = {f"loss_{name}": value for name, value in step.losses.items()}
    rates = {
        "gradient_norm": step.gradient_norm,
        "rate": step.rate,
        **scheduled,
        "speech_seconds": step.speech,
    }
    skipped = {"skipped": 1} if step.skipped else {}
    journal.metrics(step.update, {"loss": step.total, **losses, **step.watched, **rates, **skipped})
    journal.say(f"update {step.update}: {line(step, pace)}")


def told(lines: Sequence[str], journal: Journal | None) -> Iterator[Note]:
    """Lines for the log and for whoever waits."""
    for text in lines:
        if journal is not None:
            journal.say(text)
        yield Note(text)


def gathered(ranks: Ranks, news: deque[str]) -> list[str]:
    """What the ranks have to tell, the others' lines marked with their number."""
    own = "\n".join(news.popleft() for _ in range(len(news)))
    marked = [("" if rank == 0 else f"rank {rank}: ", lines) for rank, lines in enumerate(ranks.texts(own))]
    return [f"warning: {mark}{line}" for mark, lines in marked for line in lines.splitlines()]
