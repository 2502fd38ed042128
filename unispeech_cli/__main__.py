"""`python -m unispeech_cli` is the `unispeech` command."""

from unispeech_cli.cli import main

main()
