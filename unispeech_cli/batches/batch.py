"""What a training step sees: padded waveforms and token targets with their true lengths.

Legend: B utterances, S samples, L labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from unispeech_cli.chance import mixed
from unispeech_cli.frames import SAMPLE_RATE


@dataclass(frozen=True)
class Example:
    """One utterance: 16 kHz mono samples, and its labels (None: unlabelled)."""

    cut_id: str
    language: str
    wave_S: Tensor
    token_L: Tensor | None


@dataclass(frozen=True)
class Row:
    """An utterance whose samples lie in a batch already: how many, and its labels (None: unlabelled)."""

    cut_id: str
    language: str
    samples: int
    token_L: Tensor | None


@dataclass(frozen=True)
class Batch:
    """Utterances padded to the longest; row by row labelled or not."""

    # float32, 0 past the end
    wave_BS: Tensor
    wave_lengths_B: Tensor
    # int64, 0 (blank) past the end and for unlabelled rows
    token_BL: Tensor
    token_lengths_B: Tensor
    labelled_B: Tensor
    languages: tuple[str, ...]
    cut_ids: tuple[str, ...]
    # one a row, of what is drawn for it; empty: torch's own generator draws
    seeds: tuple[int, ...] = ()

    @property
    def seconds(self) -> float:
        """Seconds of speech, padding not counted."""
        return float(self.wave_lengths_B.sum()) / SAMPLE_RATE

    @property
    def padded_seconds(self) -> float:
        """Seconds that the model works through, padding included."""
        return self.wave_BS.numel() / SAMPLE_RATE

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch with its tensors on `device`."""
        return replace(
            self,
            wave_BS=self.wave_BS.to(device),
            wave_lengths_B=self.wave_lengths_B.to(device),
            token_BL=self.token_BL.to(device),
            token_lengths_B=self.token_lengths_B.to(device),
            labelled_B=self.labelled_B.to(device),
        )

    def rows(self, begin: int, end: int) -> "Batch":
        """Rows `begin` to `end` (not included) alone, padded to the longest of them."""
        samples, labels = (
            int(lengths[begin:end].max()) for lengths in (self.wave_lengths_B, self.token_lengths_B)
        )
        return Batch(
            self.wave_BS[begin:end, :samples],
            self.wave_lengths_B[begin:end],
            self.token_BL[begin:end, :labels],
            self.token_lengths_B[begin:end],
            self.labelled_B[begin:end],
            self.languages[begin:end],
            self.cut_ids[begin:end],
            self.seeds[begin:end],
        )

    def seeded(self, seed: int, update: int) -> "Batch":
        """The same batch, what is drawn for a row being a function of (seed, update, cut id) alone."""
        return replace(self, seeds=tuple(mixed(seed, update, cut_id) for cut_id in self.cut_ids))


def collate(examples: Sequence[Example]) -> Batch:
    """Pad at least one utterance into a batch."""
    waves = [example.wave_S for example in examples]
    rows = [Row(e.cut_id, e.language, len(e.wave_S), e.token_L) for e in examples]
    return batch_of(torch.nn.utils.rnn.pad_sequence(waves, batch_first=True), rows)


def batch_of(wave_BS: Tensor, rows: Sequence[Row]) -> Batch:
    """A batch of samples padded already, and what is to be said of its rows."""
    tokens = [torch.zeros(0, dtype=torch.long) if row.token_L is None else row.token_L for row in rows]
    return Batch(
        wave_BS,
        torch.tensor([row.samples for row in rows]),
        torch.nn.utils.rnn.pad_sequence(tokens, batch_first=True),
        torch.tensor([len(token) for token in tokens]),
        torch.tensor([row.token_L is not None for row in rows]),
        tuple(row.language for row in rows),
        tuple(row.cut_id for row in rows),
    )
