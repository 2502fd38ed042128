"""Commands that bring models in, take them out, and tell what one is."""

from pathlib import Path
from typing import Annotated

import typer

from unispeech_cli.commands.options import Cuts, Json, OptionalPath


def import_(
    source: Annotated[Path, typer.Argument(help="transformers directory, or .pt file of fairseq.")],
    out: Annotated[Path, typer.Option(help="Checkpoint directory to make.")],
    dictionary: Annotated[
        OptionalPath,
        typer.Option("--dict", help="The model's vocabulary, if it lies elsewhere: dict.txt or JSON."),
    ] = None,
    encoder_only: Annotated[
        bool, typer.Option("--encoder-only", help="Leave the CTC head and its vocabulary behind.")
    ] = False,
) -> None:
    """A checkpoint of transformers or fairseq -> one of ours.

    Reads UniSpeech, wav2vec 2.0, XLSR and HuBERT, running nothing that is stored in the file; writes OUT, for
    finetune --init, decode, transcribe, export and info.

    Example: unispeech import download/unispeech-large-1500h-cv --out exp/unispeech-large
    """
    from unispeech_cli.console import show
    from unispeech_cli.stages import import_ as stage

    show(stage.import_(source, out, dictionary=dictionary, encoder_only=encoder_only))


def export(
    exp: Annotated[Path, typer.Argument(help="Experiment or checkpoint directory.")],
    format: Annotated[str, typer.Option(help="transformers, onnx, sherpa-onnx or icefall-lang.")],
    out: Annotated[Path, typer.Option(help="Directory to make.")],
    scores: Annotated[
        Cuts, typer.Option(help="Scored decode directory for the model card; else those in EXP. Repeatable.")
    ] = [],  # noqa: B006
    lang_dir: Annotated[
        OptionalPath, typer.Option("--lang-dir", help="For icefall-lang: its graphs.")
    ] = None,
    lm: Annotated[OptionalPath, typer.Option(help="For icefall-lang: ARPA or ARPA.gz, for HLG.")] = None,
) -> None:
    """A checkpoint -> the files of another toolkit.

    Reads the best checkpoint of EXP, or the one given; writes OUT: for transformers weights, configuration, tokenizer
    and model card; for onnx and sherpa-onnx model.onnx and tokens.txt; for icefall-lang graphs as k2's .pt files.

    Example: unispeech export exp/ky/finetune --format transformers --scores exp/ky/decode_test --out hub/ky
    """
    from unispeech_cli.console import show
    from unispeech_cli.stages import export as stage

    show(stage.export(exp, out, stage.Wanted(format, scores, lang_dir, lm)))


def info(
    checkpoint: Annotated[Path, typer.Argument(help="Experiment or checkpoint directory, imported or not.")],
    as_json: Json = False,
) -> None:
    """What a checkpoint is: network, parameters, tokens, settings, what it was trained on, best figures.

    Reads CHECKPOINT; writes nothing, prints tables.

    Example: unispeech info exp/ky/best --json
    """
    from unispeech_cli.console import show
    from unispeech_cli.stages import info as stage

    show(stage.info(checkpoint), as_json)
