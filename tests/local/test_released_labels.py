"""local/released_labels.py: files in the layout of the released ones, labels on the right cuts."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "local"))

from released_labels import main

from unispeech_cli.lang.tokens import read as read_tokens
from unispeech_cli.manifests import read_cuts, units
from unispeech_cli.paths import LangDir

SPLIT = "testSeqs_uniform_new_version_16k"
Tones = Callable[..., Path]


def release(folder: Path, language: str, **files: str) -> Path:
    """DIR with one language: three clips in another order than the manifest's, an inventory with an empty symbol."""
    place = folder / "released" / language
    place.mkdir(parents=True)
    ids = {"o": 0, "": 1, "e": 2, "a": 3}
    (place / "phonesMatches_reduced.json").write_text(json.dumps(ids))
    names = [f"cv-{language}_cuts_{SPLIT}-{number}.wav" for number in (2, 0, 1)]
    (place / f"{SPLIT}.tsv").write_text(
        "\n".join(["/data/wavs_16k/", *(f"{n}\t9\t16000" for n in names)]) + "\n"
    )
    for kind, text in files.items():
        (place / f"{SPLIT}.{kind}").write_text(text)
    return folder / "released"


def run(tones: Tones, folder: Path, labels: Path, *languages: str, vocab: str = "shared") -> tuple[int, Path]:
    cuts = [
        tones(
            folder / f"cv-{language}_cuts_{SPLIT}.jsonl.gz",
            ["i i", "i i i", "i"],
            labelled=False,
            language=language,
        )
        for language in languages
    ]
    lang = folder / "lang"
    options = ["--labels", labels, "--out", folder / "out", "--lang-dir", lang, "--vocab", vocab]
    return main([str(word) for word in (*cuts, *options)]), folder / "out" / cuts[0].name


def said(manifest: Path) -> dict[str, str]:
    return {cut.id[-1]: " ".join(units(cut.supervisions[0])) for cut in read_cuts(manifest)}


@pytest.mark.parametrize(
    "files",
    [
        {"id": "3\n0 2\n2 1 2 3\n"},
        {"phone": "a\no | e\ne e | a\n"},
        # numbers come first, as rates are scored against them; an empty file is none
        {"id": "3\n0 2\n2 2 3\n", "phone": "e\ne\ne\n"},
        {"id": "", "phone": "a\no e\ne e a\n"},
    ],
)
def test_labels_go_to_their_clips(tones: Tones, tmp_path: Path, files: dict[str, str], capsys: Any) -> None:
    labels = release(tmp_path, "ky", **files)
    code, made = run(tones, tmp_path, labels, "ky")
    assert code == 0
    assert said(made) == {"0": "o e", "1": "e e a", "2": "a"}
    assert read_tokens(LangDir(tmp_path / "lang").tokens).symbols == ("<blk>", "o", "e", "a")
    before = made.stat().st_mtime_ns
    assert run(tones, tmp_path, labels, "ky")[0] == 0
    assert "same inputs, nothing to do" in capsys.readouterr().err
    assert made.stat().st_mtime_ns == before


def test_languages_share_an_inventory_or_have_their_own(tones: Tones, tmp_path: Path) -> None:
    for language in ("ky", "tt"):
        labels = release(tmp_path, language, id="3\n0\n2\n")
    assert run(tones, tmp_path, labels, "ky", "tt", vocab="separate")[0] == 0
    table = read_tokens(LangDir(tmp_path / "lang").tokens)
    assert table.symbols == ("<blk>", "ky:a", "ky:e", "ky:o", "tt:a", "tt:e", "tt:o")
    assert table.encode(["o"], "tt") == [6]


def test_what_ctc_cannot_align_or_nobody_labelled_is_left_out(tones: Tones, tmp_path: Path) -> None:
    labels = release(tmp_path, "ky", id=f"{'3 2 ' * 40}\n\n2\n")
    code, made = run(tones, tmp_path, labels, "ky")
    assert (code, said(made)) == (0, {"1": "e"})


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"id": "3\n0\n"}, "has 3 clips, "),
        ({"id": "3\n0\n7\n"}, "holds 7, which "),
        ({}, "or no .id or .phone beside it"),
    ],
)
def test_files_that_do_not_go_together(
    tones: Tones, tmp_path: Path, files: dict[str, str], complaint: str, capsys: Any
) -> None:
    code, made = run(tones, tmp_path, release(tmp_path, "ky", **files), "ky")
    told = capsys.readouterr().err
    assert (code, told.count("\n"), made.exists()) == (1, 1, False)
    assert told.startswith("released_labels.py: ") and complaint in told
