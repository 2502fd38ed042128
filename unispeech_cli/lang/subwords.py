"""Subword units, BPE or unigram; the only file that knows sentencepiece."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import sentencepiece

from unispeech_cli.atomic import atomic_file
from unispeech_cli.lang.phonemizer import Spoken

# how sentencepiece marks a piece that begins a word
WORD_START = "▁"


@dataclass(frozen=True)
class SubwordSettings:
    """How subword units are made."""

    kind: Literal["bpe", "unigram"] = "bpe"
    size: int = 500
    """Units, blank not counted; fewer where the text does not yield as many."""
    character_coverage: float = 1.0
    """Share of characters that must have a unit; lower it (0.9995) for scripts of thousands of characters."""
    max_sentences: int = 1_000_000
    """Sentences that are looked at, drawn with a fixed seed."""


class Subwords:
    """A trained model of subword units."""

    def __init__(self, model: bytes) -> None:
        self._model = model
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)

    @classmethod
    def read(cls, path: Path) -> "Subwords":
        """Read a sentencepiece model, bpe.model. Raises FileNotFoundError, ValueError naming it."""
        if not path.is_file():
            raise FileNotFoundError(f"no subword model {path}")
        try:
            return cls(path.read_bytes())
        except (RuntimeError, OSError):
            raise ValueError(f"{path} is not a sentencepiece model") from None

    def write(self, path: Path) -> None:
        """Write the model atomically."""
        with atomic_file(path) as fresh:
            fresh.write_bytes(self._model)

    @property
    def units(self) -> list[str]:
        """The pieces in the model's order, `<unk>` first."""
        return [self._processor.id_to_piece(index) for index in range(len(self._processor))]

    def encode(self, sentence: str) -> list[str]:
        """A normalised sentence -> pieces; `<unk>` for each run of unknown characters."""
        ids = self._processor.encode(sentence)
        return [self._processor.id_to_piece(index) for index in ids]

    def speak(self, sentences: Sequence[str]) -> list[Spoken]:
        """Normalised sentences in pieces, word by word: no piece reaches over a space."""
        return [Spoken([self.encode(word) for word in sentence.split()]) for sentence in sentences]

    def decode(self, units: Iterable[str]) -> str:
        """Pieces -> sentence; `<unk>` becomes `⁇`."""
        return str(self._processor.decode([self._processor.piece_to_id(unit) for unit in units])).strip()


def train(sentences: Iterable[str], settings: SubwordSettings) -> Subwords:
    """Train subword units on normalised sentences; same sentences in the same order, same units.

    Raises ValueError where there is no text, or less than `settings.size` asks for can hold its characters.
    """
    options: dict[str, Any] = {
        "model_type": settings.kind,
        "vocab_size": settings.size,
        "hard_vocab_limit": False,
        "character_coverage": settings.character_coverage,
        "input_sentence_size": settings.max_sentences,
        "shuffle_input_sentence": True,
        "normalization_rule_name": "identity",
        "num_threads": 1,
        "minloglevel": 2,
        "bos_id": -1,
        "eos_id": -1,
    }
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences), model_writer=model, **options
        )
    except RuntimeError as error:
        reason = str(error).rsplit("] ", 1)[-1].strip() or "there is none"
        raise ValueError(
            f"{settings.size} {settings.kind} units cannot be made of this text: {reason}"
        ) from None
    return Subwords(model.getvalue())
