"""The command that searches settings."""

from pathlib import Path
from typing import Annotated

import typer

from unispeech_cli.commands.options import (
    Config,
    Cuts,
    Device,
    Init,
    Json,
    LangDirectory,
    OptionalPath,
    Overrides,
    Preset,
)
from unispeech_cli.stopping import listening


def sweep(
    out: Annotated[Path, typer.Argument(help="Directory of the search, to make or go on with.")],
    space: Annotated[Path, typer.Argument(help="YAML file of the ranges.")],
    lang_dir: LangDirectory,
    labeled: Annotated[Cuts, typer.Option(help="Pre-training: cuts with units; repeatable.")] = [],  # noqa: B006
    unlabeled: Annotated[Cuts, typer.Option(help="Pre-training: cuts without; repeatable.")] = [],  # noqa: B006
    dev: Annotated[Cuts, typer.Option(help="Pre-training: cuts to validate on; repeatable.")] = [],  # noqa: B006
    train: Annotated[Cuts, typer.Option(help="Fine-tuning: cuts with units; repeatable.")] = [],  # noqa: B006
    finetune_dev: Annotated[Cuts, typer.Option(help="Fine-tuning: cuts to validate on; repeatable.")] = [],  # noqa: B006
    finetune_lang_dir: Annotated[
        OptionalPath, typer.Option(help="Fine-tuning: its lang directory, if it is another.")
    ] = None,
    preset: Preset = "base",
    config: Config = None,
    overrides: Overrides = [],  # noqa: B006
    finetune_config: Annotated[OptionalPath, typer.Option(help="As --config, for fine-tuning.")] = None,
    finetune_overrides: Annotated[
        list[str],
        typer.Option("--finetune-set", metavar="A.B=C", help="As --set, for fine-tuning; repeatable."),
    ] = [],  # noqa: B006
    init: Init = None,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Search settings: trials of whole trainings, the least dev PER wins.

    Reads SPACE, cut manifests and LANG_DIR; writes trainings, trials.db (SQLite) and best-pretrain.yaml,
    best-finetune.yaml (for --config) to OUT. Each trial pre-trains (--labeled, --unlabeled), fine-tunes (--train) or
    both. The same command again goes on; several at once share the trials. SIGTERM and SIGUSR1 end it as trainings.

    Example: unispeech sweep exp/sweep recipes/study/conf/sweep.yaml --lang-dir data/lang_phone --labeled
    cv-en_cuts_train.jsonl.gz --dev cv-en_cuts_dev.jsonl.gz --preset tiny --set run.updates=600
    """
    from unispeech_cli.console import show
    from unispeech_cli.stages import sweep as stage

    parts = []
    if labeled or unlabeled:
        cuts = {"labeled": labeled, "unlabeled": unlabeled, "dev": dev}
        parts.append(stage.Part("pretrain", lang_dir, cuts, config, overrides))
    if train:
        cuts = {"train": train, "dev": finetune_dev or dev}
        where = finetune_lang_dir or lang_dir
        parts.append(stage.Part("finetune", where, cuts, finetune_config, finetune_overrides))
    if not parts:
        raise typer.BadParameter(
            "give --labeled or --unlabeled cuts to pre-train on, --train cuts to fine-tune on"
        )
    with listening() as asked_to_stop:
        records = stage.sweep(
            out, space, parts, preset=preset, init=init, device=device, asked_to_stop=asked_to_stop
        )
        show(records, as_json)
