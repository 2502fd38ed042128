"""Commands that say how good it was."""

from pathlib import Path
from typing import Annotated

import typer

from unispeech_cli.commands.options import Json


def score(
    decode_dirs: Annotated[list[Path], typer.Argument(help="What decode wrote.")],
    by: Annotated[str, typer.Option(help="More tables: language,speaker,domain, or some of them.")] = "",
    as_json: Json = False,
) -> None:
    """Hypotheses -> PER, CER, WER.

    Reads DECODE_DIRs; writes icefall's errs and wer-summary files and score.json into them, prints a table.

    Example: unispeech score exp/ky/decode_test --by language,speaker
    """
    from unispeech_cli.console import show
    from unispeech_cli.stages import score as stage

    show(stage.score(decode_dirs, by=[name for name in by.split(",") if name]), as_json)
