"""The lang directory: inventory, lexicon and words, and by which means they are made from which files."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from unispeech_cli import provenance
from unispeech_cli.atomic import atomic_dir
from unispeech_cli.lang import phonemizer, tokens
from unispeech_cli.lang.lexicon import Pronunciations, write_lexicon, write_words
from unispeech_cli.lang.subwords import Subwords
from unispeech_cli.lang.text import VERSION as NORMALIZER_VERSION
from unispeech_cli.lang.tokens import TokenTable, Vocabulary
from unispeech_cli.lang.units import PhonemizeSettings, Units
from unispeech_cli.paths import LangDir
from unispeech_cli.settings import build


@dataclass(frozen=True)
class Means:
    """By which means transcripts become units. Raises ValueError where they do not go together."""

    units: Units
    vocab: Vocabulary
    lexicon: Path | None
    inventory: Path | None
    settings: PhonemizeSettings

    def __post_init__(self) -> None:
        for name, value, known in (("units", self.units, Units), ("vocab", self.vocab, Vocabulary)):
            if value not in get_args(known):
                raise ValueError(f"--{name} {value}: choose from {', '.join(get_args(known))}")
        if self.units == "bpe" and self.vocab == "separate":
            raise ValueError(
                "--vocab separate is for phones and letters: one subword model serves all languages"
            )
        if self.lexicon and self.units != "phones":
            raise ValueError(f"--lexicon gives phones; --units {self.units} needs none")

    @property
    def model(self) -> Path | None:
        """The subword model beside a pinned inventory."""
        return LangDir(self.inventory.parent).subwords if self.inventory and self.units == "bpe" else None

    def keeps(self, lang: LangDir) -> bool:
        """Whether the inventory is that of the lang directory itself, which then stays as it is."""
        own = self.inventory is not None and self.inventory.resolve() == lang.tokens.resolve()
        if own and self.settings.unknown_units == "extend":
            raise ValueError(
                f"unknown_units is extend, which would change {lang.tokens}: name another --lang-dir"
            )
        return own

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        files = {
            name: path and str(path)
            for name, path in (("lexicon", self.lexicon), ("inventory", self.inventory))
        }
        return {**asdict(self), **files}

    def describe(self, cuts: Iterable[Path]) -> dict[str, Any]:
        """What makes units of these manifests: hashes of all that is read, settings, versions."""
        read = [*cuts, *(path for path in (self.lexicon, self.inventory, self.model) if path)]
        options = {"units": self.units, "vocab": self.vocab, "normalizer": NORMALIZER_VERSION}
        packages = ["sentencepiece"] if self.units == "bpe" else []
        made = provenance.describe("phonemize", read, {**options, **asdict(self.settings)}, packages)
        if self.units == "phones" and not self.lexicon:
            made["versions"] |= phonemizer.versions()
        return made


def read_means(found: Mapping[str, Any]) -> Means:
    """What `Means.to_json` has written."""
    lexicon, inventory = (found[name] and Path(found[name]) for name in ("lexicon", "inventory"))
    settings = build(PhonemizeSettings, found["settings"])
    return Means(found["units"], found["vocab"], lexicon, inventory, settings)


def is_made(lang: LangDir, wanted: Mapping[str, Any]) -> bool:
    """Whether the directory is there and made from the wanted inputs; False where there is none.

    Raises ValueError naming what differs: a lang directory is never overwritten, models depend on it.
    """
    differing = provenance.differences(lang.provenance, wanted)
    if differing:
        raise ValueError(
            f"{lang.root} was made from other inputs ({'; '.join(differing[:3])}): remove it, name another "
            f"--lang-dir, or keep to its units with --inventory {lang.tokens}"
        )
    if differing is None and lang.root.exists() and (not lang.root.is_dir() or any(lang.root.iterdir())):
        raise ValueError(f"{lang.root} holds something else than a lang directory: name another --lang-dir")
    return differing == []


def write(
    lang: LangDir,
    table: TokenTable,
    lexicon: Pronunciations,
    model: Subwords | None,
    made: Mapping[str, Any],
) -> None:
    """Write the whole directory atomically; `made` says by what and from what."""
    with atomic_dir(lang.root) as root:
        fresh = LangDir(root)
        table.write(fresh.tokens)
        write_lexicon(fresh.lexicon, lexicon)
        write_words(fresh.words, lexicon)
        if model:
            model.write(fresh.subwords)
        provenance.record(fresh.provenance, {**made, "tokens": len(table), "fingerprint": table.fingerprint})


def check_tokens(lang_dir: Path | None, table: TokenTable, model: Path) -> None:
    """Raises ValueError naming what differs where the tokens of a model are not those of a lang directory."""
    difference = table.difference(tokens.read(LangDir(lang_dir).tokens)) if lang_dir else None
    if difference:
        raise ValueError(
            f"tokens of the model {model} (first) and of {lang_dir} (second) differ: {difference}"
        )
