"""Commands that say how good it was."""

from pathlib import Path
from typing import Annotated

import typer

from unispeech_cli.commands.options import Config, Cuts, Json, OptionalPath, Overrides

Sclite = Annotated[
    bool, typer.Option("--sclite", help="Align as NIST's sclite does: 4 a substitution, 3 the rest.")
]
By = Annotated[
    str, typer.Option(help="More tables: language,speaker,domain,length,class (of phones), or some.")
]
Glm = Annotated[OptionalPath, typer.Option(help="NIST global map: words brought to one form on both sides.")]


def score(
    decode_dirs: Annotated[list[Path], typer.Argument(help="What decode wrote.")],
    by: By = "",
    sclite: Sclite = False,
    glm: Glm = None,
    config: Config = None,
    overrides: Overrides = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Hypotheses -> PER, CER, WER.

    Reads DECODE_DIRs; writes icefall's errs and wer-summary files and score.json into them, prints a table.

    Example: unispeech score exp/ky/decode_test --by language,speaker --set text.case=lower
    """
    from unispeech_cli.console import show
    from unispeech_cli.settings import load
    from unispeech_cli.stages import score as stage

    settings = load(stage.ScoreSettings, config, overrides)
    groups = [name for name in by.split(",") if name]
    show(stage.score(decode_dirs, by=groups, sclite=sclite, glm=glm, settings=settings), as_json)


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="Decode directory, or DECODE_DIR:SETTING.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The same, of other hypotheses for these cuts.")],
    sclite: Sclite = False,
    glm: Glm = None,
    config: Config = None,
    overrides: Overrides = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Two decodings -> whether they differ, and where.

    Reads A and B; writes nothing, prints differences with paired bootstrap intervals, matched-pairs tests over
    segments, and the utterances that changed most.

    Example: unispeech compare exp/scratch/decode exp/unispeech/decode:lm_scale_0.4 --set changed=20
    """
    from unispeech_cli.console import show
    from unispeech_cli.settings import load
    from unispeech_cli.stages import compare as stage

    settings = load(stage.CompareSettings, config, overrides)
    show(stage.compare(first, second, sclite=sclite, glm=glm, settings=settings), as_json)


def report(
    decode_dirs: Annotated[list[Path], typer.Argument(help="What decode wrote and score has scored.")],
    out: Annotated[Path, typer.Option(help="HTML file to write.")],
    cuts: Annotated[
        Cuts, typer.Option(help="Manifest to read audio from, if not those decoded; repeatable.")
    ] = [],  # noqa: B006
    config: Config = None,
    overrides: Overrides = [],  # noqa: B006
) -> None:
    """Scored decodings -> one HTML page: error rates, confusions, the worst utterances and how they sound.

    Reads DECODE_DIRs and the cuts' audio; writes OUT, which needs no other file and no network.

    Example: unispeech report exp/unispeech/decode exp/scratch/decode --out report.html --set worst=30
    """
    from unispeech_cli.console import show
    from unispeech_cli.scorer.report import ReportSettings
    from unispeech_cli.settings import load
    from unispeech_cli.stages import report as stage

    settings = load(ReportSettings, config, overrides)
    show(stage.report(decode_dirs, out, cuts=cuts, settings=settings))
