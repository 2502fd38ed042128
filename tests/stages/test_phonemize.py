"""Cuts with transcripts in, cuts with units and a lang directory out."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from lhotse import MonoCut, Recording, SupervisionSegment
from lhotse.audio import AudioSource

from unispeech_cli.lang import tokens
from unispeech_cli.lang.lexicon import read_lexicon, read_words
from unispeech_cli.lang.subwords import SubwordSettings
from unispeech_cli.manifests import read_cuts, units, write_cuts
from unispeech_cli.paths import LangDir, ManifestDir
from unispeech_cli.records import Note, Record, Table
from unispeech_cli.stages.phonemize import PhonemizeSettings, phonemize

SECOND = 16_000
Said = tuple[str, str | None, int]


def cut(
    name: str, text: str | None, samples: int = 8 * SECOND, language: str | None = "es", **custom: str
) -> MonoCut:
    seconds = samples / SECOND
    source = AudioSource("file", [0], f"{name}.wav")
    recording = Recording(name, [source], SECOND, samples, seconds)
    supervision = SupervisionSegment(name, name, 0.0, seconds, 0, text, language, custom=custom or None)
    return MonoCut(name, 0.0, seconds, 0, [supervision], recording=recording)


def manifest(folder: Path, cuts: Sequence[MonoCut], split: str = "train", corpus: str = "cv-es") -> Path:
    path = ManifestDir(folder / "raw").cuts(corpus, split)
    write_cuts(path, cuts)
    return path


def run(cuts: Path | list[Path], folder: Path, **options: Any) -> list[Record]:
    paths = cuts if isinstance(cuts, list) else [cuts]
    out, lang = options.pop("out", folder / "out"), options.pop("lang", folder / "lang")
    return list(phonemize(paths, out, lang, **{"units": "letters", **options}))


def labels(folder: Path, path: Path) -> dict[str, str]:
    return {cut.id: " ".join(units(cut.supervisions[0])) for cut in read_cuts(folder / "out" / path.name)}


def table(records: Sequence[Record], title: str) -> Table:
    (found,) = [record for record in records if isinstance(record, Table) and record.title.startswith(title)]
    return found


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_units_are_put_beside_the_text(tmp_path: Path) -> None:
    path = manifest(tmp_path, [cut("a", "¡Sí, señor!", age="20")])
    run(path, tmp_path)
    (made,) = read_cuts(tmp_path / "out" / path.name)
    supervision = made.supervisions[0]
    assert supervision.text == "¡Sí, señor!"
    assert supervision.custom == {
        "age": "20",
        "text_norm": "sí señor",
        "letters": "s í | s e ñ o r",
        "tokens_type": "letters",
    }


def test_text_that_was_normalised_before_is_taken_as_it_is(tmp_path: Path) -> None:
    path = manifest(tmp_path, [cut("a", "Dr. No", text_norm="doctor no")])
    run(path, tmp_path)
    assert labels(tmp_path, path) == {"a": "d o c t o r | n o"}


def test_cuts_without_text_pass_unchanged_and_are_counted(tmp_path: Path) -> None:
    bare = cut("b", None)
    bare.supervisions = []
    given = [cut("a", None), bare, cut("c", "sí"), cut("d", "", text_norm="")]
    path = manifest(tmp_path, given)
    records = run(path, tmp_path)
    made = list(read_cuts(tmp_path / "out" / path.name))
    assert [c.id for c in made] == ["a", "b", "c", "d"]
    assert [c.to_dict() for c in made if c.id != "c"] == [c.to_dict() for c in given if c.id != "c"]
    row = dict(zip(table(records, "phonemized").columns, table(records, "phonemized").rows[0], strict=True))
    assert (row["cuts"], row["unlabelled"], row["units"], row["dropped"]) == (4, 3, 2, 0)


def test_what_is_dropped_leaves_nothing_in_the_inventory(tmp_path: Path) -> None:
    path = manifest(tmp_path, [cut("a", "…!?"), cut("b", "xyz", 400), cut("c", "sí")])
    records = run(path, tmp_path)
    assert list(labels(tmp_path, path)) == ["c"]
    listed = ManifestDir(tmp_path / "out").dropped("cv-es", "train").read_text(encoding="utf-8").splitlines()
    assert listed == [
        "id\treason\tdetail",
        "a\tno words in the transcript\tsymbols only",
        "b\ttoo short for its transcript\t1 frames, 3 are needed",
    ]
    assert [row[1:3] for row in table(records, "dropped").rows] == [
        ("no words in the transcript", 1),
        ("too short for its transcript", 1),
    ]
    assert tokens.read(LangDir(tmp_path / "lang").tokens).symbols == ("<blk>", "s", "í")


def test_nothing_left_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    path = manifest(tmp_path, [cut("a", "…!?")])
    with pytest.raises(ValueError, match="no transcribed cut is left"):
        run(path, tmp_path)
    assert not (tmp_path / "lang").exists() and snapshot(tmp_path / "out") == {}


def test_manifests_of_a_call_share_one_inventory(tmp_path: Path) -> None:
    spanish = manifest(tmp_path, [cut("a", "ni")])
    italian = manifest(tmp_path, [cut("b", "lì", language="it")], corpus="cv-it")
    run([spanish, italian], tmp_path)
    assert tokens.read(LangDir(tmp_path / "lang").tokens).symbols == ("<blk>", "i", "l", "n", "ì")


def test_separate_inventories_encode_what_the_manifests_hold(tmp_path: Path) -> None:
    mixed = manifest(
        tmp_path, [cut("a", "la"), cut("b", "al", language="it"), cut("c", "la", language="es-MX")]
    )
    run(mixed, tmp_path, vocab="separate")
    made = tokens.read(LangDir(tmp_path / "lang").tokens)
    assert made.symbols == ("<blk>", "es:a", "es:l", "it:a", "it:l")
    cuts = {c.id: c.supervisions[0] for c in read_cuts(tmp_path / "out" / mixed.name)}
    assert [made.encode(units(cuts[name]), cuts[name].language) for name in "abc"] == [[2, 1], [3, 4], [2, 1]]
    assert read_lexicon(LangDir(tmp_path / "lang").lexicon)["la"] == [("es:l", "es:a")]


def test_again_with_the_same_inputs_it_does_nothing(tmp_path: Path) -> None:
    path = manifest(tmp_path, [cut("a", "sí")])
    run(path, tmp_path)
    before = snapshot(tmp_path)
    records = run(path, tmp_path)
    assert [type(record) for record in records] == [Note]
    assert "same inputs, nothing to do" in records[0].text  # type: ignore[union-attr]
    (tmp_path / "out" / path.name).unlink()
    run(path, tmp_path)
    assert snapshot(tmp_path) == before


def test_a_lang_directory_of_other_inputs_is_left_alone_and_the_difference_named(tmp_path: Path) -> None:
    path = manifest(tmp_path, [cut("a", "sí")])
    run(path, tmp_path)
    before = snapshot(tmp_path / "lang")
    with pytest.raises(ValueError, match=r"other inputs \(options max_speed: 1.0 -> 1.1\)"):
        run(path, tmp_path, settings=PhonemizeSettings(max_speed=1.1))
    manifest(tmp_path, [cut("a", "no")])
    with pytest.raises(ValueError, match=rf"other inputs \(inputs {path}"):
        run(path, tmp_path)
    assert snapshot(tmp_path / "lang") == before


def test_further_cuts_keep_to_the_inventory_of_the_lang_directory(tmp_path: Path) -> None:
    train = manifest(tmp_path, [cut("a", "la sal")])
    run(train, tmp_path)
    before = snapshot(tmp_path / "lang")
    test = manifest(tmp_path, [cut("b", "las"), cut("c", "lo lo"), cut("d", "la x")], split="test")
    inventory = LangDir(tmp_path / "lang").tokens
    records = run(test, tmp_path, inventory=inventory)
    assert labels(tmp_path, test) == {"b": "l a s"}
    assert snapshot(tmp_path / "lang") == before
    assert table(records, "dropped").rows[0][1:3] == ("units not in the inventory", 2)
    assert table(records, "unknown units (2").rows == [("es", "o", 2), ("es", "x", 1)]
    assert [type(record) for record in run(test, tmp_path, inventory=inventory)] == [Note]


def test_a_lexicon_lists_the_words_that_it_lacks(tmp_path: Path) -> None:
    lexicon = tmp_path / "dict.txt"
    lexicon.write_text("THE DH AH0\nTHE(2) DH IY0\nCAT K AE1 T\nDOG D AO1 G\n")
    given = [cut("a", "The cat", language="en"), cut("b", "The emu, the emu", language="en")]
    path = manifest(tmp_path, given)
    records = run(path, tmp_path, units="phones", lexicon=lexicon)
    assert labels(tmp_path, path) == {"a": "DH AH0 K AE1 T"}
    assert table(records, "unknown words (1").rows == [("en", "emu", 2)]
    assert table(records, "dropped").rows[0][1] == "words not in the lexicon"
    lang = LangDir(tmp_path / "lang")
    assert read_lexicon(lang.lexicon) == {"cat": [("K", "AE1", "T")], "the": [("DH", "AH0")]}
    assert list(read_words(lang.words)) == ["<eps>", "cat", "the", "#0", "<s>", "</s>"]


def test_phones_by_espeak(tmp_path: Path) -> None:
    given = [cut("a", "El perro."), cut("b", "Le week-end.", language="fr"), cut("c", "Абдан", language="ky")]
    path = manifest(tmp_path, given)
    records = run(path, tmp_path, units="phones")
    made = labels(tmp_path, path)
    assert made["a"] == "e l p e r o"
    assert made["c"] == "ɑ b d[ ɑ n"
    assert made["b"] and not any(unit.startswith("(") for unit in made["b"].split())
    row = dict(zip(table(records, "phonemized").columns, table(records, "phonemized").rows[0], strict=True))
    assert row["switched"] == 1
    provenance = json.loads(LangDir(tmp_path / "lang").provenance.read_text(encoding="utf-8"))
    assert provenance["voices"] == {"es": "es", "fr": "fr-fr", "ky": "ky"}
    assert {"phonemizer", "espeak-ng"} <= provenance["versions"].keys()
    assert provenance["options"]["normalizer"] >= 1
    symbols = tokens.read(LangDir(tmp_path / "lang").tokens)
    assert provenance["fingerprint"] == symbols.fingerprint
    lexicon = read_lexicon(LangDir(tmp_path / "lang").lexicon)
    assert lexicon["perro"] == [("p", "e", "r", "o")]
    assert not [
        unit
        for variants in lexicon.values()
        for units in variants
        for unit in units
        if unit not in symbols.ids
    ]


def test_words_that_espeak_joins_get_pronunciations_of_their_own(tmp_path: Path) -> None:
    given = [cut("a", "One of the dogs.", language="en"), cut("b", "The love of dogs.", language="en")]
    run(manifest(tmp_path, given), tmp_path, units="phones")
    lexicon = read_lexicon(LangDir(tmp_path / "lang").lexicon)
    assert set(lexicon) == {"one", "of", "the", "love", "dogs"}
    assert all(len(variant) <= 4 for variants in lexicon.values() for variant in variants)


def test_subwords_come_with_their_model(tmp_path: Path) -> None:
    given = [
        cut(str(n), text) for n, text in enumerate(["la casa blanca", "el perro blanco", "la sal", "el sol"])
    ]
    path = manifest(tmp_path, given)
    settings = PhonemizeSettings(subwords=SubwordSettings(size=24))
    run(path, tmp_path, units="bpe", settings=settings)
    lang = LangDir(tmp_path / "lang")
    made = tokens.read(lang.tokens)
    assert len(made) == 25 and made.symbols[:2] == ("<blk>", "<unk>")
    assert labels(tmp_path, path)["0"].replace(" ", "").replace("▁", " ").strip() == "la casa blanca"
    test = manifest(tmp_path, [cut("x", "la sol")], split="test")
    run(test, tmp_path, units="bpe", inventory=lang.tokens)
    assert made.encode(labels(tmp_path, test)["x"].split())


def test_a_failure_midway_leaves_nothing(tmp_path: Path) -> None:
    good = manifest(tmp_path, [cut("a", "sí")])
    bad = good.with_name("cv-es_cuts_dev.jsonl")
    bad.write_text("{}\n")
    with pytest.raises(ValueError, match=r"cv-es_cuts_dev.jsonl:1: not a Lhotse cut"):
        run([good, bad], tmp_path)
    assert not (tmp_path / "lang").exists() and snapshot(tmp_path / "out") == {}


def two_supervisions() -> MonoCut:
    made = cut("a", "sí")
    made.supervisions = made.supervisions * 2
    return made


@pytest.mark.parametrize(
    ("given", "options", "complaint"),
    [
        (cut("a", "sí"), {"units": "syllables"}, "--units syllables: choose from phones, letters, bpe"),
        (cut("a", "sí", language=None), {}, "cut a has no language"),
        (cut("a", "sí", language="xq"), {"units": "phones"}, "no voice for language 'xq'"),
        (two_supervisions(), {}, "cut a has 2 supervisions"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(
    tmp_path: Path, given: MonoCut, options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint) as error:
        run(manifest(tmp_path, [given]), tmp_path, **options)
    assert "\n" not in str(error.value)


def test_manifests_are_never_written_over_what_is_read(tmp_path: Path) -> None:
    path = manifest(tmp_path, [cut("a", "sí")])
    with pytest.raises(ValueError, match="name another directory"):
        run(path, tmp_path, out=path.parent)
    with pytest.raises(ValueError, match=r"a manifest is named CORPUS_cuts_SPLIT\.jsonl\.gz"):
        run(path.rename(path.with_name("es.jsonl.gz")), tmp_path)
