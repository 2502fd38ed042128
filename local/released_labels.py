#!/usr/bin/env python3
"""Labels that others released for CommonVoice, in place of phonemizing: what the paper's rates were scored against.

Of cv-ky_cuts_SPLIT.jsonl.gz are read DIR/ky/SPLIT.tsv (clips) and, line by line beside it, SPLIT.id (numbers of
phones) or else SPLIT.phone (phones, `|` between words); DIR/ky/phonesMatches_reduced.json (or vocab.json) is the
inventory.

Example: python local/released_labels.py data/manifests/cv-ky_cuts_testSeqs_uniform_new_version.jsonl.gz \
    --labels UniSpeech/examples/unispeech/data --out data/ky --lang-dir data/ky/lang_phone
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lhotse.cut import Cut

from unispeech_cli.frames import ctc_frames_needed, num_frames
from unispeech_cli.lang import directory
from unispeech_cli.lang.tokens import TokenTable, Vocabulary, build, read_inventory
from unispeech_cli.manifests import read_cuts, write_cuts
from unispeech_cli.paths import LangDir, ManifestDir, corpus_of
from unispeech_cli.provenance import describe

INVENTORIES = ("phonesMatches_reduced.json", "vocab.json")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cuts", type=Path, nargs="+", help="manifests that prepare wrote")
    parser.add_argument(
        "--labels", type=Path, required=True, metavar="DIR", help="holds <lang>/SPLIT.tsv ..."
    )
    parser.add_argument("--out", type=Path, required=True, help="directory for the manifests with phones")
    parser.add_argument("--lang-dir", type=Path, required=True)
    parser.add_argument(
        "--vocab", choices=("shared", "separate"), default="shared", help="of several languages"
    )
    given = parser.parse_args(arguments)
    try:
        label(given.cuts, given.labels, ManifestDir(given.out), LangDir(given.lang_dir), given.vocab)
    except (OSError, ValueError) as error:
        print(f"released_labels.py: {error}", file=sys.stderr)
        return 1
    return 0


def label(
    cuts: Sequence[Path], labels: Path, out: ManifestDir, lang: LangDir, vocab: Vocabulary = "shared"
) -> None:
    """Write the manifests with phones, and the lang directory; where that is there from these files, leave all."""
    folders = {corpus_of(path): labels / corpus_of(path).removeprefix("cv-") for path in cuts}
    inventories = {corpus: inventory_of(folder) for corpus, folder in folders.items()}
    spoken = {path: labels_of(path, folders[corpus_of(path)]) for path in cuts}
    read = [file for files in spoken.values() for file in files]
    wanted = describe("released labels", [*cuts, *read, *inventories.values()], {"vocab": vocab})
    made = [out.root / path.name for path in cuts]
    if directory.is_made(lang, wanted) and all(path.is_file() for path in made):
        print(f"{out.root} and {lang.root}: same inputs, nothing to do", file=sys.stderr)
        return
    for path, (clips, phones) in spoken.items():
        said = read_labels(clips, phones, inventories[corpus_of(path)])
        summary = write_cuts(out.root / path.name, labelled(path, said))
        print(f"{out.root / path.name}: {summary}, of {len(said)} labelled", file=sys.stderr)
    tables = {folders[corpus].name: read_inventory(file)[0] for corpus, file in inventories.items()}
    directory.write(lang, joined(tables, vocab), {}, None, wanted)


def joined(tables: Mapping[str, TokenTable], vocab: Vocabulary) -> TokenTable:
    """The inventory of one language in its order; of several, as phonemize makes it."""
    if len(tables) == 1:
        return next(iter(tables.values()))
    return build({language: table.symbols[1:] for language, table in tables.items()}, vocab)


def inventory_of(folder: Path) -> Path:
    """Raises FileNotFoundError where there is none."""
    found = [folder / name for name in INVENTORIES if (folder / name).is_file()]
    if not found:
        raise FileNotFoundError(f"no {' or '.join(INVENTORIES)} in {folder}")
    return found[0]


def labels_of(cuts: Path, folder: Path) -> tuple[Path, Path]:
    """The list of clips of a split, and the labels beside it. Raises FileNotFoundError where one is missing."""
    split = cuts.name.partition("_cuts_")[2].removesuffix(".gz").removesuffix(".jsonl")
    clips, *kinds = (folder / f"{split}{kind}" for kind in (".tsv", ".id", ".phone"))
    # some released files are empty
    phones = [kind for kind in kinds if kind.is_file() and kind.stat().st_size > 0]
    if not clips.is_file() or not phones:
        raise FileNotFoundError(f"no {clips}, or no .id or .phone beside it")
    return clips, phones[0]


def read_labels(clips: Path, phones: Path, inventory: Path) -> dict[str, list[str]]:
    """Phones by clip. Raises ValueError where the files do not go together, as some released ones do not."""
    # fairseq's first line is the folder; the others hold a length
    names = [line.split("\t")[0] for line in clips.read_text("utf-8").splitlines() if "\t" in line]
    lines = phones.read_text("utf-8").splitlines()
    if len(names) != len(lines):
        raise ValueError(
            f"{clips} has {len(names)} clips, {phones} {len(lines)} lines: they do not go together"
        )
    symbols = {str(number): symbol for symbol, number in json.loads(inventory.read_text("utf-8")).items()}
    known = symbols if phones.suffix == ".id" else {symbol: symbol for symbol in symbols.values()} | {"|": ""}
    unknown = sorted({label for line in lines for label in line.split()} - set(known))
    if unknown:
        raise ValueError(f"{phones} holds {' '.join(unknown[:8])}, which {inventory} lacks")
    said = ([symbol for label in line.split() if (symbol := known[label])] for line in lines)
    return dict(zip((Path(name).stem for name in names), said, strict=True))


def labelled(manifest: Path, said: Mapping[str, Sequence[str]]) -> Iterator[Cut]:
    """The cuts that have phones which CTC can align."""
    for cut in read_cuts(manifest):
        phones = said.get(cut.id, ())
        if phones and ctc_frames_needed(phones) <= num_frames(cut.num_samples):
            supervision = cut.supervisions[0]
            custom = {"phones": " ".join(phones), "tokens_type": "phones"}
            supervision.custom = {**(supervision.custom or {}), **custom}
            yield cut


if __name__ == "__main__":
    sys.exit(main())
