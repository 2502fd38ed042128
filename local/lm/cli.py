"""The command line: text in, ARPA file out."""

import argparse
import sys
from pathlib import Path

from lm import arpa
from lm.counts import count, read_text
from lm.kneser_ney import smooth


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line; exits 2 on a usage error."""
    parser = argparse.ArgumentParser(
        prog="lm",
        description="Train an n-gram model with modified Kneser-Ney smoothing; sentences come from stdin, one a line.",
        epilog="example: python local/lm lm.arpa --order 3 < sentences.txt",
    )
    parser.add_argument("arpa", type=Path, help="ARPA file to write")
    parser.add_argument("--order", type=int, default=3, help="words in the longest n-gram (default 3)")
    parser.add_argument(
        "--prune",
        type=int,
        nargs="+",
        default=[0],
        metavar="N",
        help="leave out n-grams seen N times or less: a figure an order, the last one for all above (default 0)",
    )
    parser.add_argument(
        "--words", type=Path, metavar="FILE", help="keep to these words, parted by white space"
    )
    options = parser.parse_args(arguments)
    if options.order < 1:
        parser.error("--order is 1 or more")
    if options.prune[0] != 0 or options.prune != sorted(options.prune):
        parser.error("--prune begins with 0 and does not fall")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parse(arguments)
    try:
        vocabulary = set(options.words.read_text(encoding="utf-8").split()) if options.words else None
        text = read_text(sys.stdin, vocabulary)
        levels = smooth(count(text, options.order), options.prune)
        arpa.write(options.arpa, text.words, levels)
    except (OSError, ValueError) as error:
        print(f"lm: {error}", file=sys.stderr)
        return 1
    kept = ", ".join(f"{level.kept_N.sum()} {order}-grams" for order, level in enumerate(levels, start=1))
    print(f"{options.arpa}: {kept}", file=sys.stderr)
    return 0
