"""Moved to `unispeech_cli.records`."""

from unispeech_cli.records import Note, Progress, Record, Records, Table

__all__ = ["Note", "Progress", "Record", "Records", "Table"]
