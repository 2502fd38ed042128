"""File names of what is exported, as `paths.py` has all others."""

from dataclasses import dataclass
from pathlib import Path

from unispeech_cli.paths import Named


@dataclass(frozen=True)
class ExportDir:
    """A model, or graphs, in another toolkit's files; what each format has of these is in docs/files.md."""

    root: Path

    onnx = Named("model.onnx")
    tokens = Named("tokens.txt")
    words = Named("words.txt")
    lexicon = Named("lexicon.txt")
    lexicon_disambig = Named("lexicon_disambig.txt")
    weights = Named("model.safetensors")
    config = Named("config.json")
    preprocessor = Named("preprocessor_config.json")
    card = Named("README.md")

    def graph(self, name: str) -> Path:
        """A graph by its name as icefall reads it: L, L_disambig, G, HL, HLG."""
        return self.root / f"{name}.pt"

    def file(self, name: str) -> Path:
        """A file that keeps the name it has in another toolkit."""
        return self.root / name

    provenance = Named("provenance.json")
    """From what it was made; written last."""
