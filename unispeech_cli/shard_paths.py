"""File names of shards, as `paths.py` has all others."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ShardsDir:
    """What shards have left in the directory `root` of a stage, until they are merged."""

    root: Path

    @property
    def shards(self) -> Path:
        return self.root / "shards"

    def of(self, work: str) -> "PartsDir":
        """Those of one piece of work: `prepare-cv-es-train`, `decode`."""
        return PartsDir(self.shards / work)

    def found(self) -> list["PartsDir"]:
        """All that there are, in order of name."""
        return [PartsDir(path) for path in sorted(self.shards.glob("[!.]*")) if path.is_dir()]


@dataclass(frozen=True)
class PartsDir:
    """One piece of work, in parts."""

    root: Path

    def part(self, number: int, of: int) -> "PartDir":
        return PartDir(self.root / f"{number}-of-{of}")

    def found(self) -> list[tuple[int, int]]:
        """(number, of) of the parts that exist, in order."""
        names = [path.name.split("-of-") for path in self.root.glob("[0-9]*-of-*") if path.is_dir()]
        return sorted((int(name[0]), int(name[1])) for name in names if "".join(name).isdigit())


@dataclass(frozen=True)
class PartDir:
    """What one shard has made; of decode a manifest of hypotheses besides, as in a decode directory."""

    root: Path

    def outcomes(self, corpus: str, split: str) -> Path:
        """What became of each item, a line of JSON each, in order."""
        return self.root / f"{corpus}_outcomes_{split}.jsonl.gz"

    @property
    def gathered(self) -> Path:
        """Units and words of the transcripts, counted."""
        return self.root / "gathered.json"

    @property
    def record(self) -> Path:
        """What made it and what is in it; written last."""
        return self.root / "shard.json"
