"""CommonVoice, every release since 2020: `<lang>/{train,dev,test,validated,...}.tsv` and `<lang>/clips/`.

Own reader: releases differ in columns (`accent` or `accents`, `variant` or none), sentences come with and
without CSV quotes, and rows go astray. Nothing but the TSVs is read here, a line at a time.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from unispeech_cli.corpora.clip import Clip, Dropped, Split

SPLITS = ("train", "dev", "test")
# where the clips of a split list are looked up; a clip is in several of them
LISTINGS = ("validated", "train", "dev", "test", "invalidated", "other")
# written forms or dialects of one language that are corpora of their own
_WHOLE_CODES = {"zh-HK", "zh-TW", "nan-tw", "rm-sursilv", "rm-vallader"}
_CUSTOM = {"age": "age", "accent": "accents", "accents": "accents", "variant": "variant"}


def code(folder: str) -> str:
    """The language code of a folder: sv-SE -> sv, zh-CN -> zh; zh-HK stays."""
    return folder if folder in _WHOLE_CODES else folder.split("-")[0]


def splits(
    directory: Path,
    languages: Sequence[str] = (),
    names: Sequence[str] = (),
    split_list: Path | None = None,
) -> list[Split]:
    """The splits of `languages` (all that are there by default), or the one that `split_list` spells out.

    Raises FileNotFoundError when the directory, the split list or a named TSV is missing, ValueError when the
    layout is another or a language is not there.
    """
    folders = _chosen(_folders(directory), languages, directory)
    if split_list is not None:
        return [_listed_split(folders, names, split_list)]
    return [split for folder in folders for split in _named_splits(folder, names)]


def _folders(directory: Path) -> list[Path]:
    if not directory.is_dir():
        raise FileNotFoundError(
            f"no corpus {directory}; expected a folder holding <lang>/train.tsv and <lang>/clips/"
        )
    found = sorted(
        path for path in directory.iterdir() if (path / "clips").is_dir() and any(path.glob("*.tsv"))
    )
    if found:
        return found
    inside = (
        "that is one language; name its parent"
        if (directory / "clips").is_dir()
        else "there is no such folder"
    )
    raise ValueError(f"{directory}: expected <lang>/train.tsv and <lang>/clips/ in it; {inside}")


def _chosen(folders: list[Path], languages: Sequence[str], directory: Path) -> list[Path]:
    chosen = []
    for language in languages:
        match = [folder for folder in folders if language in (folder.name, code(folder.name))]
        if not match:
            known = ", ".join(folder.name for folder in folders)
            raise ValueError(f"no language {language} in {directory}; found: {known}")
        chosen.append(match[0])
    return chosen or folders


def _named_splits(folder: Path, names: Sequence[str]) -> list[Split]:
    paths = [folder / f"{name}.tsv" for name in names or SPLITS]
    missing = [path for path in paths if not path.is_file()]
    there = ", ".join(sorted(path.stem for path in folder.glob("*.tsv")))
    if missing and names:
        raise FileNotFoundError(f"no split {missing[0].stem} in {folder}; found: {there}")
    if len(missing) == len(paths):
        raise ValueError(
            f"{folder}: none of train.tsv, dev.tsv, test.tsv; found: {there}; choose with --splits"
        )
    return [_split(folder, path.stem, (path,), lambda stem: True) for path in paths if path not in missing]


def _split(folder: Path, name: str, tables: tuple[Path, ...], wanted: Callable[[str], bool]) -> Split:
    extras = tuple(path for path in [folder / "clip_durations.tsv"] if path.is_file())
    return Split(f"cv-{code(folder.name)}", name, tables, partial(_clips, folder, tables, wanted), extras)


def _listed_split(folders: list[Path], names: Sequence[str], split_list: Path) -> Split:
    if len(folders) != 1 or len(names) > 1:
        raise ValueError(f"--split-list {split_list} makes one split of one language: name one --language")
    if not split_list.is_file():
        raise FileNotFoundError(f"no split list {split_list}; expected one clip name a line")
    tables = tuple(path for name in LISTINGS if (path := folders[0] / f"{name}.tsv").is_file())
    split = _split(folders[0], names[0] if names else split_list.stem, tables, lambda stem: True)
    clips = partial(_listed, folders[0], tables, split_list)
    return Split(split.corpus, split.name, split.transcripts, clips, (*split.extras, split_list))


def _listed(folder: Path, tables: tuple[Path, ...], split_list: Path) -> Iterator[Clip | Dropped]:
    """The clips of the list in the order of the tables, each once; then those that no table has."""
    wanted = _stems(split_list.read_text("utf-8-sig").splitlines())
    for found in _clips(folder, tables, wanted.__contains__):
        # invalidated.tsv and other.tsv may repeat a clip of validated.tsv
        if found.id in wanted:
            wanted.discard(found.id)
            yield found
    for stem in sorted(wanted):
        yield Dropped(stem, "not in any TSV", f"listed in {split_list}, in none of {folder}/*.tsv")


def _stems(lines: Sequence[str]) -> set[str]:
    """Clips of a list: names with or without suffix and folders, or fairseq's lines of `path<TAB>samples`."""
    names = [line.split("\t")[0].strip() for line in lines]
    # fairseq's first line may be the folder
    is_root = bool(names) and "\t" not in lines[0] and "\t" in "".join(lines)
    return {Path(name).stem for name in names[is_root:] if name}


def _clips(folder: Path, tables: tuple[Path, ...], wanted: Callable[[str], bool]) -> Iterator[Clip | Dropped]:
    durations = _durations(folder / "clip_durations.tsv")
    language = code(folder.name)
    for table in tables:
        yield from _rows(table, folder / "clips", language, durations, wanted)


def _durations(path: Path) -> dict[str, int]:
    """Milliseconds by file name; rows that are something else are passed over."""
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as lines:
        pairs = (line.rstrip("\r\n").split("\t") for line in lines)
        return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def _rows(
    table: Path, clips: Path, language: str, durations: dict[str, int], wanted: Callable[[str], bool]
) -> Iterator[Clip | Dropped]:
    # str.splitlines would part sentences at U+2028 and U+0085
    with table.open(encoding="utf-8-sig", errors="replace", newline="\n") as lines:
        header = next(lines, "").rstrip("\r\n").split("\t")
        _check_header(header, table)
        # editors strip the tab before an empty last column
        shortest = max(len(header) - 1, 1 + max(header.index("path"), header.index("sentence")))
        for number, line in enumerate(lines, start=2):
            fields = line.rstrip("\r\n").split("\t")
            if shortest <= len(fields) <= len(header):
                row = dict(zip(header, fields, strict=False))
                found = _clip(row, clips, language, durations)
                if wanted(found.id):
                    yield found
            elif line.strip():
                detail = f"{table}:{number}: {len(fields)} columns, expected {len(header)}"
                yield Dropped(f"{table.name}:{number}", "stray row", detail)


def _check_header(header: list[str], table: Path) -> None:
    missing = [name for name in ("path", "sentence") if name not in header]
    if missing:
        raise ValueError(
            f"{table}: no column {missing[0]}; its first line must name client_id, path, sentence, ..."
        )


def _clip(row: dict[str, str], clips: Path, language: str, durations: dict[str, int]) -> Clip | Dropped:
    name, sentence = row["path"].strip(), _unquoted(row["sentence"]).strip()
    stem, dot, _ = name.rpartition(".")
    if not dot:
        stem, name = name, f"{name}.mp3"
    if not sentence or "\ufffd" in sentence:
        reason = "transcript is not UTF-8" if sentence else "empty transcript"
        return Dropped(stem, reason, f"{clips / name}: {reason}")
    milliseconds = durations.get(name)
    return Clip(
        id=stem,
        path=f"{clips}/{name}",
        text=sentence,
        language=language,
        recording=stem,
        speaker=row.get("client_id") or None,
        gender=row.get("gender") or None,
        promised=None if milliseconds is None else milliseconds / 1000,
        custom={ours: value for theirs, ours in _CUSTOM.items() if (value := row.get(theirs))},
    )


def _unquoted(text: str) -> str:
    """A field without its CSV quotes; a quotation mark that is none of those is part of the sentence."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    inner = text[1:-1]
    plain = inner.replace('""', "")
    return text if '"' in plain else inner.replace('""', '"')
