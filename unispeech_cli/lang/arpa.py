"""ARPA files of n-grams, plain or gzipped: their words, and a copy that holds only the n-grams wanted.

Fields are parted by ASCII white space only, whatever else Unicode calls a space, so lines stay bytes here.
"""

import gzip
import math
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, cast

START, END = b"<s>", b"</s>"
# comments may stand before \\data\\, but not without end
HEAD = 1000
_GZIP = b"\x1f\x8b"
_COUNT = re.compile(rb"ngram\s+(\d+)\s*=\s*(\d+)\s*")
_SECTION = re.compile(rb"\\(\d+)-grams:\s*")


def vocabulary(path: Path) -> list[str]:
    """The words of the unigrams, sentence marks left out, in their order.

    Raises FileNotFoundError, and ValueError in one line where the file is not ARPA or lacks a sentence mark.
    """
    words = []
    for order, fields in _ngrams(path):
        if order > 1:
            break
        words.append(fields[1])
    for mark in (START, END):
        if mark not in words:
            raise ValueError(f"{path} has no {mark.decode()} among its 1-grams: it is no model of sentences")
    try:
        return [word.decode() for word in words if word not in (START, END)]
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8: convert it with `iconv -f latin1 -t utf-8`") from None


def rewrite(path: Path, out: Path, written: Mapping[str, str]) -> None:
    """Copy to `out` the n-grams whose words are all in `written`, each as `written` spells it.

    `<s>` is kept at the beginning of an n-gram only, `</s>` at its end only. Raises ValueError in one line
    naming the line that is not ARPA's, or the order that holds fewer n-grams than the file announces.
    """
    spelled = {word.encode(): spelling.encode() for word, spelling in written.items()}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(dir=out.parent)))
        sections: dict[int, IO[bytes]] = {}
        kept: Counter[int] = Counter()
        for order, (score, *rest) in _ngrams(path):
            if words := _spelled(rest[:order], spelled):
                if order not in kept:
                    sections[order] = stack.enter_context((folder / str(order)).open("w+b"))
                kept[order] += 1
                sections[order].write(b"\t".join([score, b" ".join(words), *rest[order:]]) + b"\n")
        _gather(out, {order: (kept[order], sections[order]) for order in kept})


def _gather(out: Path, sections: Mapping[int, tuple[int, IO[bytes]]]) -> None:
    """One file of the n-grams of all orders up to the first that has none."""
    highest = next(order for order in count(1) if order + 1 not in sections)
    with out.open("wb") as stream:
        stream.write(b"\\data\\\n")
        stream.writelines(b"ngram %d=%d\n" % (order, sections[order][0]) for order in range(1, highest + 1))
        for order in range(1, highest + 1):
            stream.write(b"\n\\%d-grams:\n" % order)
            _, section = sections[order]
            section.seek(0)
            # the longest n-grams must have no back-off
            stream.writelines(section if order < highest else map(_without_backoff, section))
        stream.write(b"\n\\end\\\n")


def _without_backoff(line: bytes) -> bytes:
    return b"\t".join(line.rstrip(b"\n").split(b"\t")[:2]) + b"\n"


def _spelled(words: list[bytes], spelled: Mapping[bytes, bytes]) -> list[bytes] | None:
    """The words of an n-gram as they are to be written; None where it is to be left out."""
    last = len(words) - 1
    found = []
    for place, word in enumerate(words):
        if (word == START and place == 0) or (word == END and place == last):
            found.append(word)
        elif word in spelled:
            found.append(spelled[word])
        else:
            return None
    return found


def _ngrams(path: Path) -> Iterator[tuple[int, list[bytes]]]:
    """Order and fields (score, words, perhaps a back-off) of every n-gram, all of them checked."""
    announced: dict[int, int] = {}
    order = seen = 0
    for number, line in _lines(path):
        if section := _SECTION.fullmatch(line):
            _complete(path, order, seen, announced)
            order, seen = int(section[1]), 0
        elif line.startswith(b"\\end\\"):
            _complete(path, order, seen, announced)
            if lacking := [o for o, number in announced.items() if o > order and number]:
                raise ValueError(f"{path} announces {lacking[0]}-grams and has none")
            return
        elif found := _COUNT.fullmatch(line) if not order else None:
            announced[int(found[1])] = int(found[2])
        elif order and line.strip():
            seen += 1
            yield order, _fields(path, number, order, line)
    raise ValueError(f"{path} ends before its \\end\\: it was cut off; copy it again")


def _fields(path: Path, number: int, order: int, line: bytes) -> list[bytes]:
    fields = line.split()
    backoff = fields[order + 1 :]
    if len(fields) > order and len(backoff) <= 1:
        try:
            fields[0] = _logarithm(fields[0])
            fields[order + 1 :] = map(_logarithm, backoff)
            return fields
        except ValueError:
            pass
    raise ValueError(
        f"{path} line {number}: expected a log probability, {order} words and perhaps a back-off, "
        f"found {line.decode(errors='replace').strip()!r}"
    )


def _logarithm(field: bytes) -> bytes:
    value = float(field)
    if math.isnan(value) or value == math.inf:
        raise ValueError(value)
    return b"-99" if value == -math.inf else field


def _complete(path: Path, order: int, seen: int, announced: Mapping[int, int]) -> None:
    if not announced:
        raise ValueError(f"{path} is not an ARPA file: no counts after \\data\\")
    if order and seen != announced.get(order):
        raise ValueError(
            f"{path} announces {announced.get(order, 0)} {order}-grams and has {seen}: make or copy it again"
        )


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbered lines from \\data\\ on."""
    if not path.is_file():
        raise FileNotFoundError(f"no language model {path}")
    with path.open("rb") as raw:
        opened = gzip.open if raw.read(2) == _GZIP else open
    with opened(path, "rb") as stream:
        try:
            numbered = enumerate(cast("IO[bytes]", stream), 1)
            if not any(line.strip() == b"\\data\\" for _, line in islice(numbered, HEAD)):
                raise ValueError(
                    f"{path} is not an ARPA file: no \\data\\ at its head (a binary model must be made again "
                    "as ARPA)"
                )
            yield from numbered
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise ValueError(f"{path} is a broken gzip file: copy it again") from None
