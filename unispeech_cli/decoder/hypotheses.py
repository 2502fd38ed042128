"""What decode writes and score reads."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from lhotse import SupervisionSegment, SupervisionSet

from unispeech_cli.lang.subwords import WORD_START
from unispeech_cli.lang.units import WORD_BOUNDARY, Units
from unispeech_cli.paths import DecodeDir

# what a Lhotse supervision has no field for
_CUSTOM = "tokens score ref domain words ref_words ref_text times word_times".split()

Times = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Hypothesis:
    """What was heard in one cut (`start`, `duration` in seconds of its recording), and the reference if there is one.

    `words` are None where there are no words (phones without a lexicon), `ref_words` those of the normalised
    reference, `ref_text` the reference as the corpus has it. `times` are (start, duration) of each token in
    seconds from the cut's start, `word_times` of each word.
    """

    id: str
    recording_id: str
    start: float
    duration: float
    channel: int
    tokens: tuple[str, ...]
    score: float
    ref: tuple[str, ...] | None = None
    language: str | None = None
    speaker: str | None = None
    domain: str | None = None
    words: tuple[str, ...] | None = None
    ref_words: tuple[str, ...] | None = None
    ref_text: str | None = None
    times: Times = ()
    word_times: Times = ()


@dataclass(frozen=True)
class Decoded:
    """The part of decode.json that says what lies beside it; `tokens` is the table's fingerprint.

    Each of `settings` names one result per test set: the method, or the scales of a language model.
    """

    test_sets: tuple[str, ...]
    method: str
    settings: tuple[str, ...]
    units: Units
    checkpoint: str
    tokens: str


def text_of(tokens: Sequence[str], units: Units) -> str:
    """Tokens as text: phones apart; letters joined, `|` between words; pieces joined, `▁` before words."""
    if units == "phones":
        return " ".join(tokens)
    boundary = WORD_BOUNDARY if units == "letters" else WORD_START
    return " ".join("".join(tokens).replace(boundary, " ").split())


def recogs(results: Iterable[tuple[str, Sequence[str] | None, Sequence[str]]]) -> str:
    """The text of icefall's `recogs-*.txt` from (id, reference, hypothesis), in order of id.

    An utterance without a reference has its hypothesis alone.
    """
    lines = []
    for name, ref, hyp in sorted(results, key=lambda result: result[0]):
        lines += [] if ref is None else [f"{name}:\tref={list(ref)}\n"]
        lines += [f"{name}:\thyp={list(hyp)}\n"]
    return "".join(lines)


def write_hypotheses(path: Path, hypotheses: Iterable[Hypothesis]) -> None:
    """Write a Lhotse supervision manifest, in order of id."""
    ordered = sorted(hypotheses, key=lambda hypothesis: hypothesis.id)
    SupervisionSet.from_segments(_supervision(hypothesis) for hypothesis in ordered).to_file(path)


def read_hypotheses(path: Path) -> list[Hypothesis]:
    """Read what `write_hypotheses` wrote.

    Raises FileNotFoundError, or ValueError for another kind of manifest.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no hypotheses {path}: run `unispeech decode` again")
    try:
        return [_hypothesis(segment) for segment in SupervisionSet.from_file(path)]
    except (KeyError, TypeError, EOFError, OSError, ValueError) as error:
        raise ValueError(
            f"{path} does not hold hypotheses as `unispeech decode` writes them ({error!r})"
        ) from None


def read_decoded(root: Path) -> Decoded:
    """Read decode.json. Raises FileNotFoundError where decode has not finished, ValueError where damaged."""
    path = DecodeDir(root).decoded
    if not path.is_file():
        raise FileNotFoundError(
            f"{root} is not a decode directory (no {path.name}); `unispeech decode` makes one"
        )
    try:
        found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        sets, settings = (tuple(str(name) for name in found[key]) for key in ("test_sets", "settings"))
        rest = (found[key] for key in ("units", "checkpoint", "tokens"))
        made = Decoded(sets, found["method"], settings, *rest)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error!r}); remove {root} and decode again") from None
    if made.units not in get_args(Units):
        raise ValueError(f"{path}: units {made.units!r}, expected one of {', '.join(get_args(Units))}")
    return made


def _supervision(hypothesis: Hypothesis) -> SupervisionSegment:
    return SupervisionSegment(
        id=hypothesis.id,
        recording_id=hypothesis.recording_id,
        start=hypothesis.start,
        duration=hypothesis.duration,
        channel=hypothesis.channel,
        text=" ".join(hypothesis.tokens if hypothesis.words is None else hypothesis.words),
        language=hypothesis.language,
        speaker=hypothesis.speaker,
        custom={name: _listed(getattr(hypothesis, name)) for name in _CUSTOM},
    )


def _hypothesis(segment: SupervisionSegment) -> Hypothesis:
    custom = {name: _frozen(segment.custom[name]) for name in _CUSTOM}
    return Hypothesis(
        id=segment.id,
        recording_id=segment.recording_id,
        start=segment.start,
        duration=segment.duration,
        channel=segment.channel,
        language=segment.language,
        speaker=segment.speaker,
        **custom,
    )


def _listed(value: Any) -> Any:
    return [_listed(item) for item in value] if isinstance(value, tuple) else value


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
