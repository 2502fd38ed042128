"""Commands on what a training left: its curves, its checkpoints."""

from pathlib import Path
from typing import Annotated

import typer

from unispeech_cli.commands.options import OptionalPath


def plot(
    experiments: Annotated[
        list[Path], typer.Argument(metavar="EXP...", help="Experiment directories, finished or not.")
    ],
    out: Annotated[
        OptionalPath, typer.Option(help="Directory for the picture; else EXP, if it is one.")
    ] = None,
) -> None:
    """Curves of trainings: loss terms, PER, perplexity, learning rate, temperature, r.

    Reads metrics.jsonl of each EXP, also while it is trained; writes curves.png to OUT, all EXPs in each panel.

    Example: unispeech plot exp/unispeech/pretrain exp/ctc-transfer/pretrain --out exp
    """
    from unispeech_cli.console import show
    from unispeech_cli.stages import plot as stage

    show(stage.plot(experiments, out))
