"""File names of a search over settings."""

from dataclasses import dataclass
from pathlib import Path

from unispeech_cli.paths import ExpDir, Named


@dataclass(frozen=True)
class SweepDir:
    """A search over settings, and the trainings of its trials."""

    root: Path

    trials = Named("trials.db")
    """What was drawn, reported and found: Optuna's tables in SQLite."""
    made = Named("sweep.json")
    """From what the trials are made; a search never goes on with others."""
    turn = Named("lock")
    """Held by the process that draws a trial; empty."""

    def trial(self, number: int) -> Path:
        return self.root / f"trial-{number}"

    def lock(self, number: int) -> Path:
        """Held by the process that works at a trial; empty."""
        return self.trial(number) / "lock"

    def exp(self, number: int, stage: str) -> ExpDir:
        return ExpDir(self.trial(number) / stage)

    def log(self, number: int, stage: str) -> Path:
        """What a training of a trial said."""
        return self.trial(number) / f"log-{stage}"

    def best(self, stage: str) -> Path:
        """Settings of the best trial."""
        return self.root / f"best-{stage}.yaml"
