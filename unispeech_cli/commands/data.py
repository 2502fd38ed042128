"""Commands that make training data: a corpus -> cuts -> units."""

from pathlib import Path
from typing import Annotated

import typer

from unispeech_cli.commands.options import (
    Config,
    Cuts,
    Json,
    LangDirectory,
    OptionalPath,
    Overrides,
    ShardOption,
)


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
    shard: ShardOption = None,
    as_json: Json = False,
) -> None:
    """Corpus -> Lhotse cut manifests.

    Reads a corpus as it was unpacked, or ready Lhotse manifests; writes OUT/<corpus>_cuts_<split>.jsonl.gz
    and lists of what was dropped.

    Example: unispeech prepare commonvoice cv-corpus-5.1 --language ky --out data/manifests
    """
    from unispeech_cli.console import show
    from unispeech_cli.shards import parse
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
        shard=parse(shard),
    )
    show(records, as_json)


def phonemize(
    cuts: Annotated[Cuts, typer.Argument(help="Cut manifests with text.")],
    out: Annotated[Path, typer.Option(help="Directory for the manifests with units.")],
    lang_dir: LangDirectory,
    units: Annotated[str, typer.Option(help="phones, letters or bpe.")] = "phones",
    vocab: Annotated[str, typer.Option(help="shared or separate inventories of languages.")] = "shared",
    lexicon: Annotated[OptionalPath, typer.Option(help="Pronunciations, instead of espeak-ng's.")] = None,
    inventory: Annotated[OptionalPath, typer.Option(help="Keep to the units of this table.")] = None,
    shard: ShardOption = None,
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
    from unispeech_cli.shards import parse
    from unispeech_cli.stages import phonemize as stage

    settings = load(stage.PhonemizeSettings, config, overrides)
    records = stage.phonemize(
        cuts,
        out,
        lang_dir,
        units=units,
        vocab=vocab,
        lexicon=lexicon,
        inventory=inventory,
        settings=settings,
        shard=parse(shard),
    )
    show(records, as_json)


def merge(
    out: Annotated[Path, typer.Argument(help="The --out of prepare, phonemize or decode with --shard.")],
    as_json: Json = False,
) -> None:
    """Shards of prepare, phonemize or decode -> what one run would have written.

    Reads OUT/shards, checks that nothing is missing, doubled or made otherwise than the rest, and takes it away;
    writes the manifests, lang directory or hypotheses that one run without --shard writes.

    Example: unispeech merge data/manifests
    """
    from unispeech_cli.console import show
    from unispeech_cli.stages import merge as stage

    show(stage.merge(out), as_json)
