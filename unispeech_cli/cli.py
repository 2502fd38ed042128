"""The `unispeech` command: arguments in, one call of a stage each. Stages are imported inside commands."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

app = typer.Typer(
    help="Speech recognition for languages with little labelled speech.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Cuts = list[Path]
OptionalPath = Path | None
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Device = Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")]
Config = Annotated[OptionalPath, typer.Option(help="YAML file of the settings that differ from the preset.")]
Overrides = Annotated[list[str], typer.Option("--set", metavar="A.B=C", help="Change a setting; repeatable.")]
Preset = Annotated[str, typer.Option(help="Size of the model: tiny, base or large.")]
LangDirectory = Annotated[Path, typer.Option("--lang-dir", help="Lang directory (tokens.txt ...).")]
Init = Annotated[OptionalPath, typer.Option(help="Experiment or checkpoint directory to take weights from.")]


@app.command()
def doctor(as_json: Json = False) -> None:
    """Tell what works on this machine, and the line that mends what does not.

    Reads nothing, writes nothing; exit code 1 when something required is missing.

    Example: unispeech doctor --json
    """
    from unispeech_cli.console import show
    from unispeech_cli.records import Table
    from unispeech_cli.stages.doctor import examine

    checks, table = examine(Path.cwd()), Table("doctor", ("what", "works", "found", "mend"))
    for check in checks:
        works = "yes" if check.ok else "no" if check.needed else "partly"
        table.rows.append((check.name, works, check.found, "" if check.ok else check.mend))
    show(iter([table]), as_json)
    raise typer.Exit(0 if all(check.ok or not check.needed for check in checks) else 1)


@app.command()
def prepare(
    kind: Annotated[str, typer.Argument(help="commonvoice, librispeech, tedlium3, kaldi or manifest.")],
    directory: Annotated[Path, typer.Argument(help="What holds <lang>/, train-clean-100/ or legacy/.")],
    out: Annotated[Path, typer.Option(help="Directory for the cut manifests.")],
    language: Annotated[list[str], typer.Option(help="Languages to take; repeatable.")] = [],  # noqa: B006
    splits: Annotated[list[str], typer.Option(help="Splits to take; repeatable.")] = [],  # noqa: B006
    split_list: Annotated[
        OptionalPath, typer.Option(help="File of clips, one a line: a split of its own.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Threads that read headers and transcode.")] = 1,
    transcode: Annotated[
        bool, typer.Option("--transcode", help="Make 16 kHz FLAC copies and take those.")
    ] = False,
    allow_commands: Annotated[
        bool, typer.Option("--allow-commands", help="Run pipes of a wav.scp or manifest.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Corpus -> Lhotse cut manifests.

    Reads a corpus as it was unpacked, or ready Lhotse manifests; writes OUT/<corpus>_cuts_<split>.jsonl.gz
    and lists of what was dropped.

    Example: unispeech prepare commonvoice cv-corpus-5.1 --language ky --out data/manifests
    """
    from unispeech_cli.console import show
    from unispeech_cli.stages import prepare as stage

    records = stage.prepare(
        kind,
        directory,
        out,
        languages=language,
        splits=splits,
        split_list=split_list,
        jobs=jobs,
        transcode=transcode,
        allow_commands=allow_commands,
    )
    show(records, as_json)


@app.command()
def phonemize(
    cuts: Annotated[Cuts, typer.Argument(help="Cut manifests with text.")],
    out: Annotated[Path, typer.Option(help="Directory for the manifests with units.")],
    lang_dir: LangDirectory,
    units: Annotated[str, typer.Option(help="phones, letters or bpe.")] = "phones",
    vocab: Annotated[str, typer.Option(help="shared or separate inventories of languages.")] = "shared",
    lexicon: Annotated[OptionalPath, typer.Option(help="Pronunciations, instead of espeak-ng's.")] = None,
    inventory: Annotated[OptionalPath, typer.Option(help="Keep to the units of this table.")] = None,
    config: Config = None,
    overrides: Overrides = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Transcripts -> phones, letters or subwords, and the lang directory.

    Reads cut manifests; writes manifests of the same names to OUT, and tokens.txt, lexicon.txt, words.txt and
    provenance.json to LANG_DIR.

    Example: unispeech phonemize data/manifests/cv-ky_cuts_*.jsonl.gz --out data/ky --lang-dir
    data/ky/lang_phone
    """
    from unispeech_cli.console import show
    from unispeech_cli.settings import load
    from unispeech_cli.stages import phonemize as stage

    settings = load(stage.PhonemizeSettings, config, overrides)
    records = stage.phonemize(
        cuts, out, lang_dir, units=units, vocab=vocab, lexicon=lexicon, inventory=inventory, settings=settings
    )
    show(records, as_json)


@app.command()
def pretrain(
    exp: Annotated[Path, typer.Argument(help="Experiment directory to make or go on with.")],
    lang_dir: LangDirectory,
    labeled: Annotated[Cuts, typer.Option(help="Cuts with units; repeatable.")] = [],  # noqa: B006
    unlabeled: Annotated[Cuts, typer.Option(help="Cuts whose transcripts, if any, are not used.")] = [],  # noqa: B006
    dev: Annotated[Cuts, typer.Option(help="Cuts with units to validate on; repeatable.")] = [],  # noqa: B006
    preset: Preset = "base",
    config: Config = None,
    overrides: Overrides = [],  # noqa: B006
    init: Init = None,
    device: Device = "cpu",
) -> None:
    """Train a UniSpeech encoder on labelled and unlabelled cuts at once.

    Reads cut manifests and LANG_DIR; writes checkpoints, best/, metrics.jsonl, TensorBoard and logs to EXP.
    The same command again goes on from the newest checkpoint.

    Example: unispeech pretrain exp/en --lang-dir data/lang_phone --labeled cv-en_cuts_train.jsonl.gz --dev
    cv-en_cuts_dev.jsonl.gz --preset tiny --set run.updates=600
    """
    from unispeech_cli.console import show
    from unispeech_cli.stages import pretrain as stage

    inputs = stage.PretrainInputs(labeled, unlabeled, dev)
    show(
        stage.pretrain(
            exp, lang_dir, inputs, preset=preset, config=config, overrides=overrides, init=init, device=device
        )
    )


@app.command()
def finetune(
    exp: Annotated[Path, typer.Argument(help="Experiment directory to make or go on with.")],
    lang_dir: LangDirectory,
    train: Annotated[Cuts, typer.Option(help="Cuts with units; repeatable.")],
    dev: Annotated[Cuts, typer.Option(help="Cuts with units to choose the best checkpoint on; repeatable.")],
    preset: Preset = "base",
    config: Config = None,
    overrides: Overrides = [],  # noqa: B006
    init: Init = None,
    device: Device = "cpu",
) -> None:
    """Train a CTC recogniser from a pre-trained encoder (--init), or from scratch.

    Reads cut manifests, LANG_DIR and the weights of INIT; writes checkpoints, best/, metrics.jsonl,
    TensorBoard and logs to EXP. The same command again goes on from the newest checkpoint.

    Example: unispeech finetune exp/ky --init exp/en --lang-dir data/ky/lang_phone --train
    cv-ky_cuts_train.jsonl.gz --dev cv-ky_cuts_dev.jsonl.gz
    """
    from unispeech_cli.console import show
    from unispeech_cli.stages import finetune as stage

    inputs = stage.FinetuneInputs(train, dev)
    show(
        stage.finetune(
            exp, lang_dir, inputs, preset=preset, config=config, overrides=overrides, init=init, device=device
        )
    )


@app.command()
def decode(
    exp: Annotated[Path, typer.Argument(help="Experiment or checkpoint directory.")],
    cuts: Annotated[Cuts, typer.Argument(help="Cut manifests to recognise.")],
    out: Annotated[Path, typer.Option(help="Decode directory to make.")],
    method: Annotated[str, typer.Option(help="greedy, or one-best (k2, over the CTC topology).")] = "greedy",
    lang_dir: Annotated[OptionalPath, typer.Option(help="Its tokens must be the model's.")] = None,
    config: Config = None,
    overrides: Overrides = [],  # noqa: B006
    device: Device = "cpu",
) -> None:
    """Cuts -> hypotheses.

    Reads a checkpoint and cut manifests; writes icefall's recogs files and a Lhotse manifest of hypotheses to
    OUT.

    Example: unispeech decode exp/ky data/ky/cv-ky_cuts_test.jsonl.gz --out exp/ky/decode_test
    """
    from unispeech_cli.console import show
    from unispeech_cli.settings import load
    from unispeech_cli.stages import decode as stage

    settings = load(stage.DecodeSettings, config, overrides)
    show(stage.decode(exp, cuts, out, method=method, lang_dir=lang_dir, device=device, settings=settings))


@app.command()
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


def main() -> NoReturn:
    """Run the command; an error of the user's is one line on stderr and exit code 1."""
    _run(lambda: app(standalone_mode=True))


def _run(command: Callable[[], None]) -> NoReturn:
    try:
        command()
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
