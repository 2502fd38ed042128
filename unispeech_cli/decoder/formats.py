"""What transcribe writes: a transcription as text, JSON, subtitles and TextGrid. Pure functions to text."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from unispeech_cli.decoder.timing import Timed, ctm, joined

# subtitles as broadcasters have them: two lines of 42 characters, at most 7 s, a new one after a pause
CUE_LETTERS, LINE_LETTERS, CUE_SECONDS, CUE_PAUSE = 84, 42, 7.0, 0.8
# a word's last frame is where CTC emits its last token, not where its sound ends
CUE_TAIL = 0.3


@dataclass(frozen=True)
class Transcription:
    """What is said in a recording of `seconds`; `words` is None where the tokens do not tell words."""

    name: str
    seconds: float
    text: str
    tokens: tuple[Timed, ...]
    words: tuple[Timed, ...] | None
    score: float
    """Log-probability of the whole."""

    @property
    def items(self) -> tuple[Timed, ...]:
        """Words, or tokens where there are none."""
        return self.tokens if self.words is None else self.words


def text(found: Transcription) -> str:
    """One line of words; of phones where there are no words."""
    return found.text + "\n"


def phones(found: Transcription) -> str:
    """One line of the model's tokens with spaces between."""
    return " ".join(token.text for token in found.tokens) + "\n"


def json_line(found: Transcription) -> str:
    """One line of JSON: name, seconds, text, score, tokens and words (null where there are none)."""
    fields = {
        "name": found.name,
        "seconds": round(found.seconds, 3),
        "text": found.text,
        "score": round(found.score, 4),
        "words": None if found.words is None else [_rounded(word) for word in found.words],
        "tokens": [_rounded(token) for token in found.tokens],
    }
    return json.dumps(fields, ensure_ascii=False) + "\n"


def ctm_lines(found: Transcription) -> str:
    """CTM of the words, or of the tokens where there are none."""
    return ctm(found.name, found.items)


def srt(found: Transcription) -> str:
    """SubRip subtitles: numbered cues of at most two lines, ending before the next begins."""
    shown = cues(found.items)
    starts = [cue.start for cue in shown[1:]] + [max(found.seconds, shown[-1].end)] if shown else []
    return "".join(
        f"{number}\n{_clock(cue.start)} --> {_clock(min(cue.end + CUE_TAIL, following))}\n{_folded(cue.text)}\n\n"
        for number, (cue, following) in enumerate(zip(shown, starts, strict=True), 1)
    )


def cues(items: Sequence[Timed]) -> list[Timed]:
    """Words or tokens gathered into subtitles."""
    groups: list[list[Timed]] = []
    for item in items:
        if groups and _fits(groups[-1], item):
            groups[-1].append(item)
        else:
            groups.append([item])
    return [joined(group, " ".join(item.text for item in group)) for group in groups]


def _fits(group: Sequence[Timed], item: Timed) -> bool:
    letters = sum(len(one.text) + 1 for one in group) + len(item.text)
    within = letters <= CUE_LETTERS and item.end - group[0].start <= CUE_SECONDS
    return within and item.start - group[-1].end <= CUE_PAUSE


def _folded(words: str) -> str:
    """Two lines, parted near the middle, where one is too short for it."""
    gaps = [index for index, letter in enumerate(words) if letter == " "]
    if len(words) <= LINE_LETTERS or not gaps:
        return words
    gap = min(gaps, key=lambda index: abs(2 * index - len(words)))
    return f"{words[:gap]}\n{words[gap + 1 :]}"


def _clock(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d},{rest % 1000:03d}"


def textgrid(found: Transcription) -> str:
    """Praat's long TextGrid: a tier of words where there are, and one of tokens; gaps are empty intervals."""
    end = max([found.seconds, *(item.end for item in (*found.tokens, *found.items))])
    tiers = {} if found.words is None else {"words": found.words}
    tiers["tokens"] = found.tokens
    head = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        *_span(0, end, ""),
        "tiers? <exists>",
    ]
    lines = [*head, f"size = {len(tiers)}", "item []:"]
    for number, (name, items) in enumerate(tiers.items(), 1):
        lines += [f"    item [{number}]:", *_tier(name, items, end)]
    return "\n".join(lines) + "\n"


def _span(start: float, end: float, indent: str) -> list[str]:
    return [f"{indent}xmin = {start:.12g}", f"{indent}xmax = {end:.12g}"]


def _tier(name: str, items: Iterable[Timed], end: float) -> list[str]:
    intervals = _filled(items, end)
    indent = " " * 8
    lines = [f'{indent}class = "IntervalTier"', f'{indent}name = "{name}"', *_span(0, end, indent)]
    lines.append(f"{indent}intervals: size = {len(intervals)}")
    for number, (start, stop, said) in enumerate(intervals, 1):
        quoted = said.replace('"', '""')
        lines += [f"{indent}intervals [{number}]:", *_span(start, stop, indent + "    ")]
        lines.append(f'{indent}    text = "{quoted}"')
    return lines


def _filled(items: Iterable[Timed], end: float) -> list[tuple[float, float, str]]:
    """Intervals that follow upon one another from 0 to `end`."""
    intervals, reached = [], 0.0
    for item in items:
        # frames are hundredths of a second; sums of them are so only nearly
        start, stop = round(item.start, 4), round(item.end, 4)
        if start > reached:
            intervals.append((reached, start, ""))
        intervals.append((start, stop, item.text))
        reached = stop
    if end > reached:
        intervals.append((reached, end, ""))
    return intervals


def _rounded(item: Timed) -> dict[str, str | float]:
    return {
        name: value if isinstance(value, str) else round(value, 3) for name, value in asdict(item).items()
    }


FORMATS: Mapping[str, Callable[[Transcription], str]] = {
    "text": text,
    "phones": phones,
    "jsonl": json_line,
    "ctm": ctm_lines,
    "srt": srt,
    "textgrid": textgrid,
}
"""What `transcribe --format` can be."""
