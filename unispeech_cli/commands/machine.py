"""What this machine can do."""

from pathlib import Path

import typer

from unispeech_cli.commands.options import Json


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
