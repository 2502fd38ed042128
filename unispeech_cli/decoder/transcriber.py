"""A recording of any length -> what is said in it, with times; by search, or by aligning what is known to be said.

Legend: T frames, V tokens with blank at 0.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from unispeech_cli.decoder.forced import align
from unispeech_cli.decoder.formats import Transcription
from unispeech_cli.decoder.heard import Vocabulary
from unispeech_cli.decoder.hypotheses import text_of
from unispeech_cli.decoder.search import BestPath
from unispeech_cli.decoder.segments import Segment, SegmentSettings, segments
from unispeech_cli.decoder.timing import (
    SECONDS_PER_FRAME,
    Timed,
    confidences,
    joined,
    timed_tokens,
    words_of,
)
from unispeech_cli.frames import SAMPLE_RATE
from unispeech_cli.lang.transcript import Spelled
from unispeech_cli.model.chunks import ChunkSettings, posteriors
from unispeech_cli.model.recognizer import Recognizer
from unispeech_cli.model.statistics import Statistics, measure
from unispeech_cli.recordings import Recording

Search = Callable[[Tensor, Tensor], list[BestPath]]
Transcribing = Generator[float, None, Transcription]
"""Seconds of the recording that are done, and the transcription at the end."""


@dataclass(frozen=True)
class LongSettings:
    """How long recordings are cut for the model, and how for the search."""

    chunk: ChunkSettings = field(default_factory=ChunkSettings)
    segment: SegmentSettings = field(default_factory=SegmentSettings)


@dataclass(frozen=True)
class Transcriber:
    """A recogniser at work on recordings."""

    recognizer: Recognizer
    vocabulary: Vocabulary
    settings: LongSettings
    device: str = "cpu"

    def hear(self, recording: Recording, search: Search) -> Transcribing:
        """What is said in a recording; nothing in silence. Raises as `stream.blocks` and `posteriors`."""
        whole = measure(recording.blocks())
        tokens: list[Timed] = []
        score = 0.0
        for segment in segments(self._posteriors(recording, whole), self.settings.segment):
            (path,) = search(segment.log_prob_TV[None], torch.tensor([len(segment.log_prob_TV)]))
            tokens += self._tokens(segment, path)
            score += path.score
            yield (segment.first + len(segment.log_prob_TV)) * SECONDS_PER_FRAME
        kind = self.vocabulary.units
        words = None if kind == "phones" else tuple(words_of(tokens, kind))
        text = text_of([token.text for token in tokens], kind)
        return Transcription(recording.name, _seconds(whole), text, tuple(tokens), words, score)

    def align(self, recording: Recording, spelled: Spelled) -> Transcribing:
        """Where in a recording a transcript is said. Raises ValueError where it cannot be in it."""
        whole = measure(recording.blocks())
        parts, done = [], 0
        for part_TV in self._posteriors(recording, whole):
            parts.append(part_TV)
            done += len(part_TV)
            yield done * SECONDS_PER_FRAME
        log_prob_TV = torch.cat(parts) if parts else torch.zeros(0, len(self.vocabulary.table))
        found = align(log_prob_TV, spelled.labels)
        path = BestPath(tuple(spelled.labels), found.first, found.last, found.score)
        tokens = self._tokens(Segment(0, log_prob_TV), path)
        words = tuple(joined(tokens[start:end], word) for word, start, end in spelled.words)
        text = " ".join(word.text for word in words)
        return Transcription(recording.name, _seconds(whole), text, tuple(tokens), words, found.score)

    def _posteriors(self, recording: Recording, whole: Statistics) -> Iterator[Tensor]:
        if whole.is_silent:
            return iter(())
        return posteriors(self.recognizer, recording.blocks(), whole, self.settings.chunk, self.device)

    def _tokens(self, segment: Segment, path: BestPath) -> list[Timed]:
        scores = confidences(segment.log_prob_TV, path.ids, path.frames, path.last)
        offset = segment.first * SECONDS_PER_FRAME
        symbols = self.vocabulary.table.decode(path.ids)
        return timed_tokens(symbols, path.frames, path.last, scores, offset)


def _seconds(whole: Statistics) -> float:
    return whole.num_samples / SAMPLE_RATE
