"""Commands that train."""

from pathlib import Path
from typing import Annotated

import typer

from unispeech_cli.commands.options import Config, Cuts, Device, Init, Json, LangDirectory, Overrides, Preset
from unispeech_cli.stopping import listening

DryRun = Annotated[bool, typer.Option("--dry-run", help="Train nothing: print what would be done.")]
Hours = Annotated[
    list[str],
    typer.Option(
        metavar="CORPUS=H", help="With --dry-run: hours where there is no manifest yet; repeatable."
    ),
]
Speed = Annotated[
    float | None,
    typer.Option(help="With --dry-run: seconds of audio one GPU trains a second, as timing.jsonl has them."),
]


def pretrain(
    exp: Annotated[Path, typer.Argument(help="Experiment directory to make or go on with.")],
    lang_dir: LangDirectory,
    labeled: Annotated[
        Cuts, typer.Option(help="Cuts with units: a manifest or a Lhotse Shar directory; repeatable.")
    ] = [],  # noqa: B006
    unlabeled: Annotated[Cuts, typer.Option(help="Cuts whose transcripts, if any, are not used.")] = [],  # noqa: B006
    dev: Annotated[Cuts, typer.Option(help="Cuts with units to validate on; repeatable.")] = [],  # noqa: B006
    preset: Preset = "base",
    config: Config = None,
    overrides: Overrides = [],  # noqa: B006
    init: Init = None,
    device: Device = "cpu",
    dry_run: DryRun = False,
    hours: Hours = [],  # noqa: B006
    speed: Speed = None,
    as_json: Json = False,
) -> None:
    """Train a UniSpeech encoder on labelled and unlabelled cuts at once.

    Reads cut manifests (or Lhotse Shar directories) and LANG_DIR; writes checkpoints, best/, metrics.jsonl,
    TensorBoard and logs to EXP. The same command again goes on from the newest checkpoint. SIGTERM and
    SIGUSR1 end it after the update at hand, with a checkpoint and exit code 75. With --dry-run nothing is
    trained.

    Example: unispeech pretrain exp/en --lang-dir data/lang_phone --labeled cv-en_cuts_train.jsonl.gz --dev
    cv-en_cuts_dev.jsonl.gz --preset tiny --set run.updates=600
    """
    from unispeech_cli.console import show
    from unispeech_cli.stages import pretrain as stage
    from unispeech_cli.trainer.pretraining import PretrainInputs

    inputs = PretrainInputs(labeled, unlabeled, dev)
    if dry_run:
        plan = stage.forecast(
            exp, lang_dir, inputs, preset=preset, config=config, overrides=overrides, hours=hours, speed=speed
        )
        show(plan, as_json)
        return
    with listening() as asked_to_stop:
        show(
            stage.pretrain(
                exp,
                lang_dir,
                inputs,
                preset=preset,
                config=config,
                overrides=overrides,
                init=init,
                device=device,
                asked_to_stop=asked_to_stop,
            )
        )


def finetune(
    exp: Annotated[Path, typer.Argument(help="Experiment directory to make or go on with.")],
    lang_dir: LangDirectory,
    train: Annotated[
        Cuts, typer.Option(help="Cuts with units: a manifest or a Lhotse Shar directory; repeatable.")
    ],
    dev: Annotated[Cuts, typer.Option(help="Cuts with units to choose the best checkpoint on; repeatable.")],
    preset: Preset = "base",
    config: Config = None,
    overrides: Overrides = [],  # noqa: B006
    init: Init = None,
    device: Device = "cpu",
    dry_run: DryRun = False,
    hours: Hours = [],  # noqa: B006
    speed: Speed = None,
    as_json: Json = False,
) -> None:
    """Train a CTC recogniser from a pre-trained encoder (--init), or from scratch.

    Reads cut manifests, LANG_DIR and the weights of INIT; writes checkpoints,
    best/, metrics.jsonl, TensorBoard and logs to EXP. The same command again goes on from the newest
    checkpoint. SIGTERM and SIGUSR1 end it after the update at hand, with a checkpoint and exit code 75. With
    --dry-run nothing is trained.

    Example: unispeech finetune exp/ky --init exp/en --lang-dir data/ky/lang_phone --train
    cv-ky_cuts_train.jsonl.gz --dev cv-ky_cuts_dev.jsonl.gz
    """
    from unispeech_cli.console import show
    from unispeech_cli.stages import finetune as stage
    from unispeech_cli.trainer.finetuning import FinetuneInputs

    inputs = FinetuneInputs(train, dev)
    if dry_run:
        plan = stage.forecast(
            exp,
            lang_dir,
            inputs,
            preset=preset,
            config=config,
            overrides=overrides,
            init=init,
            hours=hours,
            speed=speed,
        )
        show(plan, as_json)
        return
    with listening() as asked_to_stop:
        show(
            stage.finetune(
                exp,
                lang_dir,
                inputs,
                preset=preset,
                config=config,
                overrides=overrides,
                init=init,
                device=device,
                asked_to_stop=asked_to_stop,
            )
        )
