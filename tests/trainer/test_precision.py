from collections.abc import Iterator

import pytest
import torch

from unispeech_cli.batches.batch import Batch, Example, collate
from unispeech_cli.model.unispeech import UniSpeech, UniSpeechSettings
from unispeech_cli.objective.contrastive import ContrastiveSettings
from unispeech_cli.objective.unispeech import ObjectiveSettings, UniSpeechObjective
from unispeech_cli.settings import build
from unispeech_cli.trainer.distributed import ALONE, Exchange
from unispeech_cli.trainer.loop import Machine, Step, fit
from unispeech_cli.trainer.optim import OptimSettings, make_optimizer
from unispeech_cli.trainer.precision import FIRST_SCALE, PATIENCE, LossScale, Precision

CPU = torch.device("cpu")
SMALL = {
    "frontend": {"channels": 16},
    "encoder": {
        "layers": 2,
        "dim": 16,
        "heads": 2,
        "ffn_dim": 32,
        "position_kernel": 8,
        "position_groups": 2,
    },
    "quantizer": {"groups": 2, "entries": 8, "dim": 8},
}


def network(**differences: object) -> UniSpeech:
    torch.manual_seed(0)
    return UniSpeech(build(UniSpeechSettings, {**SMALL, **differences}), num_tokens=4)


def heard() -> Batch:
    """Tones that can be learnt, one of them without its labels."""
    random = torch.Generator().manual_seed(0)
    examples = []
    for n in range(4):
        tone_S = torch.sin(torch.arange(6000) * (0.05 + 0.1 * n)) + 0.01 * torch.randn(6000, generator=random)
        examples.append(Example(f"cut-{n}", "en", tone_S, None if n == 3 else torch.tensor([1 + n])))
    return collate(examples)


def train(model: UniSpeech, precision: Precision, first: int, last: int) -> Iterator[Step]:
    optim = OptimSettings(lr=1e-2)
    return fit(
        model,
        UniSpeechObjective(ObjectiveSettings(contrastive=ContrastiveSettings(distractors=20))),
        iter([heard()] * (last - first)),
        make_optimizer(model, optim),
        first=first,
        last=last,
        batches_per_update=1,
        clip=optim.clip,
        before_update=lambda update: optim.lr,
        seed=1,
        machine=Machine(ALONE, precision, Exchange(ALONE, 0)),
    )


@pytest.mark.parametrize("norm", ["group", "layer"])
@pytest.mark.parametrize("pre_norm", [False, True])
def test_what_decides_is_float32_and_the_rest_is_not(norm: str, pre_norm: bool) -> None:
    frontend, encoder = {**SMALL["frontend"], "norm": norm}, {**SMALL["encoder"], "pre_norm": pre_norm}
    model, batch = network(frontend=frontend, encoder=encoder), heard()
    widths = {}
    for name, module in model.named_modules():
        if name.endswith((".expand", "layers.3", "project_codes")):
            module.register_forward_hook(
                lambda module, inputs, output, name=name: widths.update({name: output})
            )
    with Precision("bf16", CPU).autocast():
        output = model(batch.wave_BS, batch.wave_lengths_B, seeds=(1, 2, 3, 4))
    narrow = {name: (out[0] if isinstance(out, tuple) else out).dtype for name, out in widths.items()}
    assert set(narrow.values()) == {torch.bfloat16} and len(narrow) == 4
    wide = (output.logit_BTV, output.codes.prob_BTGV, output.codes.vector_BTE)
    assert {tensor.dtype for tensor in wide} == {torch.float32}
    losses = UniSpeechObjective(ObjectiveSettings())(output, batch)
    assert {term.dtype for term in losses.terms.values()} == {torch.float32}
    losses.total.backward()
    assert {weight.grad.dtype for weight in model.parameters()} == {torch.float32}


def test_bf16_learns_along_the_curve_of_float32() -> None:
    dropout = dict.fromkeys(("input_dropout", "feature_dropout", "final_dropout"), 0.0)
    encoder = {**SMALL["encoder"], "pre_norm": True, "dropout": 0.0, "attention_dropout": 0.0}
    curves = []
    for kind in ("float32", "bf16"):
        model = network(encoder=encoder, **dropout)
        model.replace = 0.0
        curves.append([step.losses for step in train(model, Precision(kind, CPU), 0, 50)])
    for name in ("ctc", "contrastive"):
        exact_U, rounded_U = (torch.tensor([losses[name] for losses in curve]) for curve in curves)
        assert abs(float(rounded_U[0] / exact_U[0]) - 1) < 0.03, name
        assert abs(float(rounded_U.mean() / exact_U.mean()) - 1) < 0.1, name
    ctc_U = torch.tensor([losses["ctc"] for losses in curves[1]])
    assert ctc_U[-10:].mean() < 0.8 * ctc_U[:10].mean()


def test_fp16_has_no_use_for_a_cpu() -> None:
    with pytest.raises(ValueError, match="fp16 needs a GPU; on a CPU there are float32 and bf16"):
        Precision("fp16", CPU)


def test_the_scale_is_halved_by_an_overflow_and_doubled_in_quiet() -> None:
    scale = LossScale()
    scale.learn(overflow=True)
    assert scale.value == FIRST_SCALE / 2
    for _ in range(PATIENCE - 1):
        scale.learn(overflow=False)
    again = LossScale()
    again.restore(scale.state())
    for one in (scale, again):
        one.learn(overflow=False)
        assert one.value == FIRST_SCALE
    still = LossScale(1.0, moves=False)
    still.learn(overflow=True)
    still.restore(scale.state())
    assert (still.value, still.state()) == (1.0, {})


def test_a_scale_of_less_than_one_is_the_end() -> None:
    with pytest.raises(ValueError, match="gradients overflow even as they are; use bf16"):
        LossScale(1.5).learn(overflow=True)


def test_an_overflow_costs_its_update_and_no_scale_shows_in_the_weights() -> None:
    plain, scaled = network(), network()
    before = {name: weight.clone() for name, weight in scaled.named_parameters()}
    precision = Precision("float32", CPU)
    # far beyond what float32 gradients hold, then not
    precision.loss_scale = LossScale(2.0**127)
    steps = train(scaled, precision, 0, 40)
    first = next(steps)
    assert (first.skipped, first.faults, first.faulty, first.gradient_norm) == (True, (), 0, 0.0)
    assert all(torch.equal(weight, before[name]) for name, weight in scaled.named_parameters())
    tried = 1 + sum(1 for _ in iter(lambda: next(steps).skipped, False))
    assert precision.loss_scale.value == 2.0 ** (127 - tried) and 1 < tried < 40
    # the very update without a scale
    (step,) = train(plain, Precision("float32", CPU), tried, tried + 1)
    assert not step.skipped
    for name, weight in plain.named_parameters():
        torch.testing.assert_close(dict(scaled.named_parameters())[name], weight, rtol=1e-4, atol=1e-6)
