"""decode and transcribe by two processes that know of each other, as torchrun starts them."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import torch
import yaml

from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.model.encoder import EncoderSettings
from unispeech_cli.model.frontend import FrontendSettings
from unispeech_cli.model.recognizer import Recognizer, RecognizerSettings
from unispeech_cli.paths import CheckpointDir
from unispeech_cli.records import Text
from unispeech_cli.stages.transcribe import transcribe
from unispeech_cli.trainer.checkpoint import Identity, Position, save

TABLE = TokenTable(("<blk>", "a", "b", "k", "ʎ"))
SIZE = RecognizerSettings(
    FrontendSettings(channels=8),
    EncoderSettings(layers=0, dim=16, heads=2, ffn_dim=16, position_kernel=4, position_groups=2),
)
# commands one after the other in one process: what takes longest is to start it
SCRIPT = """
import json, os, sys
from unispeech_cli.cli import app
from unispeech_cli.trainer.distributed import join
for port, command in json.loads(sys.argv[1]):
    os.environ["MASTER_PORT"] = str(port)
    if command == ["join"]:
        join("cpu")
        os._exit(0)
    try:
        app(command, standalone_mode=False)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
    print("--", flush=True)
"""


def recognizer(root: Path) -> Path:
    torch.manual_seed(5)
    model = Recognizer(SIZE, len(TABLE))
    with torch.no_grad():
        model.head.weight.mul_(20)
    settings = yaml.safe_dump({"model": dataclasses.asdict(SIZE)})
    save(CheckpointDir(root / "best"), model, Position(3, 3), Identity(settings, TABLE))
    return root


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def both(*commands: Sequence[Sequence[object]]) -> list[tuple[list[str], str]]:
    """Run two processes; each command is given once for both, or for each its own. Outputs by command, and stderr."""
    steps = [(free_port(), [[*map(str, one)] for one in (command * 2)[:2]]) for command in commands]
    started = []
    for rank in (0, 1):
        ranks = {
            "WORLD_SIZE": 2,
            "RANK": rank,
            "LOCAL_RANK": rank,
            "MASTER_ADDR": "127.0.0.1",
            "OMP_NUM_THREADS": 1,
        }
        mine = json.dumps([(port, step[rank]) for port, step in steps])
        environment = {**os.environ, **{name: str(value) for name, value in ranks.items()}}
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", SCRIPT, mine],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    ended = [process.communicate(timeout=300) for process in started]
    return [(out.split("--\n"), err) for out, err in ended]


def test_recordings_are_shared_and_told_in_their_order(tmp_path: Path) -> None:
    exp, talks, out = recognizer(tmp_path / "exp"), tmp_path / "talks", tmp_path / "out"
    talks.mkdir()
    for number in range(5):
        noise = np.random.default_rng(number).normal(scale=0.1, size=16_000 + 2_000 * number)
        soundfile.write(talks / f"t{number}.wav", noise, 16_000)
    alone = [one.text for one in transcribe([str(talks)], exp) if isinstance(one, Text)]
    # the second process has this one
    (talks / "t3.wav").write_bytes(b"RIFF")
    run = ["transcribe", talks, "--exp", exp]
    files = [*run, "--out", out]
    stdin = ["transcribe", "-", "--exp", exp]
    (first, first_said), (second, second_said) = both([run], [files], [files], [stdin], [run, ["join"]])
    whole = [text for number, text in enumerate(alone) if number != 3]
    assert first == ["".join(whole), "", "", "", "", ""] and "".join(second) == ""
    assert {path.name: path.read_text() for path in out.iterdir() if path.suffix == ".txt"} == {
        f"t{number}.txt": text for number, text in enumerate(alone) if number != 3
    }
    assert first_said.count("t3.wav: ") == 3
    assert first_said.count("error: 1 of 5 recordings failed") == 2
    # again only what had failed is tried
    assert f"{out}: 4 of 5 recordings are done; 1 to do" in first_said
    assert "error: 1 of 1 recordings failed" in first_said
    assert "error: -: standard input cannot be shared by 2 processes; name files" in second_said
    # one who is alone all at once says so, and no text of a half
    assert "error: rank 0 lost the other ranks" in first_said
