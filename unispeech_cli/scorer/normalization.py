"""How words are written when they are scored, apart from how they were written for training."""

import string
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from unispeech_cli.decoder.hypotheses import Hypothesis
from unispeech_cli.lang.text import normalize
from unispeech_cli.scorer.glm import Glm, Word, substitute, words_of

# what NIST's stm files hold in place of a transcript where nothing is to be scored
NOT_SCORED = "ignore_time_segment_in_scoring"
_INNER = "'-"


@dataclass(frozen=True)
class TextSettings:
    """What is done to both sides, in this order, before words are counted; by default nothing."""

    reference: Literal["text_norm", "text", "verbatim"] = "text_norm"
    """The reference's words: as prepare has normalised them; the corpus's text normalised now, words of it in
    parentheses being optional; or that text as it is."""
    case: Literal["keep", "lower"] = "keep"
    hyphens: Literal["keep", "part", "join"] = "keep"
    """well-known: well-known, well known, or wellknown."""
    apostrophes: Literal["keep", "remove"] = "keep"
    punctuation: Literal["keep", "remove"] = "keep"
    """Signs other than hyphens and apostrophes inside words."""
    optional: tuple[str, ...] = ()
    """Words that a hypothesis may leave out: uh, um."""


@dataclass(frozen=True)
class Sides:
    """The words of a reference and of what was heard."""

    ref: tuple[Word, ...]
    hyp: tuple[str, ...]


def is_scored(hypothesis: Hypothesis) -> bool:
    """Whether the corpus wants this segment scored."""
    return (hypothesis.ref_text or "").strip().lower() != NOT_SCORED


def sides(hypothesis: Hypothesis, settings: TextSettings, glm: Glm | None) -> Sides | None:
    """The words to be held against each other; None where there are none, or no reference."""
    ref = _reference(hypothesis, settings.reference)
    if ref is None or hypothesis.words is None:
        return None
    heard = [Word(word) for word in hypothesis.words]
    ref, hyp = (_written(side, settings, glm) for side in (ref, heard))
    marked = [Word(text, optional or text in settings.optional) for text, optional in ref]
    return Sides(tuple(marked), tuple(word.text for word in hyp))


def described(settings: TextSettings, glm: str | None) -> str:
    """One line of what is done to words."""
    said = [
        f"{name} {value}" for name, value in asdict(settings).items() if name not in ("reference", "optional")
    ]
    optional = f"optional {' '.join(settings.optional)}" if settings.optional else "optional none"
    return ", ".join([f"reference {settings.reference}", *said, optional, f"glm {glm or 'none'}"])


def _reference(hypothesis: Hypothesis, wanted: str) -> Sequence[Word] | None:
    if wanted == "text_norm":
        return None if hypothesis.ref_words is None else [Word(word) for word in hypothesis.ref_words]
    if hypothesis.ref_text is None:
        return None
    words = words_of(hypothesis.ref_text)
    return words if wanted == "verbatim" else _normalized(words, hypothesis.language or "")


def _normalized(words: Sequence[Word], language: str) -> list[Word]:
    """Words as the language's rule writes them, a run of optional ones or of others at a time."""
    runs: list[tuple[bool, list[str]]] = []
    for text, optional in words:
        if not runs or runs[-1][0] != optional:
            runs.append((optional, []))
        runs[-1][1].append(text)
    return [Word(w, optional) for optional, run in runs for w in normalize(" ".join(run), language).split()]


def _written(words: Sequence[Word], settings: TextSettings, glm: Glm | None) -> list[Word]:
    if settings.case == "lower":
        words = [Word(text.lower(), optional) for text, optional in words]
    if glm is not None:
        words = substitute(words, glm)
    return [Word(w, optional) for text, optional in words for w in _spelled(text, settings).split()]


def _spelled(word: str, settings: TextSettings) -> str:
    if settings.hyphens != "keep":
        word = word.replace("-", " " if settings.hyphens == "part" else "")
    if settings.apostrophes == "remove":
        word = word.replace("'", "").replace("’", "")
    return _unpunctuated(word) if settings.punctuation == "remove" else word


def _unpunctuated(word: str) -> str:
    bare = word.strip(string.punctuation)
    return "".join(c for c in bare if c in _INNER + "’" or unicodedata.category(c)[0] not in "PS")
