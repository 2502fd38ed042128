"""What finished cells came to, a line each: read from their directories, or from files that other machines wrote."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from study.cells import Cell
from study.forecast import Work
from unispeech_cli.paths import AnalysisDir, DecodeDir
from unispeech_cli.scorer.alignment import Counts
from unispeech_cli.scorer.rates import Rate

# language -> speaker -> errors
Outcome = Mapping[str, Mapping[str, Rate]]
# a codebook's groups and all of them together: figures by name
Codes = Sequence[Mapping[str, Any]]
# what is kept of a group in analysis.json
OF_CODES = (
    *("group", "pnmi", "pnmi_chance", "pnmi_interval", "phone_purity", "code_purity"),
    *("codes_used", "perplexity"),
)


@dataclass(frozen=True)
class Line:
    """What one cell came to: `errors` where it was scored, `codes` where it was analysed. `mark` is its mark's name."""

    mark: str
    errors: Outcome | None = None
    codes: Codes | None = None


@dataclass(frozen=True)
class Ledger:
    """Lines by the names of marks: what has other settings or was made of other corpora is not there."""

    marks: Mapping[str, Path]
    lines: Mapping[str, Line]

    def of(self, cell: Cell) -> Line | None:
        """What a cell came to; nothing where that is not known."""
        mark = self.marks.get(cell.id)
        return self.lines.get(mark.name) if mark is not None else None


def ledger(work: Work, given: Sequence[Line]) -> Ledger:
    """What is given and what is on disk, of cells with these settings."""
    known = {mark.name for mark in work.marks.values()}
    lines = [line for line in given if line.mark in known]
    return Ledger(work.marks, {line.mark: line for line in [*lines, *on_disk(work)]})


def on_disk(work: Work) -> Iterator[Line]:
    """What the cells came to that are done. Raises ValueError for a score.json that is not of phones."""
    for cell in work.cells:
        if cell.kind in ("score", "analyze") and work.is_done(cell):
            mark, place = work.marks[cell.id].name, work.exp / cell.id
            if cell.kind == "score":
                yield Line(mark, errors=read_score(place.parent))
            else:
                yield Line(mark, codes=read_codes(place))


def read_score(decoded: Path) -> Outcome:
    """The speakers of score.json in its best setting, by language. Raises ValueError for a file that is not its."""
    path = DecodeDir(decoded).score
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        results = [result for result in tree["results"] if result["setting"] == tree["best"]]
        found: dict[str, dict[str, Rate]] = {}
        for result in results:
            speakers = result["measures"]["PER"]["by"]["speaker"]
            added_up(
                found, language_of(result["test_set"]), {_nameless(w): _rate(r) for w, r in speakers.items()}
            )
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{path} is not as `unispeech score` writes it for phones") from None
    return found


def read_codes(analysed: Path) -> Codes:
    """The groups of analysis.json. Raises ValueError for a file that is not its."""
    path = AnalysisDir(analysed).analysis
    try:
        groups = json.loads(path.read_text(encoding="utf-8"))["groups"]
        return [{name: group[name] for name in OF_CODES if name in group} for group in groups]
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{path} is not as `unispeech analyze` writes it") from None


def language_of(test_set: str) -> str:
    """`cv-it-part-1` -> it; `tedlium-test` -> tedlium."""
    return test_set.removeprefix("cv-").split("-")[0]


def added_up(total: dict[str, dict[str, Rate]], language: str, speakers: Mapping[str, Rate]) -> None:
    own = total.setdefault(language, {})
    for speaker, rate in speakers.items():
        own[speaker] = own.get(speaker, Rate()) + rate


def read_lines(path: Path) -> list[Line]:
    """The lines of a file that `text_of` made. Raises ValueError for any other, with the number of the line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [_read_line(path, number, line) for number, line in enumerate(lines, 1)]


def text_of(lines: Sequence[Line]) -> str:
    """A line of JSON a cell, in the order of marks.

    A speaker's errors are correct, substituted, deleted and inserted phones, utterances, seconds.
    """
    return "".join(json.dumps(_plain(line)) + "\n" for line in sorted(lines, key=lambda line: line.mark))


def _plain(line: Line) -> dict[str, Any]:
    if line.errors is None:
        return {"mark": line.mark, "codes": line.codes}
    errors = {
        language: {who: [*astuple(r.counts), r.utterances, r.seconds] for who, r in speakers.items()}
        for language, speakers in line.errors.items()
    }
    return {"mark": line.mark, "errors": errors}


def _read_line(path: Path, number: int, text: str) -> Line:
    try:
        tree = json.loads(text)
        if "codes" in tree:
            return Line(
                tree["mark"], codes=[{**group, "pnmi": float(group["pnmi"])} for group in tree["codes"]]
            )
        errors = {
            language: {
                who: Rate(Counts(*map(int, found[:4])), int(found[4]), float(found[5]))
                for who, found in speakers.items()
            }
            for language, speakers in tree["errors"].items()
        }
        return Line(tree["mark"], errors=errors)
    except (AttributeError, LookupError, TypeError, ValueError):
        raise ValueError(f"{path}, line {number}: no outcome of a study's cell") from None


def _nameless(speaker: str) -> str:
    """The same for a speaker wherever he is heard, without his name."""
    return hashlib.sha256(speaker.encode()).hexdigest()[:12]


def _rate(found: Mapping[str, Any]) -> Rate:
    substitutions, deletions, insertions = (found[k] for k in ("substitutions", "deletions", "insertions"))
    correct = found["reference"] - substitutions - deletions
    return Rate(Counts(correct, substitutions, deletions, insertions), found["utterances"], found["seconds"])
