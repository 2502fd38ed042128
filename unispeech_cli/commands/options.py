"""Arguments and options that mean the same in every command."""

from pathlib import Path
from typing import Annotated

import typer

Cuts = list[Path]
OptionalPath = Path | None
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Device = Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")]
Config = Annotated[OptionalPath, typer.Option(help="YAML file of the settings that differ from the preset.")]
Overrides = Annotated[list[str], typer.Option("--set", metavar="A.B=C", help="Change a setting; repeatable.")]
Preset = Annotated[str, typer.Option(help="Size of the model: tiny, base or large.")]
LangDirectory = Annotated[Path, typer.Option("--lang-dir", help="Lang directory (tokens.txt ...).")]
Init = Annotated[OptionalPath, typer.Option(help="Experiment or checkpoint directory to take weights from.")]
ShardOption = Annotated[
    str | None,
    typer.Option("--shard", metavar="I/N", help="Do the I-th of N parts; merge puts them together."),
]
