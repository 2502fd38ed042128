"""Commands that recognise."""

from pathlib import Path
from typing import Annotated

import typer

from unispeech_cli.commands.options import (
    Config,
    Cuts,
    Device,
    Json,
    OptionalPath,
    Overrides,
    ShardOption,
)


def graph(
    lang_dir: Annotated[Path, typer.Argument(help="Lang directory (tokens.txt, lexicon.txt ...).")],
    lm: Annotated[OptionalPath, typer.Option(help="Language model, ARPA or ARPA.gz; HL without one.")] = None,
    as_json: Json = False,
) -> None:
    """Lexicon and language model -> the graphs that decode searches.

    Reads a lang directory and an ARPA file and checks them; writes LANG_DIR/graphs/NAME, where decode and
    transcribe find it.

    Example: unispeech graph data/librispeech/lang_letters --lm download/lm/3-gram.pruned.1e-7.arpa.gz
    """
    from unispeech_cli.console import show
    from unispeech_cli.stages import graph as stage

    show(stage.graph(lang_dir, lm=lm), as_json)


def decode(
    exp: Annotated[Path, typer.Argument(help="Experiment or checkpoint directory.")],
    cuts: Annotated[Cuts, typer.Argument(help="Cut manifests to recognise.")],
    out: Annotated[Path, typer.Option(help="Decode directory to make.")],
    method: Annotated[
        str,
        typer.Option(
            help="greedy, prefix-beam; with k2 also one-best, nbest, hlg, nbest-rescoring, lattice-rescoring."
        ),
    ] = "greedy",
    lang_dir: Annotated[
        OptionalPath, typer.Option(help="Its tokens must be the model's; its words for hlg.")
    ] = None,
    lm: Annotated[OptionalPath, typer.Option(help="n-gram language model, ARPA or ARPA.gz.")] = None,
    rescore_lm: Annotated[
        OptionalPath, typer.Option(help="A larger one to rescore with; else --lm itself.")
    ] = None,
    lm_scales: Annotated[
        str | None,
        typer.Option(
            help="One result for each scale, as 0.2,0.4; or a scored decode directory, its best one."
        ),
    ] = None,
    bias: Annotated[
        OptionalPath, typer.Option(help="Likely words and phrases, one a line; a bonus behind a tab.")
    ] = None,
    shard: ShardOption = None,
    config: Config = None,
    overrides: Overrides = [],  # noqa: B006
    device: Device = "cpu",
) -> None:
    """Cuts -> hypotheses.

    Reads a checkpoint, cut manifests and for some methods a lang directory and a language model; writes icefall's
    recogs files, CTM and a Lhotse manifest of hypotheses to OUT.

    Example: unispeech decode exp/ky data/ky/cv-ky_cuts_test.jsonl.gz --out exp/ky/decode_test
    """
    from unispeech_cli.console import show
    from unispeech_cli.decoder.methods import Method
    from unispeech_cli.decoder.scales import read_scales
    from unispeech_cli.settings import load
    from unispeech_cli.shards import parse
    from unispeech_cli.stages import decode as stage

    settings = load(stage.DecodeSettings, config, overrides)
    scales = None if lm_scales is None else read_scales(lm_scales)
    chosen = Method(method, lang_dir, lm, rescore_lm, scales, bias)
    part = parse(shard)
    show(stage.decode(exp, cuts, out, method=chosen, device=device, settings=settings, shard=part))


def transcribe(
    audio: Annotated[list[str], typer.Argument(help="Recordings, directories of them, or - for stdin.")],
    exp: Annotated[Path, typer.Option(help="Experiment or checkpoint directory.")],
    format: Annotated[str, typer.Option(help="text, phones, jsonl, ctm, srt or textgrid.")] = "text",
    out: Annotated[OptionalPath, typer.Option(help="Directory for a file a recording.")] = None,
    method: Annotated[str, typer.Option(help="As in decode: greedy, prefix-beam, hlg ...")] = "greedy",
    lang_dir: Annotated[
        OptionalPath, typer.Option(help="Its tokens must be the model's; its words for hlg and --forced.")
    ] = None,
    lm: Annotated[OptionalPath, typer.Option(help="n-gram language model, ARPA or ARPA.gz.")] = None,
    rescore_lm: Annotated[OptionalPath, typer.Option(help="A larger one to rescore with.")] = None,
    bias: Annotated[OptionalPath, typer.Option(help="Likely words and phrases, one a line.")] = None,
    forced: Annotated[
        OptionalPath, typer.Option(help="Align this transcript, or NAME.txt of this directory, instead.")
    ] = None,
    language: Annotated[str, typer.Option(help="Language of --forced, such as es.")] = "",
    config: Config = None,
    overrides: Overrides = [],  # noqa: B006
    device: Device = "cpu",
) -> None:
    """Recordings -> what is said in them.

    Reads audio of any length, rate and format and a checkpoint; writes text to stdout as it comes, or files to OUT.

    Example: unispeech transcribe talk.mp3 lectures/ --exp exp/es/finetune --format srt --out subtitles
    """
    from unispeech_cli.console import show
    from unispeech_cli.decoder.methods import Method
    from unispeech_cli.decoder.transcriber import TranscribeSettings
    from unispeech_cli.settings import load
    from unispeech_cli.stages import transcribe as stage

    settings = load(TranscribeSettings, config, overrides)
    records = stage.transcribe(
        audio,
        exp,
        format=format,
        out=out,
        method=Method(method, lang_dir, lm, rescore_lm, None, bias),
        forced=forced,
        language=language or None,
        device=device,
        settings=settings,
    )
    show(records)
