"""NIST's global maps (.glm): words that are written in more than one way are brought to one on both sides.

Read are lines `[FROM] => [TO] / [ ] __ [ ]`, rules for whole words, and the directive `* case_sensitive`. Words go
through the rules once, from the left; of several that fit, the one that comes first in the file is taken, as by
NIST's `rfilter1`. A word in parentheses may be missing from what was heard. Of alternatives `{A / B}` the one of
most words is taken, where NIST's scorer would try each.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_RULE = re.compile(r"\[([^\]]*)\]\s*=>\s*\[([^\]]*)\]\s*(?:/\s*(.*?))?\s*(?:;;.*)?$")
_WHOLE_WORDS = "[ ] __ [ ]"
_CASE = re.compile(r"\*\s*case_sensitive\s*=\s*['\"]?([TF])", re.IGNORECASE)
_ALTERNATIVES = re.compile(r"\{([^{}]*)\}")


class Word(NamedTuple):
    """A word of a reference, or of a hypothesis; an `optional` one of a reference may be missing."""

    text: str
    optional: bool = False


@dataclass(frozen=True)
class Rule:
    """Words that become others."""

    before: tuple[str, ...]
    after: tuple[Word, ...]


@dataclass(frozen=True)
class Glm:
    """The rules of a file by their first word, in the file's order."""

    rules: Mapping[str, Sequence[Rule]]
    case_sensitive: bool


def words_of(text: str) -> list[Word]:
    """The words of a text; those between parentheses, `(uh)`, are optional."""
    inside = re.split(r"\(([^()]*)\)", text)
    return [Word(word, bool(index % 2)) for index, part in enumerate(inside) for word in part.split()]


def read_glm(path: Path) -> Glm:
    """Read a .glm file. Raises FileNotFoundError, or ValueError naming a line that is not understood."""
    if not path.is_file():
        raise FileNotFoundError(f"no global map {path}")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    found = [match[1].upper() for line in lines if (match := _CASE.match(line.strip()))]
    case_sensitive = "T" in found
    rules: dict[str, list[Rule]] = {}
    for rule in _rules(path, lines, case_sensitive):
        rules.setdefault(rule.before[0], []).append(rule)
    return Glm(rules, case_sensitive)


def substitute(words: Sequence[Word], glm: Glm) -> list[Word]:
    """Put words through the rules; all in lower case, unless the map is case sensitive."""
    given = list(words) if glm.case_sensitive else [Word(word.text.lower(), word.optional) for word in words]
    made: list[Word] = []
    position = 0
    while position < len(given):
        word = given[position]
        rule = next((rule for rule in glm.rules.get(word.text, ()) if _fits(rule, given[position:])), None)
        made += [word] if rule is None else [Word(w.text, w.optional or word.optional) for w in rule.after]
        position += 1 if rule is None else len(rule.before)
    return made


def _fits(rule: Rule, words: Sequence[Word]) -> bool:
    found = words[: len(rule.before)]
    return tuple(word.text for word in found) == rule.before and len({word.optional for word in found}) == 1


def _rules(path: Path, lines: Sequence[str], case_sensitive: bool) -> Iterator[Rule]:
    for number, line in enumerate((line.strip() for line in lines), start=1):
        if not line or line.startswith((";;", "*")):
            continue
        match = _RULE.fullmatch(line)
        if not match or not match[1].split() or (match[3] or "").split() != _WHOLE_WORDS.split():
            raise ValueError(
                f"{path}:{number}: expected a rule for whole words, [FROM] => [TO] / {_WHOLE_WORDS}; found {line[:60]}"
            )
        before, after = (side if case_sensitive else side.lower() for side in (match[1], match[2]))
        yield Rule(tuple(before.split()), tuple(words_of(_ALTERNATIVES.sub(_longest, after))))


def _longest(alternatives: re.Match[str]) -> str:
    return max(alternatives[1].split("/"), key=lambda words: len(words.split())).strip()
