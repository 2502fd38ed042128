"""The command line: sizes and places in, corpora and a table of counts out."""

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

from mini_corpora import commonvoice, librispeech, tedlium3
from mini_corpora.build import Layout, Order, build, differences, read_rows
from mini_corpora.counts import Row, table
from mini_corpora.grammar import load_grammar
from mini_corpora.plan import Size, Style, Surroundings
from mini_corpora.selection import SentenceSource, read_lines

LANGUAGE_FILES = Path(__file__).parent / "languages"
LAYOUTS = {
    "commonvoice": Layout(commonvoice.STYLE, commonvoice.render, commonvoice.finish),
    "librispeech": Layout(librispeech.STYLE, librispeech.render, librispeech.finish, librispeech.TEXT),
    "tedlium3": Layout(tedlium3.STYLE, tedlium3.render, tedlium3.finish, tedlium3.TEXT),
}
MANY_LANGUAGES = "commonvoice"
DEFAULT_HOURS = 0.25


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line; exits 2 on a usage error."""
    parser = argparse.ArgumentParser(
        prog="mini_corpora",
        description="Write synthetic corpora in the layouts of CommonVoice, LibriSpeech and TED-LIUM 3.",
        epilog="example: python local/mini_corpora --out download --languages en,it --hours en=0.9,it=0.3",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder that gets one folder a corpus")
    parser.add_argument("--corpora", type=_names, default=[MANY_LANGUAGES], help=f"of {','.join(LAYOUTS)}")
    parser.add_argument("--languages", type=_names, default=["en", "it"], help="languages of CommonVoice")
    parser.add_argument(
        "--hours",
        type=_sizes,
        default={},
        help="hours of training speech: 0.3 for all, or en=0.9,it=0.3,librispeech=0.5 (default 0.25)",
    )
    parser.add_argument("--dev-minutes", type=float, default=3.0, help="minutes of dev speech (default 3)")
    parser.add_argument("--test-minutes", type=float, default=6.0, help="minutes of test speech (default 6)")
    parser.add_argument(
        "--sentences",
        type=_pair,
        action="append",
        default=[],
        metavar="LANG=FILE",
        help="take a language's sentences from a file, one a line, and not from our grammar",
    )
    parser.add_argument(
        "--text",
        type=int,
        default=0,
        metavar="N",
        help="utterances of text for language models, beside LibriSpeech and TED-LIUM 3 (default 0)",
    )
    _add_voices(parser)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="processes; the bytes do not depend on it")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    return parser.parse_args(arguments)


def _add_voices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--voice-seconds", type=float, help="training speech a speaker has (default 30 in CommonVoice)"
    )
    parser.add_argument(
        "--tracts",
        type=_bounds,
        help="lengths of vocal tracts that voices are drawn from (default 0.96,1.04)",
    )
    parser.add_argument(
        "--snr", type=_bounds, help="CommonVoice: decibels of speech over noise (default 28,45)"
    )
    parser.add_argument(
        "--rooms", type=float, help="CommonVoice: share of speakers heard in a room (default 0.1)"
    )


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(text.split(",")))


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _sizes(text: str) -> dict[str, float]:
    pairs = [_pair(part) if "=" in part else ("", part) for part in text.split(",")]
    try:
        return {name: float(value) for name, value in pairs}
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 0.3 or en=0.9,it=0.3") from None


def _bounds(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not LOW,HIGH") from None
    if low > high:
        raise argparse.ArgumentTypeError(f"{text!r}: LOW is above HIGH")
    return low, high


def orders(options: argparse.Namespace) -> list[Order]:
    """Turn options into the corpora wanted; raise ValueError for what cannot be made."""
    files = {language: Path(file) for language, file in options.sentences}
    wanted = [(c, lang) for c in options.corpora for lang in _languages(c, options.languages)]
    unknown = set(options.hours) - {"", *(lang if c == MANY_LANGUAGES else c for c, lang in wanted)}
    unknown |= set(files) - {lang for _, lang in wanted}
    if unknown:
        raise ValueError(
            f"--hours or --sentences names {', '.join(sorted(unknown))}, which is not being made"
        )
    return [_order(options, files, corpus, language) for corpus, language in wanted]


def _languages(corpus: str, languages: list[str]) -> list[str]:
    if corpus not in LAYOUTS:
        raise ValueError(f"unknown corpus {corpus!r}: choose from {', '.join(LAYOUTS)}")
    return languages if corpus == MANY_LANGUAGES else ["en"]


def _order(options: argparse.Namespace, files: dict[str, Path], corpus: str, language: str) -> Order:
    many = corpus == MANY_LANGUAGES
    hours = options.hours.get(language if many else corpus, options.hours.get("", DEFAULT_HOURS))
    size = Size(3600 * hours, 60 * options.dev_minutes, 60 * options.test_minutes)
    if min(size.train, size.dev, size.test) <= 0:
        raise ValueError(f"{corpus} {language}: hours and minutes must be above 0")
    directory = options.out / corpus / (language if many else "")
    source = _source(language, files.get(language))
    text = options.text if LAYOUTS[corpus].text else 0
    layout = replace(LAYOUTS[corpus], style=_style(options, LAYOUTS[corpus].style))
    return Order(corpus, layout, source, directory, size, options.seed, text)


def _style(options: argparse.Namespace, style: Style) -> Style:
    """A corpus's own, but for what the options say of voices, noise and rooms."""
    default = style.surroundings
    rooms = default.rooms if options.rooms is None else options.rooms
    seconds = style.train_seconds if options.voice_seconds is None else options.voice_seconds
    if seconds <= 0 or not 0 <= rooms <= 1 or min(options.tracts or style.tracts) <= 0.5:
        raise ValueError("--voice-seconds is above 0, --rooms a share from 0 to 1, --tracts are above 0.5")
    return replace(
        style,
        train_seconds=seconds,
        tracts=options.tracts or style.tracts,
        surroundings=Surroundings(options.snr or default.snr_db, rooms),
    )


def _source(language: str, file: Path | None) -> SentenceSource:
    path = LANGUAGE_FILES / f"{language}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in LANGUAGE_FILES.glob("*.yaml")))
        raise ValueError(f"unknown language {language!r}: there are {known}")
    lines = read_lines(file) if file else ()
    if file and not lines:
        raise ValueError(f"{file}: holds no sentence")
    return SentenceSource(load_grammar(path), lines)


def run(options: argparse.Namespace) -> list[Row]:
    """Make what is not there yet, and return the counts of all that was asked for."""
    rows: list[Row] = []
    for order in orders(options):
        changed = differences(order)
        if changed == []:
            _say(f"{order.directory}: made with these options before, nothing to do")
            rows += read_rows(order)
            continue
        _say(
            f"{order.directory}: "
            + ("making" if changed is None else f"making anew: other {', '.join(changed)}")
        )
        rows += build(order, options.jobs)
    return rows


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parse(arguments)
    try:
        rows = run(options)
    except (OSError, ValueError) as error:
        _say(f"mini_corpora: {error}")
        return 1
    try:
        print(
            json.dumps([row.as_dict() for row in rows], ensure_ascii=False) if options.json else table(rows)
        )
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
