from pathlib import Path

import pytest

from unispeech_cli.search.space import override, read_space

ROOT = Path(__file__).parent.parent.parent


def space(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_ranges_are_read_as_they_are_written(tmp_path: Path) -> None:
    text = (
        "pretrain: {optim.lr: {low: 1e-4, high: 1e-2, log: true}, replace.r: {choices: [0, 0.5]}}\ntrials: 3"
    )
    read = read_space(space(tmp_path / "space.yaml", text))
    (_, lr, rates), (_, r, shares) = read.named()
    assert (lr, rates.low, rates.high, rates.log) == ("optim.lr", 1e-4, 1e-2, True)
    assert (r, shares.choices, read.settings.trials) == ("replace.r", (0, 0.5), 3)
    assert [override(r, value) for value in (0.5, True, None, "bf16")] == [
        "replace.r=0.5",
        "replace.r=true",
        "replace.r=null",
        'replace.r="bf16"',
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("trial: 3", "unknown setting trial; did you mean trials?"),
        ("trials: 3", "nothing to search"),
        ("trials: 0", "at least 1"),
        ("pretrain: {optim.lr: {lo: 1, high: 2}}", "pretrain: optim.lr: .*unknown setting lo; did you mean low"),
        ("pretrain: {optim.lr: {low: 2, high: 1}}", "pretrain: optim.lr: .*a range needs low and, above it, high"),
        ("pretrain: {optim.lr: {low: 0, high: 1, log: true}}", "low above 0"),
        ("pretrain: {optim.lr: {low: 0, high: 1, choices: [2]}}", "either choices, or low and high"),
        ("finetune: {optim.lr: 3}", "finetune: optim.lr is 3; expected low and high, or choices"),
        ("finetune: [optim.lr]", "setting finetune"),
        ("prune: {afterr: 1}", "did you mean prune.after?"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        read_space(space(tmp_path / "space.yaml", text))


def test_the_studys_space_is_one() -> None:
    named = {(stage, name) for stage, name, _ in read_space(ROOT / "recipes/study/conf/sweep.yaml").named()}
    assert {("pretrain", "replace.r"), ("pretrain", "objective.alpha"), ("finetune", "optim.lr")} <= named
