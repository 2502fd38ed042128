"""How much of what is trained on comes from where: labelled and unlabelled speech, language by language."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """Speech of one kind in one language (None: languages not told apart), and how many hours of it there are."""

    labelled: bool
    language: str | None
    hours: float


def shares(parts: Sequence[Part], labeled_share: float | None, language_alpha: float | None) -> list[float]:
    """Each part's share of all audio trained on; they add up to 1.

    Labelled speech as a whole has its share of the hours, or `labeled_share`. Among the languages of a kind
    p_l is proportional to hours_l ** alpha (the released code's --multilang-sampling-alpha); None stands for 1.
    """
    if not parts:
        return []
    hours = {kind: sum(part.hours for part in parts if part.labelled is kind) for kind in (True, False)}
    labelled = hours[True] / sum(hours.values()) if labeled_share is None else labeled_share
    of_kind = {True: labelled if hours[False] else 1.0, False: 1.0 - labelled if hours[True] else 1.0}
    alpha = 1.0 if language_alpha is None else language_alpha
    weight = {kind: sum(part.hours**alpha for part in parts if part.labelled is kind) for kind in of_kind}
    return [of_kind[part.labelled] * part.hours**alpha / weight[part.labelled] for part in parts]
