"""Commands on what a training left: its curves, its checkpoints."""

from pathlib import Path
from typing import Annotated

import typer

from unispeech_cli.commands.options import Config, Cuts, Device, Json, OptionalPath, Overrides


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


def analyze(
    exp: Annotated[Path, typer.Argument(help="Pre-trained experiment or checkpoint directory.")],
    cuts: Annotated[Cuts, typer.Argument(help="Manifests that phonemize wrote.")],
    out: Annotated[Path, typer.Option(help="Directory for analysis.json and pictures.")],
    alignment_from: Annotated[
        list[Path],
        typer.Option(metavar="EXP", help="Whose CTC says where phones are, if not EXP's own; repeatable."),
    ] = [],  # noqa: B006
    config: Config = None,
    overrides: Overrides = [],  # noqa: B006
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Codebook and phones: PNMI and purities, codes that languages share, what voice and noise change.

    Reads EXP, CUTS and their audio; writes OUT/analysis.json and OUT/phone-given-code.png, prints tables.

    Example: unispeech analyze exp/r5/pretrain data/dev.jsonl.gz --out exp/r5/codes --alignment-from exp/ctc
    """
    from unispeech_cli.console import show
    from unispeech_cli.settings import load
    from unispeech_cli.stages import analyze as stage

    settings = load(stage.AnalyzeSettings, config, overrides)
    records = stage.analyze(exp, cuts, out, alignment_from=alignment_from, device=device, settings=settings)
    show(records, as_json)
