"""A recording of any length -> what is said in it, with times; by search, or by aligning what is known to be said.

Legend: T frames, V tokens with blank at 0.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from unispeech_cli.decoder.fallback import Tell
from unispeech_cli.decoder.forced import align
from unispeech_cli.decoder.formats import Transcription
from unispeech_cli.decoder.heard import Vocabulary, words_in
from unispeech_cli.decoder.methods import SearchSettings
from unispeech_cli.decoder.search import BestPath
from unispeech_cli.decoder.searches import Opened
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
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.lang.transcript import Spelled
from unispeech_cli.model.chunks import ChunkSettings, posteriors
from unispeech_cli.model.recognizer import Recognizer
from unispeech_cli.model.statistics import Statistics, measure
from unispeech_cli.recordings import Recording

Transcribing = Generator[float, None, Transcription]
"""Seconds of the recording that are done, and the transcription at the end."""


@dataclass(frozen=True)
class TranscribeSettings:
    """How long recordings are cut for the model, how for the search, and how is searched."""

    chunk: ChunkSettings = field(default_factory=ChunkSettings)
    segment: SegmentSettings = field(default_factory=SegmentSettings)
    search: SearchSettings = field(default_factory=SearchSettings)


@dataclass(frozen=True)
class Transcriber:
    """A recogniser at work on recordings."""

    recognizer: Recognizer
    settings: TranscribeSettings
    device: str = "cpu"

    def hear(self, recording: Recording, opened: Opened, tell: Tell) -> Transcribing:
        """What is said in a recording; nothing in silence. A line to `tell` where a search fell back.

        Raises as `stream.blocks` and `posteriors` do.
        """
        whole = measure(recording.blocks())
        found = _Found(opened.vocabulary)
        for segment in segments(self._posteriors(recording, whole), self.settings.segment):
            log_prob_BTV = segment.log_prob_TV[None].to(self.device)
            lengths_B = torch.tensor([log_prob_BTV.shape[1]], device=self.device)
            ((path, *_),) = opened.ladder(log_prob_BTV, lengths_B, [recording.shown], tell)
            found.add(segment, path)
            yield (segment.first + len(segment.log_prob_TV)) * SECONDS_PER_FRAME
        return found.transcription(recording.name, whole.num_samples / SAMPLE_RATE)

    def align(self, recording: Recording, table: TokenTable, spelled: Spelled) -> Transcribing:
        """Where in a recording a transcript is said. Raises ValueError where it cannot be in it."""
        whole = measure(recording.blocks())
        parts, done = [], 0
        for part_TV in self._posteriors(recording, whole):
            parts.append(part_TV)
            done += len(part_TV)
            yield done * SECONDS_PER_FRAME
        log_prob_TV = torch.cat(parts) if parts else torch.zeros(0, len(table))
        found = align(log_prob_TV, spelled.labels)
        path = BestPath(tuple(spelled.labels), found.first, found.last, found.score)
        tokens = _tokens(table, Segment(0, log_prob_TV), path)
        words = tuple(joined(tokens[start:end], word) for word, start, end in spelled.words)
        text, seconds = " ".join(word.text for word in words), whole.num_samples / SAMPLE_RATE
        return Transcription(recording.name, seconds, text, tuple(tokens), words, found.score)

    def _posteriors(self, recording: Recording, whole: Statistics) -> Iterator[Tensor]:
        if whole.is_silent:
            return iter(())
        return posteriors(self.recognizer, recording.blocks(), whole, self.settings.chunk, self.device)


class _Found:
    """What was found in a recording so far."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._tokens: list[Timed] = []
        self._words: list[Timed] = []
        self._score = 0.0

    def add(self, segment: Segment, path: BestPath) -> None:
        tokens = _tokens(self._vocabulary.table, segment, path)
        self._tokens += tokens
        self._score += path.score
        if self._vocabulary.words:
            self._words += words_in(path, tokens, self._vocabulary) or ()

    def transcription(self, name: str, seconds: float) -> Transcription:
        kind = self._vocabulary.units
        words: list[Timed] | None = self._words
        if not self._vocabulary.words:
            # a word of letters or pieces may reach from one segment into the next
            words = None if kind == "phones" else words_of(self._tokens, kind)
        said = self._tokens if words is None else words
        text = " ".join(item.text for item in said)
        made = None if words is None else tuple(words)
        return Transcription(name, seconds, text, tuple(self._tokens), made, self._score)


def _tokens(table: TokenTable, segment: Segment, path: BestPath) -> list[Timed]:
    scores = confidences(segment.log_prob_TV, path.ids, path.frames, path.last)
    offset = segment.first * SECONDS_PER_FRAME
    return timed_tokens(table.decode(path.ids), path.frames, path.last, scores, offset)
