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


def average(
    exp: Annotated[Path, typer.Argument(help="Experiment directory.")],
    out: Annotated[Path, typer.Option(help="Checkpoint directory to make.")],
    last: Annotated[int | None, typer.Option(metavar="N", help="Average the last N checkpoints.")] = None,
    best: Annotated[
        int | None, typer.Option(metavar="N", help="Average the N with the least dev figure.")
    ] = None,
) -> None:
    """Several checkpoints of a training -> one with the mean of their weights.

    Reads the checkpoints that EXP keeps (run.keep, run.keep_best) and, for --best, its metrics.jsonl; writes OUT, for
    decode, transcribe, finetune --init, export and info.

    Example: unispeech average exp/ky --best 5 --out exp/ky/best-5
    """
    from unispeech_cli.console import show
    from unispeech_cli.stages import average as stage

    show(stage.average(exp, out, last=last, best=best))
