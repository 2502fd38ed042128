#!/usr/bin/env python3
"""Text of releases and transcripts of manifests -> sentences as models hear them, one a line.

Example: python local/lm_text.py data/lm/text.gz LM/*.en.gz data/manifests/tedlium_cuts_train.jsonl.gz
"""

import argparse
import gzip
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO, cast

from unispeech_cli.atomic import atomic_file
from unispeech_cli.lang.text import VERSION, normalize
from unispeech_cli.provenance import describe, differences, record

MANIFEST = ".jsonl.gz"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="text to write; gzipped where it is called so")
    parser.add_argument("files", type=Path, nargs="+", help=f"text, text.gz, or cuts{MANIFEST}")
    parser.add_argument("--language", default="en")
    parser.add_argument("--words", action="store_true", help="write the words, each once, one a line")
    given = parser.parse_args(arguments)
    try:
        make(given.out, given.files, given.language, given.words)
    except (OSError, ValueError) as error:
        print(f"lm_text.py: {error}", file=sys.stderr)
        return 1
    return 0


def make(out: Path, files: Sequence[Path], language: str, words: bool) -> None:
    """Write the text; where it was made from these files before, leave it."""
    mark = out.with_name(f".{out.name}.json")
    wanted = describe("lm_text", files, {"language": language, "words": words, "normalizer": VERSION})
    if differences(mark, wanted) == [] and out.is_file():
        print(f"{out}: same inputs, nothing to do", file=sys.stderr)
        return
    sentences = (sentence for path in files for sentence in read(path, language))
    lines = sorted({word for sentence in sentences for word in sentence.split()}) if words else sentences
    with atomic_file(out) as fresh, opened(fresh, "wt") as text:
        text.writelines(f"{line}\n" for line in lines)
    record(mark, wanted)


def opened(path: Path, mode: str) -> TextIO:
    return cast(TextIO, (gzip.open if path.suffix == ".gz" else open)(path, mode, encoding="utf-8"))


def read(path: Path, language: str) -> Iterator[str]:
    """The sentences of a file that have words."""
    with opened(path, "rt") as lines:
        said = (
            map(_transcript, lines)
            if path.name.endswith(MANIFEST)
            else (normalize(s, language) for s in lines)
        )
        yield from filter(None, said)


def _transcript(line: str) -> str:
    """`text_norm` of a cut; "" where it has none."""
    supervisions = json.loads(line)["supervisions"]
    return supervisions[0].get("custom", {}).get("text_norm", "") if supervisions else ""


if __name__ == "__main__":
    sys.exit(main())
