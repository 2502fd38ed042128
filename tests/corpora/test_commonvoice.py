"""CommonVoice TSVs as the releases have them; no audio is needed to read those."""

from pathlib import Path

import pytest

from unispeech_cli.corpora.clip import Clip, Dropped
from unispeech_cli.corpora.commonvoice import code, splits

HEADER_2020 = "client_id path sentence up_votes down_votes age gender accent locale segment"
HEADER_2024 = (
    "client_id path sentence_id sentence sentence_domain up_votes down_votes "
    "age gender accents variant locale segment"
)


def write_table(path: Path, header: str, *rows: str, end: str = "\n", mark: str = "") -> None:
    """Columns by spaces, in rows by |, as one writes them by hand."""
    (path.parent / "clips").mkdir(parents=True, exist_ok=True)
    lines = [header.replace(" ", "\t"), *(row.replace("|", "\t") for row in rows)]
    path.write_bytes((mark + end.join(lines) + end).encode())


def clips(directory: Path, language: str = "es", name: str = "train") -> list[Clip | Dropped]:
    (split,) = splits(directory, [language], [name])
    return list(split.clips())


def test_release_of_2020(tmp_path: Path) -> None:
    row = "f00|common_voice_es_1.mp3|Hola, mundo.|2|0|thirties|male|andino|es|"
    write_table(tmp_path / "es" / "train.tsv", HEADER_2020, row)
    assert clips(tmp_path) == [
        Clip(
            id="common_voice_es_1",
            path=f"{tmp_path}/es/clips/common_voice_es_1.mp3",
            text="Hola, mundo.",
            language="es",
            recording="common_voice_es_1",
            speaker="f00",
            gender="male",
            custom={"age": "thirties", "accents": "andino"},
        )
    ]


def test_release_of_2024(tmp_path: Path) -> None:
    row = "f00|common_voice_es_1.mp3|5e17|Hola.||2|0|teens|female_feminine|Sur, Lima|es-PE|es|"
    write_table(tmp_path / "es" / "train.tsv", HEADER_2024, row)
    write_table(
        tmp_path / "es" / "clip_durations.tsv", "clip duration[ms]", "common_voice_es_1.mp3|4320", "odd row"
    )
    (clip,) = clips(tmp_path)
    assert isinstance(clip, Clip)
    assert (clip.promised, clip.gender) == (4.32, "female_feminine")
    assert clip.custom == {"age": "teens", "accents": "Sur, Lima", "variant": "es-PE"}


def test_missing_columns_and_missing_ending(tmp_path: Path) -> None:
    write_table(tmp_path / "es" / "train.tsv", "path sentence", "common_voice_es_1|Hola.")
    (clip,) = clips(tmp_path)
    assert isinstance(clip, Clip)
    assert (clip.id, clip.speaker, clip.custom) == ("common_voice_es_1", None, {})
    assert clip.path.endswith("/clips/common_voice_es_1.mp3")


def test_windows_line_ends_and_byte_order_mark(tmp_path: Path) -> None:
    table = tmp_path / "es" / "train.tsv"
    write_table(table, "client_id path sentence", "f00|a.mp3|Hola.", end="\r\n", mark="\ufeff")
    (clip,) = clips(tmp_path)
    assert isinstance(clip, Clip) and (clip.speaker, clip.text) == ("f00", "Hola.")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('"""Nie mają ani władzy, ani pieniędzy."""', '"Nie mają ani władzy, ani pieniędzy."'),
        ('"Rzekł: ""tak"" i ""nie""."', 'Rzekł: "tak" i "nie".'),
        ('"Or, la passion"', "Or, la passion"),
        ('"Tak", rzekł, "nie"', '"Tak", rzekł, "nie"'),
        ('"Tak, rzekł.', '"Tak, rzekł.'),
        ('12" ekran', '12" ekran'),
        ('"', '"'),
        ("jedno\u2028zdanie\u0085całe", "jedno\u2028zdanie\u0085całe"),
    ],
)
def test_quotation_marks(tmp_path: Path, written: str, read: str) -> None:
    write_table(tmp_path / "pl" / "train.tsv", "path sentence", f"a.mp3|{written}")
    assert [clip.text for clip in clips(tmp_path, "pl") if isinstance(clip, Clip)] == [read]


def test_stray_rows_cost_themselves(tmp_path: Path) -> None:
    rows = [
        "f00|a.mp3|Uno.|2|0||||es|",
        "f00|b.mp3",
        'f00|c.mp3|"half a',
        'sentence"|2|0||||es|',
        "",
        "f00|d.mp3|Dos.|2|0||||es||too|many",
        "f00|e.mp3| |2|0||||es|",
        "f00|f.mp3|Tres.|2|0||||es",
    ]
    write_table(tmp_path / "es" / "train.tsv", HEADER_2020, *rows)
    found = clips(tmp_path)
    assert [clip.id for clip in found if isinstance(clip, Clip)] == ["a", "f"]
    assert [(drop.id, drop.reason) for drop in found if isinstance(drop, Dropped)] == [
        ("train.tsv:3", "stray row"),
        ("train.tsv:4", "stray row"),
        ("train.tsv:5", "stray row"),
        ("train.tsv:7", "stray row"),
        ("e", "empty transcript"),
    ]


def test_bytes_that_are_not_utf_8_cost_their_row(tmp_path: Path) -> None:
    write_table(tmp_path / "es" / "train.tsv", "path sentence", "a.mp3|Uno.", "b.mp3|Dos.")
    table = tmp_path / "es" / "train.tsv"
    table.write_bytes(table.read_bytes().replace(b"Uno", b"Ni\xf1o"))
    assert [(found.id, type(found)) for found in clips(tmp_path)] == [("a", Dropped), ("b", Clip)]


def test_splits_default_to_those_that_are_there(tmp_path: Path) -> None:
    for name in ("train", "test", "validated"):
        write_table(tmp_path / "es" / f"{name}.tsv", "path sentence")
    write_table(tmp_path / "sv-SE" / "dev.tsv", "path sentence")
    found = [(split.corpus, split.name) for split in splits(tmp_path)]
    assert found == [("cv-es", "train"), ("cv-es", "test"), ("cv-sv", "dev")]
    assert [split.name for split in splits(tmp_path, ["es"], ["validated"])] == ["validated"]


@pytest.mark.parametrize("asked", ["sv", "sv-SE"])
def test_language_with_a_region(tmp_path: Path, asked: str) -> None:
    write_table(tmp_path / "sv-SE" / "train.tsv", "path sentence", "a.mp3|Hej.")
    (clip,) = clips(tmp_path, asked)
    assert isinstance(clip, Clip) and clip.language == "sv" and "/sv-SE/clips/" in clip.path
    assert [code(folder) for folder in ("zh-CN", "zh-HK", "ky")] == ["zh", "zh-HK", "ky"]


def test_split_list_looks_in_every_table(tmp_path: Path) -> None:
    write_table(tmp_path / "es" / "validated.tsv", "path sentence", "a.mp3|Uno.", "b.mp3|Dos.", "c.mp3|Tres.")
    write_table(tmp_path / "es" / "train.tsv", "path sentence", "a.mp3|Uno.")
    write_table(tmp_path / "es" / "other.tsv", "path sentence", "d.mp3|Cuatro.")
    wanted = tmp_path / "es_train_1h.txt"
    wanted.write_text("d\nx\na.mp3\n\nc\n")
    (split,) = splits(tmp_path, ["es"], split_list=wanted)
    found = list(split.clips())
    assert (split.corpus, split.name) == ("cv-es", "es_train_1h")
    assert [clip.id for clip in found if isinstance(clip, Clip)] == ["a", "c", "d"]
    assert [(drop.id, drop.reason) for drop in found if isinstance(drop, Dropped)] == [
        ("x", "not in any TSV")
    ]
    assert splits(tmp_path, ["es"], ["train-1h"], wanted)[0].name == "train-1h"


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    write_table(tmp_path / "es" / "train.tsv", "path sentence")
    write_table(tmp_path / "fr" / "train.tsv", "client_id text")
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(
        FileNotFoundError, match=r"no corpus .*gone; expected a folder holding <lang>/train.tsv"
    ):
        splits(tmp_path / "gone")
    with pytest.raises(ValueError, match=r"elsewhere: expected <lang>/train.tsv"):
        splits(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"es: .*name its parent"):
        splits(tmp_path / "es")
    with pytest.raises(ValueError, match=r"no language xx in .*; found: es, fr"):
        splits(tmp_path, ["xx"])
    with pytest.raises(FileNotFoundError, match=r"no split dev in .*es; found: train"):
        splits(tmp_path, ["es"], ["dev"])
    with pytest.raises(FileNotFoundError, match=r"no split list"):
        splits(tmp_path, ["es"], split_list=tmp_path / "gone.txt")
    with pytest.raises(ValueError, match=r"name one --language"):
        splits(tmp_path, split_list=tmp_path / "es" / "train.tsv")
    with pytest.raises(ValueError, match=r"fr/train\.tsv: no column path"):
        clips(tmp_path, "fr")


@pytest.mark.parametrize(
    "listed",
    [
        # as Riviere's splits name clips, with and without a suffix
        "common_voice_ky_1\ncommon_voice_ky_2\n",
        "common_voice_ky_1.mp3\ncommon_voice_ky_2.mp3\n",
        # as the released manifests do: with the folder and without, for one language and for several
        "/data/cv-corpus-5.1-2020-06-22/ky/wavs_16k/\n"
        "common_voice_ky_1.wav\t82944\t16000\ncommon_voice_ky_2.wav\t9\t16000\n",
        "common_voice_ky_1.wav\t248832\t48000\ncommon_voice_ky_2.wav\t9\t48000\n",
        "/data/cv-corpus-5.1-2020-06-22\nky/wavs_16k/common_voice_ky_1.wav\t82944\t16000\n"
        "ky/wavs_16k/common_voice_ky_2.wav\t9\t16000\n",
    ],
)
def test_split_lists_of_others(tmp_path: Path, listed: str) -> None:
    rows = [f"f00|common_voice_ky_{number}.mp3|Салам." for number in (1, 2, 3)]
    write_table(tmp_path / "ky" / "validated.tsv", "client_id path sentence", *rows)
    spelled = tmp_path / "trainSeqs_1.0_uniform_new_version.tsv"
    spelled.write_text(listed)
    (split,) = splits(tmp_path, ["ky"], split_list=spelled)
    assert (split.corpus, split.name) == ("cv-ky", "trainSeqs_1.0_uniform_new_version")
    assert [found.id for found in split.clips()] == ["common_voice_ky_1", "common_voice_ky_2"]
