"""Two processes as torchrun starts them: one model, and the end when one of them dies."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from unispeech_cli.paths import ExpDir
from unispeech_cli.stages.pretrain import PretrainInputs, pretrain
from unispeech_cli.trainer.journal import read_lines

# without the last two options torchrun of torch 1.13 does not start on Python 3.11
TORCHRUN = (
    "-m torch.distributed.run --standalone --nproc_per_node 2 --monitor_interval 1 --redirects 9:1 --tee 9:1"
)


def workers(launcher: subprocess.Popen[str]) -> dict[int, int]:
    """Process ids by rank."""
    found = {}
    for child in Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split():
        rank = re.search(rb"\0RANK=(\d+)\0", Path(f"/proc/{child}/environ").read_bytes())
        if rank:
            found[int(rank[1])] = int(child)
    return found


def test_a_rank_that_dies_ends_the_job_and_another_number_of_ranks_does_not_go_on(
    corpus: Any, minute: list[str], tmp_path: Path
) -> None:
    exp = ExpDir(tmp_path / "exp")
    settings = [*minute, "run.updates=5000", "run.validations=1", "run.save_every=2"]
    command = [sys.executable, *TORCHRUN.split(), "-m", "unispeech_cli", "pretrain", exp.root]
    data = ["--labeled", corpus.train, "--unlabeled", corpus.unlabelled, "--dev", corpus.dev]
    given = ["--lang-dir", corpus.lang_dir, *data, *(f"--set={setting}" for setting in settings)]
    launcher = subprocess.Popen(
        [str(part) for part in [*command, *given]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 300
    while not exp.checkpoint(2).root.exists():
        assert launcher.poll() is None and time.monotonic() < deadline, launcher.communicate()[1]
        time.sleep(0.05)
    os.kill(workers(launcher)[1], signal.SIGKILL)
    said = launcher.communicate(timeout=120)[1]
    assert launcher.returncode == 1
    assert "an update: 2 ranks x 1 batch of 10 s" in said.splitlines()
    assert re.search(
        r"^unispeech: rank 0 lost the other ranks \(.*\); what ended them is said by them$", said, re.M
    )
    assert re.search(r"rank +: 1 .*\n.*exitcode +: -9", said)
    assert [line["update"] for line in read_lines(exp.metrics)][:2] == [1, 2]
    # alone a batch would hold 20 s
    inputs = PretrainInputs([corpus.train], [corpus.unlabelled], [corpus.dev])
    with pytest.raises(
        ValueError, match=r"in batches of 10 s, and on 1 rank they hold 20 s: its place in the"
    ):
        list(pretrain(exp.root, corpus.lang_dir, inputs, overrides=settings))
