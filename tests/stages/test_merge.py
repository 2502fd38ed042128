"""Shards put together are what one run writes, byte for byte, or nothing."""

import gzip
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from lhotse import MonoCut, Recording, SupervisionSegment
from lhotse.audio import AudioSource

from unispeech_cli.lang.subwords import SubwordSettings
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.manifests import write_cuts
from unispeech_cli.records import Note, Record, Records, Table
from unispeech_cli.shards import Shard
from unispeech_cli.stages.merge import merge
from unispeech_cli.stages.phonemize import PhonemizeSettings, phonemize
from unispeech_cli.stages.prepare import prepare

Stage = Callable[..., Records]
COLUMNS = "client_id path sentence up_votes down_votes age gender accent locale segment".split()


def snapshot(*roots: Path) -> dict[str, bytes]:
    """Every file by its path, unpacked where it was packed with the time."""
    files = [path for root in roots for path in sorted(root.rglob("*")) if path.is_file()]
    return {
        str(path): gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in files
    }


def told(records: Records) -> tuple[list[str], list[Table]]:
    found: list[Record] = list(records)
    notes = [record.text for record in found if isinstance(record, Note)]
    return notes, [record for record in found if isinstance(record, Table)]


def whole_and_merged(stage: Stage, of: int, out: Path, *places: Path) -> tuple[list[str], list[str]]:
    """Run a stage whole and in shards into the same places, which must then hold the same; the notes of both."""
    notes, tables = told(stage(None))
    whole = snapshot(out, *places)
    for place in (out, *places):
        shutil.rmtree(place)
    for number in (of, *range(1, of)):
        told(stage(Shard(number, of)))
    assert not [path for path in snapshot(out, *places) if not {"shards", "audio"} & {*Path(path).parts}]
    merged_notes, merged_tables = told(merge(out))
    assert snapshot(out, *places) == whole and len(whole) > 2
    assert merged_tables == tables
    return notes, merged_notes


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two splits of CommonVoice: clips that are missing, listed in two blocks, not transcribed, of two channels."""
    root = tmp_path_factory.mktemp("corpus") / "cv"
    clips = root / "es" / "clips"
    clips.mkdir(parents=True)
    noise = np.random.default_rng(7).normal(size=(8_000, 2)) * 0.1
    soundfile.write(clips / "c0.mp3", noise[:, 0], 16_000)
    soundfile.write(clips / "c3.mp3", noise, 16_000)
    names = [f"c{number}" for number in range(160)]
    for number, name in enumerate(names[1:], start=1):
        if number % 7 and number != 3:
            os.link(clips / "c0.mp3", clips / f"{name}.mp3")
    # c1 is in blocks 0, 2 and 3 of fifty rows
    rows = [*names[:120], "c1", *names[120:], "c1"]
    texts = {"c5": "…", "c55": "", "c105": "…!"}
    table(root / "es" / "train.tsv", rows, texts)
    table(root / "es" / "dev.tsv", names[:60], {})
    (root / "es" / "test.tsv").write_text("\t".join(COLUMNS) + "\n")
    return root


def table(path: Path, names: Sequence[str], texts: dict[str, str]) -> None:
    lines = [
        f"speaker{n % 9}\t{name}.mp3\t{texts.get(name, 'Uno.')}\t2\t0\t\t\t\tes\t"
        for n, name in enumerate(names)
    ]
    lines.insert(70, "stray\trow")
    path.write_text("\n".join(["\t".join(COLUMNS), *lines]) + "\n")


@pytest.mark.parametrize(("of", "jobs"), [(1, 1), (3, 2), (7, 1)])
def test_shards_of_prepare(corpus: Path, tmp_path: Path, of: int, jobs: int) -> None:
    def stage(shard: Shard | None) -> Records:
        return prepare("commonvoice", corpus, tmp_path / "out", jobs=jobs, shard=shard)

    notes, merged = whole_and_merged(stage, of, tmp_path / "out")
    assert [note for note in merged if " merged" not in note] == notes
    assert any("listed twice" in note or "an earlier row" in note for note in notes)


def test_transcoded_copies_are_where_one_run_puts_them(corpus: Path, tmp_path: Path) -> None:
    def stage(shard: Shard | None) -> Records:
        return prepare("commonvoice", corpus, tmp_path / "out", splits=["dev"], transcode=True, shard=shard)

    whole_and_merged(stage, 2, tmp_path / "out")


def test_a_shard_that_was_merged_is_not_made_again(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def stage(shard: Shard | None) -> tuple[list[str], list[Table]]:
        return told(prepare("commonvoice", corpus, out, splits=["dev"], shard=shard))

    made = [stage(Shard(number, 2)) for number in (1, 2)]
    before = snapshot(out)
    notes, tables = stage(Shard(1, 2))
    assert notes == [f"{out}/shards/prepare-cv-es-dev/1-of-2: same inputs, nothing to do"]
    assert snapshot(out) == before and tables == made[0][1]
    told(merge(out))
    before = snapshot(out)
    for shard in (Shard(1, 2), Shard(1, 5), None):
        assert stage(shard)[0][0].startswith(f"{out}/cv-es_cuts_dev.jsonl.gz: same inputs, nothing to do")
    assert told(merge(out)) == ([f"{out}: no shards are left, all is merged; nothing to do"], [])
    assert snapshot(out) == before


def test_nothing_is_merged_while_a_shard_of_any_split_is_missing(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for number in (1, 2, 3):
        told(prepare("commonvoice", corpus, out, splits=["train", "dev"], shard=Shard(number, 3)))
    shutil.rmtree(out / "shards" / "prepare-cv-es-train" / "2-of-3")
    before = snapshot(out)
    with pytest.raises(ValueError, match=r"prepare-cv-es-train: shard 2 of 3 not done"):
        told(merge(out))
    shutil.rmtree(out / "shards" / "prepare-cv-es-train")
    with pytest.raises(ValueError, match=r"out: no shard of cv-es train is done"):
        told(merge(out))
    assert snapshot(out) == {
        path: text for path, text in before.items() if "/prepare-cv-es-train/" not in path
    }
    with pytest.raises(ValueError, match=r"shards of 3 and of 4"):
        told(prepare("commonvoice", corpus, out, splits=["dev"], shard=Shard(1, 4)))


def test_where_no_shard_ever_was_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no shards in .*: name the --out of prepare, phonemize or decode"):
        told(merge(tmp_path))


def spoken(name: str, text: str | None, language: str = "es", samples: int = 64_000) -> MonoCut:
    recording = Recording(name, [AudioSource("file", [0], f"{name}.wav")], 16_000, samples, samples / 16_000)
    said = SupervisionSegment(name, name, 0.0, samples / 16_000, 0, text, language)
    return MonoCut(name, 0.0, samples / 16_000, 0, [said], recording=recording)


WORDS = "la sal sol casa perro blanco señor mesa tres cinco ala el los una".split()


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two languages with words in common, one of them late; some cuts without text, without words, too short."""
    root = tmp_path_factory.mktemp("manifests")
    random = np.random.default_rng(1)

    def cuts(prefix: str, count: int) -> Iterator[MonoCut]:
        for number in range(count):
            text: str | None = " ".join(random.choice(WORDS, 3))
            language = "it" if number % 9 == 4 and number > 100 else "es"
            if number % 50 == 7:
                text = [None, "…", "x" * 300, "ñandú 22", "Week-end"][number // 50 % 5]
            yield spoken(f"{prefix}{number}", text, language, 64_000 if number % 31 else 1_000)

    paths = [
        root / "cv-es_cuts_train.jsonl.gz",
        root / "cv-es_cuts_dev.jsonl.gz",
        root / "cv-it_cuts_train.jsonl.gz",
    ]
    for path, prefix, count in zip(paths, "abc", (430, 60, 110), strict=True):
        write_cuts(path, cuts(prefix, count))
    return paths


@pytest.mark.parametrize(
    ("of", "options"),
    [
        (3, {"units": "letters"}),
        (4, {"units": "letters", "vocab": "separate", "settings": PhonemizeSettings(max_speed=1.1)}),
        (3, {"units": "phones"}),
        (9, {"units": "phones", "settings": PhonemizeSettings(language_switch="keep")}),
    ],
)
def test_shards_of_phonemize(manifests: list[Path], tmp_path: Path, of: int, options: dict[str, Any]) -> None:
    out, lang = tmp_path / "out", tmp_path / "lang"

    def stage(shard: Shard | None) -> Records:
        return phonemize(manifests, out, lang, **options, shard=shard)

    whole_and_merged(stage, of, out, lang)
    assert json.loads((lang / "provenance.json").read_text())["voices"].keys() == {"es", "it"}
    for shard in (Shard(2, of), None):
        assert told(stage(shard))[0] == [f"{out} and {lang}: same inputs, nothing to do"]


def test_shards_that_keep_to_an_inventory_and_a_lexicon(manifests: list[Path], tmp_path: Path) -> None:
    out, lang = tmp_path / "out", tmp_path / "lang"
    TokenTable(("<blk>", "<unk>", "A", "L", "S")).write(tmp_path / "tokens.txt")
    lexicon = tmp_path / "lexicon.txt"
    # casa is not in it, and E is no unit of the inventory
    known = {word: " ".join(word.upper()) for word in WORDS if word not in ("casa", "señor")}
    lexicon.write_text("".join(f"{word} {phones}\n{word}(2) A {phones}\n" for word, phones in known.items()))
    for unknown in ("drop", "unk", "extend"):

        def stage(shard: Shard | None, unknown: Any = unknown) -> Records:
            return phonemize(
                manifests,
                out,
                lang,
                lexicon=lexicon,
                inventory=tmp_path / "tokens.txt",
                settings=PhonemizeSettings(unknown_units=unknown),
                shard=shard,
            )

        whole_and_merged(stage, 2, out, lang)
        shutil.rmtree(out), shutil.rmtree(lang)


@pytest.fixture
def shards(tmp_path: Path) -> Callable[..., None]:
    """Phonemize manifests into `out` and `lang` of the folder, in two shards."""

    def run(*paths: Path, **options: Any) -> None:
        for number in (1, 2):
            chosen = {"units": "letters", **options}
            list(phonemize(paths, tmp_path / "out", tmp_path / "lang", **chosen, shard=Shard(number, 2)))

    return run


def test_a_cut_that_is_there_twice_is_named(shards: Callable[..., None], tmp_path: Path) -> None:
    path = tmp_path / "cv-es_cuts_train.jsonl"
    write_cuts(path, (spoken(f"a{min(number, 140)}", "la sal") for number in range(150)))
    shards(path)
    with pytest.raises(ValueError, match=rf"{path}: cut a140 is there twice"):
        told(merge(tmp_path / "out"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["shards"] and not (
        tmp_path / "lang"
    ).exists()


def test_what_speaks_here_must_be_what_spoke_there(
    shards: Callable[..., None], manifests: list[Path], tmp_path: Path
) -> None:
    shards(manifests[1])
    for record in (tmp_path / "out" / "shards").rglob("shard.json"):
        record.write_text(record.read_text().replace('"normalizer": ', '"normalizer": 9'))
    with pytest.raises(
        ValueError, match=r"was made with others than are here: options normalizer: 9\d+ -> \d+"
    ):
        told(merge(tmp_path / "out"))


def test_a_lang_directory_made_of_something_else_meanwhile_is_not_overwritten(
    shards: Callable[..., None], manifests: list[Path], tmp_path: Path
) -> None:
    shards(manifests[1])
    told(phonemize([manifests[2]], tmp_path / "other", tmp_path / "lang", units="letters"))
    before = snapshot(tmp_path)
    with pytest.raises(ValueError, match=r"lang was made from other inputs"):
        told(merge(tmp_path / "out"))
    assert snapshot(tmp_path) == before


def test_pieces_are_made_first_and_then_shared(
    shards: Callable[..., None], manifests: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(
        ValueError, match=r"--shard: pieces are made of all transcripts at once; make them first"
    ):
        shards(manifests[0], units="bpe")
    settings = PhonemizeSettings(subwords=SubwordSettings(size=60), unknown_units="unk")
    told(phonemize([manifests[1]], tmp_path / "first", tmp_path / "lang", units="bpe", settings=settings))
    before, inventory = snapshot(tmp_path / "lang"), tmp_path / "lang" / "tokens.txt"

    def stage(shard: Shard | None) -> Records:
        kept: dict[str, Any] = {"units": "bpe", "inventory": inventory, "settings": settings}
        return phonemize(manifests[:1], tmp_path / "out", tmp_path / "lang", **kept, shard=shard)

    whole_and_merged(stage, 3, tmp_path / "out")
    assert snapshot(tmp_path / "lang") == before
