"""Which manifests a cell of the study is trained and tested on: nothing that a fold tests is heard before."""

import subprocess
from pathlib import Path

import pytest

LOCAL = Path(__file__).parents[2] / "local"
SCRIPT = """
set -euo pipefail
data=d parts=5 folds="1 2 3 4 5" librispeech_splits="train-clean-5 dev-clean-2 test-clean"
tested=$'it\\nsv' vocab=shared source=en hears= target= labels=all fold=0
. {local}/study/manifests.sh
{script}
"""


def printed(script: str) -> list[str]:
    done = subprocess.run(
        ["bash", "-c", SCRIPT.format(local=LOCAL, script=script)], capture_output=True, text=True, check=True
    )
    return [line.removesuffix(".jsonl.gz") for line in done.stdout.split()]


@pytest.mark.parametrize(("fold", "dev"), [(1, 2), (4, 5), (5, 1)])
def test_a_fold_tests_one_part_and_learns_from_three(fold, dev):
    parts = {split: printed(f"target=it fold={fold}; tuned_on {split}") for split in ("train", "dev", "test")}
    assert parts["test"] == [f"d/it/cv-it_cuts_part-{fold}"]
    assert parts["dev"] == [f"d/it/cv-it_cuts_part-{dev}"]
    assert parts["train"] == [f"d/it/cv-it_cuts_part-{n}" for n in range(1, 6) if n not in (fold, dev)]


def test_what_a_fold_tests_of_any_target_is_not_heard():
    heard = printed("fold=2 hears=de+it+sv+en; heard")
    own = [f"d/manifests/cv-{code}_cuts_part-{n}" for code in ("it", "sv") for n in (1, 3, 4, 5)]
    assert heard == ["d/manifests/cv-de_cuts_validated", *own, "d/manifests/cv-en_cuts_train"]


def test_targets_with_a_test_of_their_own():
    assert printed("target=it labels=10min; tuned_on train; tuned_on dev; tuned_on test") == [
        f"d/it/cv-it_cuts_{split}" for split in ("10min", "dev", "test")
    ]
    assert printed("folds=; target_splits") == ["train", "dev", "test"]
    assert printed("hears=it; heard") == ["d/manifests/cv-it_cuts_train"]
    assert printed("target=ky+nl vocab=separate; tuned_on test") == [
        f"d/ky+nl-separate/cv-{code}_cuts_test" for code in ("ky", "nl")
    ]


def test_splits_as_their_corpora_call_them():
    assert printed("cuts m train librispeech tedlium; cuts m dev librispeech; cuts m 10min librispeech") == [
        *("d/m/librispeech_cuts_train-clean-5", "d/m/tedlium_cuts_train"),
        *("d/m/librispeech_cuts_dev-clean-2", "d/m/librispeech_cuts_10min"),
    ]
