"""Two systems on the same utterances: what differs, whether by chance, and where most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unispeech_cli.scorer.alignment import Pairs
from unispeech_cli.scorer.bootstrap import BootstrapSettings, Paired, paired
from unispeech_cli.scorer.measures import Aligned
from unispeech_cli.scorer.rates import Rate, total
from unispeech_cli.scorer.significance import MatchedPairs, matched_pairs, segments


@dataclass(frozen=True)
class Both:
    """One utterance as both systems heard it, against one reference."""

    first: Aligned
    second: Aligned

    @property
    def change(self) -> int:
        """Errors more in the second."""
        return self.second.counts.errors - self.first.counts.errors


@dataclass(frozen=True)
class Matched:
    """Utterances by whether both systems have them; `other_reference`: both do, but not against one reference."""

    both: Sequence[Both]
    only_first: Sequence[str]
    only_second: Sequence[str]
    other_reference: Sequence[str]


@dataclass(frozen=True)
class Difference:
    """The second system against the first, in one measure; `utterances`: better, as good, worse in the second."""

    first: Rate
    second: Rate
    drawn: Paired | None
    tested: MatchedPairs
    utterances: tuple[int, int, int]


def match(first: Sequence[Aligned], second: Sequence[Aligned]) -> Matched:
    """Pair the utterances of two systems by id, in order of id."""
    ours, theirs = (_by_id(side) for side in (first, second))
    shared = sorted(ours.keys() & theirs.keys())
    alike = {name for name in shared if _reference(ours[name].pairs) == _reference(theirs[name].pairs)}
    return Matched(
        [Both(ours[name], theirs[name]) for name in shared if name in alike],
        sorted(ours.keys() - theirs.keys()),
        sorted(theirs.keys() - ours.keys()),
        [name for name in shared if name not in alike],
    )


def difference(both: Sequence[Both], settings: BootstrapSettings) -> Difference:
    """How the second system differs from the first, by paired bootstrap and by matched pairs of segments."""
    first, second = [each.first.rate for each in both], [each.second.rate for each in both]
    speakers = [each.first.hypothesis.speaker for each in both]
    parts = [part for each in both for part in segments(each.first.pairs, each.second.pairs)]
    changes = [each.change for each in both]
    counted = (sum(c < 0 for c in changes), sum(c == 0 for c in changes), sum(c > 0 for c in changes))
    drawn = paired(first, second, speakers, settings)
    return Difference(total(first), total(second), drawn, matched_pairs(parts), counted)


def most_changed(both: Sequence[Both], number: int) -> list[Both]:
    """The utterances whose errors changed most, those that got worse first of equals."""
    changed = [each for each in both if each.change]
    return sorted(changed, key=lambda each: (-abs(each.change), -each.change, each.first.hypothesis.id))[
        :number
    ]


def _by_id(utterances: Sequence[Aligned]) -> Mapping[str, Aligned]:
    return {utterance.hypothesis.id: utterance for utterance in utterances}


def _reference(pairs: Pairs) -> list[str]:
    """Its tokens; an optional word that was not said stands in parentheses."""
    return [ref.strip("()") for ref, _ in pairs if ref is not None]
