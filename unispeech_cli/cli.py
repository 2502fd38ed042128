"""The `unispeech` command: arguments in, one call of a stage each. Stages are imported inside commands."""

import os
import sys
from collections.abc import Callable
from typing import NoReturn

import typer

from unispeech_cli.commands import data, interop, machine, recognition, scoring, searching, trained, training
from unispeech_cli.stopping import EXIT_AGAIN, Stopped, leave_word

app = typer.Typer(
    help="Speech recognition for languages with little labelled speech.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
# in the order in which they are used
for command in (
    machine.doctor,
    data.prepare,
    data.phonemize,
    data.merge,
    training.pretrain,
    training.finetune,
    searching.sweep,
    trained.plot,
    trained.average,
    trained.analyze,
    recognition.graph,
    recognition.decode,
    recognition.transcribe,
    scoring.score,
    scoring.compare,
    scoring.report,
    interop.import_,
    interop.export,
    interop.info,
):
    # import is a word of Python's own
    app.command(command.__name__.rstrip("_"))(command)


def main() -> NoReturn:
    """Run the command; an error of the user's is one line on stderr and exit code 1, a request to stop 75."""
    _run(lambda: app(standalone_mode=True))


def _run(command: Callable[[], None]) -> NoReturn:
    try:
        command()
    except Stopped as stopped:
        leave_word()
        if os.environ.get("RANK", "0") == "0":
            print(f"unispeech: {stopped}", file=sys.stderr)
        sys.exit(EXIT_AGAIN)
    except (ValueError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            # whoever read our output has gone; nothing to say, and nothing to flush
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        if os.environ.get("UNISPEECH_TRACEBACK"):
            raise
        print(f"unispeech: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(1)
    sys.exit(0)
