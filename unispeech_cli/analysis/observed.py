"""What was seen of the codebooks: codes and phones frame by frame, of an utterance and of all together.

Legend: T frames of an utterance, N frames that are some phone's, G codebook groups.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from unispeech_cli.analysis.frame_phones import NONE

Ints = NDArray[np.int64]

# the name of the codes of all groups together, beside 0, 1, ...
ALL = "all"
Group = int | str


@dataclass(frozen=True)
class Utterance:
    """Codes of one cut, and which of its phones each frame belongs to."""

    cut_id: str
    language: str
    speaker: str | None
    phones: tuple[str, ...]
    # places in `phones`, or NONE
    position_T: Ints
    code_TG: Ints
    # by signal-to-noise ratio in dB: the codes in noise
    noisy: Mapping[float, Ints] = field(default_factory=dict)

    @property
    def labelled_T(self) -> NDArray[np.bool_]:
        """Which frames are some phone's."""
        return self.position_T != NONE


@dataclass(frozen=True)
class Frames:
    """All frames that are some phone's; phones and languages are numbers of their names."""

    phones: tuple[str, ...]
    languages: tuple[str, ...]
    phone_N: Ints
    language_N: Ints
    utterance_N: Ints
    code_NG: Ints

    @cached_property
    def columns(self) -> dict[Group, Ints]:
        """The codes (N,) of each group, and under ALL the number of each frame's tuple of codes."""
        columns: dict[Group, Ints] = {group: self.code_NG[:, group] for group in range(self.code_NG.shape[1])}
        return {**columns, ALL: np.unique(self.code_NG, axis=0, return_inverse=True)[1].reshape(-1)}

    @cached_property
    def tuples(self) -> Ints:
        """The tuples of codes (tuples, G) by their number."""
        found: Ints = np.unique(self.code_NG, axis=0)
        return found

    def where(self, chosen_N: NDArray[np.bool_]) -> "Frames":
        """Some of the frames; names keep their numbers."""
        return Frames(
            self.phones,
            self.languages,
            self.phone_N[chosen_N],
            self.language_N[chosen_N],
            self.utterance_N[chosen_N],
            self.code_NG[chosen_N],
        )

    def by_language(self) -> Iterator[tuple[str, "Frames"]]:
        """The frames of each language."""
        for number, language in enumerate(self.languages):
            yield language, self.where(self.language_N == number)


def pool(utterances: Sequence[Utterance]) -> Frames:
    """All frames of at least one utterance that are some phone's. Raises ValueError where there are none."""
    phones = sorted({phone for utterance in utterances for phone in utterance.phones})
    languages = sorted({utterance.language for utterance in utterances})
    said = {phone: number for number, phone in enumerate(phones)}
    phone, language, number, code = [], [], [], []
    for index, utterance in enumerate(utterances):
        kept_T = utterance.labelled_T
        spoken = np.array([said[phone] for phone in utterance.phones], np.int64)
        phone.append(spoken[utterance.position_T[kept_T]])
        language.append(np.full(int(kept_T.sum()), languages.index(utterance.language)))
        number.append(np.full(int(kept_T.sum()), index))
        code.append(utterance.code_TG[kept_T])
    if not any(map(len, phone)):
        raise ValueError("no frame of any cut is a phone's: no cut could be aligned")
    joined = (np.concatenate(part) for part in (phone, language, number, code))
    return Frames(tuple(phones), tuple(languages), *joined)
