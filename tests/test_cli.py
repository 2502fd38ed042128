import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from unispeech_cli.cli import app, main

COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in this process: exit code, stdout, stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["unispeech", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err  # type: ignore[return-value]

    return call


def process(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "unispeech_cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_help_comes_in_half_a_second_without_torch() -> None:
    heavy = "{'torch', 'lhotse', 'numpy', 'k2', 'pydantic', 'rich.progress'}"
    script = (
        "import sys\nfrom unispeech_cli.cli import main\nsys.argv = ['unispeech', '--help']\n"
        f"try: main()\nfinally: print(*(set(sys.modules) & {heavy}), file=sys.stderr)"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stderr.split() == []
    # of a processor, not of the clock: other work on the machine must not fail this
    seconds = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert process("--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds) < 0.5


def test_help_names_every_command(run: Run) -> None:
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    assert [name for name in COMMANDS if f"\n  {name} " not in out] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_tells_what_it_reads_and_writes_with_an_example(run: Run, command: str) -> None:
    code, out, err = run(command, "--help")
    assert (code, err) == (0, "")
    text = " ".join(out.split())
    assert "Reads " in text and "writes " in text
    assert f"Example: unispeech {command} " in text


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_of_a_command_is_one_it_takes(command: str) -> None:
    found = typer.main.get_command(app).commands[command]  # type: ignore[attr-defined]
    example = " ".join(found.help.split()).partition(f"Example: unispeech {command} ")[2].split()
    context = found.make_context(command, example)
    assert context.params


@pytest.mark.parametrize(
    "arguments",
    [["pretrainn"], ["finetune"], ["decode", "exp"], ["score", "x", "--colour"], ["prepare", "a", "b"]],
)
def test_a_usage_error_exits_2(run: Run, arguments: list[str]) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert "Usage: " in err and "Error: " not in out


def test_what_the_user_got_wrong_is_one_line_and_exit_1(
    run: Run, corpus: Any, minute: list[str], tmp_path: Path
) -> None:
    settings = [f"--set={setting}" for setting in minute]
    lang, dev = ["--lang-dir", corpus.lang_dir], ["--dev", corpus.dev]
    train, labeled = ["--train", corpus.train], ["--labeled", corpus.train]
    exp = tmp_path / "exp"
    (tmp_path / "list.yaml").write_text("- 1\n")
    wrong = {
        "--set optim.lrr=1: unknown setting optim.lrr; did you mean optim.lr?": [
            "finetune", exp, *lang, *train, *dev, "--set", "optim.lrr=1",
        ],
        "--preset huge: known are tiny, base, large": [
            "pretrain", exp, *lang, *labeled, *dev, "--preset", "huge",
        ],
        f"no token table {tmp_path / 'lang' / 'tokens.txt'}": [
            "pretrain", exp, "--lang-dir", tmp_path / "lang", *labeled, *dev,
        ],
        "no file none.jsonl.gz": ["finetune", exp, *lang, "--train", "none.jsonl.gz", *dev, *settings],
        f"no settings file {tmp_path / 'none.yaml'}": [
            "finetune", exp, *lang, *train, *dev, "--config", tmp_path / "none.yaml",
        ],
        "list.yaml holds a list": ["finetune", exp, *lang, *train, *dev, "--config", tmp_path / "list.yaml"],
        "nothing to pre-train on": ["pretrain", exp, *lang, *dev],
        "holds no checkpoint": ["finetune", exp, *lang, *train, *dev, "--init", tmp_path],
        "exists and is not an experiment": ["finetune", tmp_path, *lang, *train, *dev, *settings],
        "device cuda:99 does not work here": [
            "finetune", exp, *lang, *train, *dev, *settings, "--device", "cuda:99",
        ],
    }  # fmt: skip
    for complaint, arguments in wrong.items():
        code, out, err = run(*arguments)
        (line,) = [line for line in err.splitlines() if line.startswith("unispeech: ")]
        assert (code, out, err.splitlines()[-1]) == (1, "", line)
        assert complaint in line
        assert not exp.exists()


def test_a_training_says_its_notes_on_stderr_and_nothing_on_stdout(
    run: Run, corpus: Any, minute: list[str], tmp_path: Path
) -> None:
    lang, data = ["--lang-dir", corpus.lang_dir], ["--train", corpus.train, "--dev", corpus.dev]
    given = [*lang, *data, *(f"--set={setting}" for setting in minute)]
    code, out, err = run("finetune", tmp_path / "exp", *given)
    assert (code, out) == (0, "")
    assert "labelled: 6 cuts" in err and "finetune update 6: dev per " in err
    code, out, err = run("decode", tmp_path / "exp", corpus.dev, "--out", tmp_path / "decoded")
    assert (code, out) == (0, "")
    code, out, _ = run("score", tmp_path / "decoded", "--json")
    assert code == 0
    assert json.loads(out)


def test_the_real_command_behaves_so_too(corpus: Any, tmp_path: Path) -> None:
    given = ["--lang-dir", corpus.lang_dir, "--train", "none", "--dev", "none"]
    done = process("finetune", tmp_path / "exp", *given)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "unispeech: no file none\n")


def test_a_traceback_is_there_for_those_who_ask(
    monkeypatch: pytest.MonkeyPatch, corpus: Any, tmp_path: Path
) -> None:
    monkeypatch.setenv("UNISPEECH_TRACEBACK", "1")
    monkeypatch.setattr(sys, "argv", ["unispeech", "score", str(tmp_path / "none")])
    with pytest.raises((ValueError, OSError), match="none"):
        main()


def test_a_reader_who_has_gone_is_no_error_to_talk_about(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "unispeech_cli", "prepare", "--help"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")
