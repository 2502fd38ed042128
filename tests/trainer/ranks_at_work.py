"""What one process of several does in test_distributed.py: `python ranks_at_work.py OUT`, with torchrun's variables.

Every scenario is an update or more of a small UniSpeech, by plain gradient descent at rate 1, on batches that are
dealt to the ranks in turn. What comes of it: by scenario and name of the weight, what it lost, which is its gradient.
"""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from unispeech_cli.batches.batch import Batch, Example, collate
from unispeech_cli.model.unispeech import UniSpeech, UniSpeechSettings
from unispeech_cli.objective.contrastive import ContrastiveSettings
from unispeech_cli.objective.unispeech import ObjectiveSettings, UniSpeechObjective
from unispeech_cli.settings import build
from unispeech_cli.trainer.distributed import Exchange, Ranks, join
from unispeech_cli.trainer.loop import Machine, Step, fit
from unispeech_cli.trainer.precision import Precision

ENCODER = {
    "layers": 2,
    "dim": 8,
    "heads": 2,
    "ffn_dim": 8,
    "position_kernel": 4,
    "position_groups": 2,
    "dropout": 0.0,
    "attention_dropout": 0.0,
}
SMALL = {
    "frontend": {"channels": 8},
    "quantizer": {"groups": 2, "entries": 5, "dim": 4},
    "mask": {"probability": 0.65, "length": 2},
    "input_dropout": 0.0,
    "feature_dropout": 0.0,
    "final_dropout": 0.0,
}
PLAIN = ObjectiveSettings(diversity=0.0, contrastive=ContrastiveSettings(distractors=5))
DIVERSE = dataclasses.replace(PLAIN, diversity=1.0)
LABELLED = {0, 1, 4}
# batches of one update: utterances by number, None where nothing of a batch could be read
EIGHT, FOURS, TWOS = [range(8)], [range(4), range(4, 8)], [range(n, n + 2) for n in range(0, 8, 2)]
LACKING = [range(4), None]

Update = Sequence[Sequence[int] | None]


def batch(utterances: Sequence[int]) -> Batch:
    examples = []
    for n in utterances:
        wave_S = torch.randn(2000 + 300 * n, generator=torch.Generator().manual_seed(n))
        tokens = torch.tensor([1 + n % 3, 2]) if n in LABELLED else None
        examples.append(Example(f"cut-{n}", "en", wave_S.double(), tokens))
    return collate(examples)


def model(layerdrop: float) -> UniSpeech:
    torch.manual_seed(0)
    encoder = {**ENCODER, "layerdrop": layerdrop}
    return UniSpeech(build(UniSpeechSettings, {**SMALL, "encoder": encoder}), num_tokens=4).double()


def train(
    ranks: Ranks, update: Update, objective: ObjectiveSettings, updates: int = 1, layerdrop: float = 0.0
) -> tuple[dict[str, Tensor], Step]:
    trained, before = model(layerdrop), dict(model(layerdrop).named_parameters())
    own = [None if some is None else batch(some) for some in update[ranks.rank :: ranks.size]]
    quantizer = trained.settings.quantizer
    exchange = Exchange(ranks, quantizer.groups * quantizer.entries + 2)
    *_, step = fit(
        trained,
        UniSpeechObjective(objective, exchange),
        iter(own * updates),
        torch.optim.SGD(trained.parameters(), lr=0.0),
        first=0,
        last=updates,
        batches_per_update=len(own),
        clip=1e9,
        before_update=lambda update: 1.0,
        seed=1,
        machine=Machine(ranks, Precision("float32", ranks.device), exchange),
    )
    lost = {name: (before[name] - weight).detach() for name, weight in trained.named_parameters()}
    figures = {"loss": step.total, "norm": step.gradient_norm, "speech": step.speech, **step.watched}
    return {**lost, **{f"step.{name}": torch.tensor(value) for name, value in figures.items()}}, step


def scenarios(ranks: Ranks) -> dict[str, dict[str, Tensor]]:
    """What every number of ranks can do."""
    return {
        "fours": train(ranks, FOURS, PLAIN)[0],
        "twos": train(ranks, TWOS, PLAIN)[0],
        "diverse fours": train(ranks, FOURS, DIVERSE)[0],
        "diverse twos": train(ranks, TWOS, DIVERSE)[0],
        "lacking": train(ranks, LACKING, DIVERSE)[0],
        "supervised": train(ranks, TWOS, dataclasses.replace(PLAIN, alpha=1.0))[0],
        "layerdrop": train(ranks, TWOS, DIVERSE, updates=5, layerdrop=0.6)[0],
    }


def main(out: Path) -> None:
    ranks = join("cpu")
    found = scenarios(ranks)
    assert ranks.texts("é" * ranks.rank) == ["", "é"] and ranks.texts("") == ["", ""]
    assert ranks.any(ranks.rank == 1) and not ranks.any(False)
    flat = {f"{scenario}/{name}": value for scenario, some in found.items() for name, value in some.items()}
    save_file(flat, out / f"{ranks.rank}.safetensors")
    list(ranks.records(iter([])))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
