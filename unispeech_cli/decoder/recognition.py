"""Cuts -> what was heard in them: short ones in batches, long ones in chunks.

Legend: B utterances, T frames, V tokens with blank at 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from lhotse.cut import Cut
from torch import Tensor

from unispeech_cli.audio import Wave, read_cut
from unispeech_cli.batches.batch import Batch
from unispeech_cli.decoder.fallback import Heard, Ladder, Tell
from unispeech_cli.decoder.heard import joined
from unispeech_cli.decoder.segments import Segment, SegmentSettings, segments
from unispeech_cli.frames import RECEPTIVE_FIELD, SAMPLE_RATE
from unispeech_cli.model.chunks import ChunkSettings, posteriors
from unispeech_cli.model.recognizer import Recognizer
from unispeech_cli.model.statistics import measure
from unispeech_cli.stream import blocks


@dataclass(frozen=True)
class LongCutSettings:
    """How cuts longer than `chunk.seconds` are cut for the model, and how for the search."""

    chunk: ChunkSettings = field(default_factory=lambda: ChunkSettings(seconds=60.0))
    segment: SegmentSettings = field(default_factory=SegmentSettings)


@dataclass(frozen=True)
class Recognition:
    """A recogniser and a search at work; lines on what went wrong go to `tell`."""

    recognizer: Recognizer
    ladder: Ladder
    long: LongCutSettings
    device: str
    tell: Tell

    def is_long(self, cut: Cut) -> bool:
        """Whether a cut goes through `hear_long`."""
        return bool(cut.duration > self.long.chunk.seconds)

    def hear(self, batch: Batch) -> list[Heard]:
        """What is said in each utterance. Raises ValueError naming a cut for which the model gives NaN."""
        with torch.no_grad():
            batch = batch.to(self.device)
            logit_BTV, frame_lengths_B = self.recognizer.recognize(batch.wave_BS, batch.wave_lengths_B)
            return self.ladder(logit_BTV.float().log_softmax(-1), frame_lengths_B, batch.cut_ids, self.tell)

    def hear_long(self, cut: Cut) -> Heard:
        """What is said in a cut of any length, in constant memory.

        Raises ValueError, OSError naming the cut where it cannot be read, and ValueError where it is too short.
        """
        whole = measure(cut_blocks(cut))
        if whole.num_samples < RECEPTIVE_FIELD:
            raise ValueError(f"cut {cut.id}: {whole.num_samples} samples at 16 kHz")
        parts = posteriors(self.recognizer, cut_blocks(cut), whole, self.long.chunk, self.device)
        found = [
            (part.first, self._hear_segment(part, cut.id)) for part in segments(parts, self.long.segment)
        ]
        results = range(len(found[0][1]))
        return tuple(joined((first, heard[result]) for first, heard in found) for result in results)

    def _hear_segment(self, segment: Segment, cut_id: str) -> Heard:
        log_prob_BTV: Tensor = segment.log_prob_TV[None].to(self.device)
        lengths_B = torch.tensor([log_prob_BTV.shape[1]], device=self.device)
        (heard,) = self.ladder(log_prob_BTV, lengths_B, [cut_id], self.tell)
        return heard


def cut_blocks(cut: Cut) -> Iterator[Wave]:
    """The samples of a cut at 16 kHz in blocks; at once where it is not a part of a mono file.

    Raises ValueError, OSError naming the cut.
    """
    recording = cut.recording
    sources = [source for source in recording.sources if source.type == "file"]
    if len(sources) != len(recording.sources) or recording.num_channels > 1 or len(sources) > 1:
        yield read_cut(cut)
        return
    first, missing = round(cut.start * SAMPLE_RATE), round(cut.duration * SAMPLE_RATE)
    for block_S in blocks(Path(sources[0].source), f"cut {cut.id}: {sources[0].source}"):
        part_S = block_S[first : first + missing]
        first = max(0, first - len(block_S))
        missing -= len(part_S)
        if len(part_S):
            yield part_S
        if missing <= 0:
            return
