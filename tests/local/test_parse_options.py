"""Options of the shell scripts: what a Kaldi hand types, and what is refused."""

import subprocess
from pathlib import Path

import pytest

LOCAL = Path(__file__).parents[2] / "local"
SCRIPT = f"""set -euo pipefail
stage=0
stop_stage=7
dl_dir=download
transcode=false
help_message="Usage: recipe [--stage N]"
. {LOCAL}/parse_options.sh
echo "$stage $stop_stage $dl_dir $transcode" "$@"
"""


def recipe(*options: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-c", SCRIPT, "recipe", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=20)


@pytest.mark.parametrize(
    "options, said",
    [
        ([], "0 7 download false"),
        (["--stage", "2", "--stop-stage", "4"], "2 4 download false"),
        (["--stop_stage", "4"], "0 4 download false"),
        (["--stage", "-1", "--transcode", "true"], "-1 7 download true"),
        (["--dl-dir", "a folder", "rest", "--stage", "2"], "0 7 a folder false rest --stage 2"),
        (["--dl-dir", "", "--", "--rest"], "0 7  false --rest"),
    ],
)
def test_options_set_variables(options: list[str], said: str) -> None:
    assert recipe(*options).stdout == said + "\n"


@pytest.mark.parametrize(
    "options, refusal",
    [
        (["--stage=2"], "write --stage 2 (a space, no =)"),
        (["--stags", "2"], "invalid option --stags"),
        (["--HOME", "2"], "invalid option --HOME"),
        (["-s", "2"], "invalid option -s"),
        (["--stage"], "option --stage needs a value"),
        (["--stage", "--stop-stage", "2"], "option --stage needs a value"),
        (["--transcode", "yes"], "option --transcode is true or false, not yes"),
        (["--config", "absent.sh"], "--config absent.sh: no such file"),
    ],
)
def test_refusals_exit_1(options: list[str], refusal: str) -> None:
    run = recipe(*options)
    assert (run.returncode, run.stdout, run.stderr) == (1, "", f"recipe: {refusal}\n")


def test_config_gives_way_to_the_command_line(tmp_path: Path) -> None:
    config = tmp_path / "config.sh"
    config.write_text("stage=3\nstop_stage=5\n")
    assert recipe("--stage", "4", "--config", str(config)).stdout == "4 5 download false\n"


def test_help_prints_the_message() -> None:
    run = recipe("--stage", "2", "--help")
    assert (run.returncode, run.stdout) == (0, "Usage: recipe [--stage N]\n")
