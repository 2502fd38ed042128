"""What a report shows: systems side by side on each test set, what they confuse, which utterances went worst."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import PurePath
from typing import Any

from unispeech_cli.scorer.alignment import Counts, Pairs, count
from unispeech_cli.scorer.rates import Rate

# where it is not phones but their classes that are confused
CLASSES = "class"
# (reference, hypothesis) -> how often; None stands where one side has nothing
PairCounts = Mapping[tuple[str | None, str | None], int]


@dataclass(frozen=True)
class ReportSettings:
    """How much a report holds.

    The `worst` utterances of each test set; at most `audio_megabytes` of audio in the whole file; of speakers and
    other groups the `groups` worst; of units in a confusion picture, and of confused words, the `confused` most
    frequent.
    """

    worst: int = 20
    audio_megabytes: float = 8.0
    groups: int = 30
    confused: int = 30


@dataclass(frozen=True)
class Rated:
    """An error rate with its 95 % interval (fractions), where there is one."""

    rate: Rate
    interval: tuple[float, float] | None = None

    @property
    def fraction(self) -> float:
        return self.rate.fraction


@dataclass(frozen=True)
class System:
    """A decode directory: `label` tells it from the others of the report."""

    label: str
    root: str
    method: str
    units: str
    checkpoint: str


@dataclass(frozen=True)
class Result:
    """One system on one test set in one setting: rates by measure, and group kind -> group -> rate in the first."""

    system: System
    test_set: str
    setting: str
    best: bool
    rates: Mapping[str, Rated]
    groups: Mapping[str, Mapping[str, Rated]] = field(default_factory=dict)

    @property
    def measure(self) -> str:
        """The measure that the details are in."""
        return next(iter(self.rates))


@dataclass(frozen=True)
class Heard:
    """What one system heard in one utterance; `times` are starts in seconds, one per token heard, or ()."""

    system: System
    pairs: Pairs
    times: Sequence[float] = ()

    @property
    def counts(self) -> Counts:
        return count(self.pairs)

    @property
    def rate(self) -> float:
        """Errors per reference token, an empty reference counted as one token."""
        return self.counts.errors / max(1, self.counts.reference)


@dataclass(frozen=True)
class Utterance:
    """An utterance and what the systems heard in it; `text` is the transcript as it was written."""

    id: str
    seconds: float
    speaker: str | None
    text: str | None
    heard: Sequence[Heard]

    @property
    def badness(self) -> tuple[float, int]:
        """By which the worst is found: the mean error rate, then errors."""
        rate = sum(heard.rate for heard in self.heard) / len(self.heard)
        return rate, sum(heard.counts.errors for heard in self.heard)


@dataclass(frozen=True)
class Clip:
    """The audio of an utterance as a data URI, or why there is none; `failed` where it could not be read."""

    uri: str | None
    reason: str = ""
    failed: bool = False


@dataclass(frozen=True)
class Confused:
    """What one system confuses, in one measure: PER, WER, CER, or CLASSES of phones with their weighted PER."""

    system: System
    measure: str
    pairs: PairCounts
    weighted: float | None = None


@dataclass(frozen=True)
class SetDetails:
    """One test set: the chosen result of each system, what it confuses, and the utterances of any of them."""

    name: str
    results: Sequence[Result]
    confused: Sequence[Confused]
    utterances: Sequence[Utterance]


@dataclass(frozen=True)
class Report:
    """All that the page is made of; `clips` by utterance id, `classes` of phones, `made_from` the provenance."""

    results: Sequence[Result]
    test_sets: Sequence[SetDetails]
    clips: Mapping[str, Clip]
    classes: Mapping[str, str]
    made_from: Mapping[str, Any]
    settings: ReportSettings = field(default_factory=ReportSettings)

    @property
    def systems(self) -> list[System]:
        return list(dict.fromkeys(result.system for result in self.results))


def labels(roots: Sequence[str]) -> list[str]:
    """What tells paths apart: parts that all have in one place, or at an end, are left out."""
    parts = [PurePath(root).parts for root in roots]
    if len(set(parts)) < 2:
        return list(roots)
    if len({len(part) for part in parts}) == 1:
        differing = [column for column in zip(*parts, strict=True) if len(set(column)) > 1]
        return ["/".join(part) for part in zip(*differing, strict=True)]
    head = _common(parts)
    tail = _common([part[head:][::-1] for part in parts])
    ends = [max(head, len(part) - tail) for part in parts]
    if any(end == head for end in ends):
        ends = [len(part) for part in parts]
    return ["/".join(part[head:end]) or root for part, end, root in zip(parts, ends, roots, strict=True)]


def _common(parts: Sequence[Sequence[str]]) -> int:
    """How many first parts all have."""
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*parts, strict=False)))


def worst(utterances: Iterable[Utterance], number: int) -> list[Utterance]:
    """Those that went worst, worst first; ties in order of id. An utterance without errors is none of them."""
    wrong = [utterance for utterance in utterances if utterance.badness[1]]
    return sorted(wrong, key=lambda u: (-u.badness[0], -u.badness[1], u.id))[:number]


def confusions(utterances: Iterable[Pairs]) -> PairCounts:
    """How often each pair of alignments occurs."""
    return Counter(pair for pairs in utterances for pair in pairs)


def errors(confusions: PairCounts) -> list[tuple[tuple[str | None, str | None], int]]:
    """The pairs that are errors, most frequent first; ties in order of spelling."""
    wrong = [(pair, number) for pair, number in confusions.items() if pair[0] != pair[1]]
    return sorted(wrong, key=lambda item: (-item[1], item[0][0] or "", item[0][1] or ""))


def most_confused(confusions: PairCounts, number: int) -> list[str]:
    """The tokens that take part in most errors, in order of spelling."""
    taking_part: Counter[str] = Counter()
    for pair, times in errors(confusions):
        taking_part.update({token: times for token in pair if token is not None})
    chosen = sorted(taking_part, key=lambda token: (-taking_part[token], token))[:number]
    return sorted(chosen)
