import dataclasses
import itertools
from types import SimpleNamespace

import pytest
import torch

from unispeech_cli.batches.batch import Batch, Example, collate
from unispeech_cli.model.unispeech import Output, UniSpeech, UniSpeechSettings
from unispeech_cli.objective.contrastive import ContrastiveSettings
from unispeech_cli.objective.unispeech import ObjectiveSettings, UniSpeechObjective
from unispeech_cli.settings import build
from unispeech_cli.trainer.loop import Machine, fit

SMALL = {
    "frontend": {"channels": 8},
    "encoder": {
        "layers": 1,
        "dim": 8,
        "heads": 2,
        "ffn_dim": 8,
        "position_kernel": 4,
        "position_groups": 2,
        "dropout": 0.0,
        "attention_dropout": 0.0,
    },
    "quantizer": {"groups": 2, "entries": 3, "dim": 4},
    "mask": {"probability": 0.65, "length": 2},
    "input_dropout": 0.0,
    "feature_dropout": 0.0,
    "final_dropout": 0.0,
}
# 6, 4 and 5 frames: few enough for CTC over all paths
SAMPLES = (2000, 1500, 1700)


def small(**differences: object) -> UniSpeech:
    torch.manual_seed(0)
    return UniSpeech(build(UniSpeechSettings, {**SMALL, **differences}), num_tokens=4)


def some(labelled: tuple[bool, ...]) -> Batch:
    random = torch.Generator().manual_seed(len(labelled))
    tokens = [torch.tensor([[1, 2, 2], [3], [2, 1]][i]) if flag else None for i, flag in enumerate(labelled)]
    waves = [torch.randn(SAMPLES[i], generator=random) for i in range(len(labelled))]
    return collate([Example(str(i), "en", waves[i], tokens[i]) for i in range(len(labelled))])


def made(labelled: tuple[bool, ...], **differences: object) -> tuple[Output, Batch, UniSpeech]:
    model, batch = small(**differences), some(labelled)
    return model(batch.wave_BS, batch.wave_lengths_B), batch, model


def both(oracle: SimpleNamespace, output: Output, batch: Batch, settings: ObjectiveSettings):
    """Our losses and the utterances of the definition, with the same distractors."""
    torch.manual_seed(1)
    losses = UniSpeechObjective(settings)(output, batch)
    torch.manual_seed(1)
    return losses, oracle.rows(output, batch, settings.contrastive)


LABELLED, MIXED, UNLABELLED = (True, True), (True, False, True), (False, False)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("labelled", [LABELLED, MIXED, UNLABELLED])
def test_every_term_equals_its_definition(
    oracle: SimpleNamespace, alpha: float, labelled: tuple[bool, ...]
) -> None:
    output, batch, _ = made(labelled)
    kinds = itertools.product(("perplexity", "entropy"), ("all", "masked"), ("masked", "all"))
    for form, frames, candidates in kinds:
        contrast = ContrastiveSettings(distractors=7, candidates=candidates)
        settings = ObjectiveSettings(alpha, 0.1, form, frames, contrast)
        losses, rows = both(oracle, output, batch, settings)
        expected = {
            name: value for name, value in oracle.terms(rows, settings).items() if name in losses.terms
        }
        assert {name: term.item() for name, term in losses.terms.items()} == pytest.approx(expected, rel=1e-4)
        assert (losses.total / losses.count).item() == pytest.approx(oracle.loss([rows], settings), rel=1e-4)


def test_two_draws_of_q_contrast_one_and_give_the_other_to_ctc(oracle: SimpleNamespace) -> None:
    output, batch, _ = made(MIXED, draws=2)
    settings = ObjectiveSettings(contrastive=ContrastiveSettings(distractors=7))
    losses, rows = both(oracle, output, batch, settings)
    assert not torch.equal(output.positive[1], output.codes.code_BTG)
    assert (losses.total / losses.count).item() == pytest.approx(oracle.loss([rows], settings), rel=1e-4)
    one_draw, _ = both(oracle, dataclasses.replace(output, positive=None), batch, settings)
    assert one_draw.terms["contrastive"].item() != pytest.approx(losses.terms["contrastive"].item(), rel=1e-3)


def test_l_is_divided_once_by_the_masked_frames_of_all_batches_of_an_update(oracle: SimpleNamespace) -> None:
    """Values, and the gradient that reaches the head, of `fit` over three batches: labelled, mixed, unlabelled."""
    settings = ObjectiveSettings(contrastive=ContrastiveSettings(distractors=7))
    batches = [some(LABELLED), some(MIXED), some(UNLABELLED)]
    model, objective = small(), UniSpeechObjective(settings)
    before = model.head.bias.detach().clone()
    update = []
    for batch in (batch.seeded(3, 0) for batch in batches):
        # drawn as in the first update of a training
        output = model(batch.wave_BS, batch.wave_lengths_B, seeds=batch.seeds)
        update.append(oracle.rows(output, batch, settings.contrastive))
    (step,) = fit(
        model,
        objective,
        iter(batches),
        torch.optim.SGD(model.parameters(), lr=0.0),
        first=0,
        last=1,
        batches_per_update=3,
        clip=1e9,
        before_update=lambda update: 1.0,
        seed=3,
        machine=Machine.alone(),
    )
    assert step.total == pytest.approx(oracle.loss(update, settings), rel=1e-4)

    def moved(bias_N):
        shifted = [[oracle.replace(row, logit_TN=row.logit_TN + bias_N) for row in rows] for rows in update]
        return oracle.loss(shifted, settings)

    gradient = [oracle.slope(moved, before.double().numpy() * 0, (n,)) for n in range(4)]
    assert (before - model.head.bias.detach()).tolist() == pytest.approx(gradient, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("labelled", [LABELLED, MIXED, UNLABELLED])
def test_gradients_of_l_are_its_finite_differences(
    oracle: SimpleNamespace, labelled: tuple[bool, ...]
) -> None:
    output, batch, _ = made(labelled)
    settings = ObjectiveSettings(contrastive=ContrastiveSettings(distractors=7))
    leaf = {
        name: tensor.detach().clone().requires_grad_()
        for name, tensor in {
            "context_TD": output.context_BTD,
            "target_TD": output.quantized_BTD,
            "prob_TGV": output.codes.prob_BTGV,
            "logit_TN": output.logit_BTV,
        }.items()
    }
    leaves = dataclasses.replace(
        output,
        context_BTD=leaf["context_TD"],
        quantized_BTD=leaf["target_TD"],
        codes=dataclasses.replace(output.codes, prob_BTGV=leaf["prob_TGV"]),
        logit_BTV=leaf["logit_TN"],
    )
    losses, rows = both(oracle, leaves, batch, settings)
    (losses.total / losses.count).backward()
    random = torch.Generator().manual_seed(0)
    for name, tensor in leaf.items():
        for row, length in enumerate(output.frame_lengths_B.tolist()):
            assert not tensor.grad[row, length:].any()
            inside = tensor.grad[row, :length]
            for _ in range(6):
                place = tuple(int(torch.randint(size, (), generator=random)) for size in inside.shape)

                def moved(values, row=row, name=name):
                    changed = {name: values, **({"positive_TD": values} if name == "target_TD" else {})}
                    rest = [oracle.replace(r, **changed) if i == row else r for i, r in enumerate(rows)]
                    return oracle.loss([rest], settings)

                expected = oracle.slope(moved, getattr(rows[row], name), place)
                assert float(inside[place]) == pytest.approx(expected, rel=1e-3, abs=2e-5), (name, row, place)


def test_the_gradient_of_the_whole_model_is_the_slope_of_l(oracle: SimpleNamespace) -> None:
    """Along a random direction in every parameter: wave to L, in doubles, half of the frames mixed."""
    batch = some(MIXED)
    model = small().double().eval()
    model.mixes_in_evaluation = True
    wave_BS, settings = (
        batch.wave_BS.double(),
        ObjectiveSettings(contrastive=ContrastiveSettings(distractors=7)),
    )
    torch.manual_seed(2)
    first = model(wave_BS, batch.wave_lengths_B)
    swapped_BT = torch.rand(first.mask_BT.shape) < 0.5

    def output() -> Output:
        return model(wave_BS, batch.wave_lengths_B, first.mask_BT, swapped_BT=swapped_BT)

    losses, _ = both(oracle, output(), batch, settings)
    (losses.total / losses.count).backward()

    @torch.no_grad()
    def at(parameter, direction, step: float) -> float:
        parameter += step * direction
        torch.manual_seed(1)
        value = oracle.loss([oracle.rows(output(), batch, settings.contrastive)], settings)
        parameter -= step * direction
        return value

    for name, parameter in model.named_parameters():
        direction = torch.randn_like(parameter) / parameter.numel() ** 0.5
        slope = (at(parameter, direction, 1e-4) - at(parameter, direction, -1e-4)) / 2e-4
        ours = 0.0 if parameter.grad is None else float((parameter.grad * direction).sum())
        assert ours == pytest.approx(slope, rel=5e-3, abs=1e-4), name


def test_an_utterance_without_masked_frames_has_its_ctc_alone(oracle: SimpleNamespace) -> None:
    output, batch, _ = made(MIXED)
    for row in range(3):
        output.mask_BT[row] = False
        settings = ObjectiveSettings(contrastive=ContrastiveSettings(distractors=7))
        losses, rows = both(oracle, output, batch, settings)
        if row < 2:
            assert (losses.total / losses.count).item() == pytest.approx(
                oracle.loss([rows], settings), rel=1e-4
            )
            assert int(losses.count) == int(output.mask_BT[row + 1 :].sum())
    assert losses.terms["contrastive"].item() == losses.terms["diversity"].item() == 0.0


def test_a_lone_masked_frame_is_counted_but_has_nothing_to_be_told_from(oracle: SimpleNamespace) -> None:
    output, batch, _ = made(UNLABELLED)
    output.mask_BT[1] = False
    output.mask_BT[1, 2] = True
    settings = ObjectiveSettings(contrastive=ContrastiveSettings(distractors=7))
    losses, rows = both(oracle, output, batch, settings)
    assert rows[1].drawn == () and rows[1].masked == (2,)
    assert (losses.total / losses.count).item() == pytest.approx(oracle.loss([rows], settings), rel=1e-4)


def test_what_lies_in_the_padding_changes_nothing() -> None:
    output, batch, _ = made(MIXED)
    outside = torch.arange(output.mask_BT.shape[1]) >= output.frame_lengths_B[:, None]
    assert outside.any()
    rubbish = dataclasses.replace(
        output,
        context_BTD=output.context_BTD.masked_fill(outside[:, :, None], 1e3),
        quantized_BTD=output.quantized_BTD.masked_fill(outside[:, :, None], -1e3),
        codes=dataclasses.replace(
            output.codes, prob_BTGV=output.codes.prob_BTGV.masked_fill(outside[:, :, None, None], 1.0)
        ),
        logit_BTV=output.logit_BTV.masked_fill(outside[:, :, None], 1e3),
    )
    settings = ObjectiveSettings(contrastive=ContrastiveSettings(distractors=7, candidates="all"))
    totals = []
    for kind in (output, rubbish):
        torch.manual_seed(1)
        totals.append(UniSpeechObjective(settings)(kind, batch).total.item())
    assert totals[0] == totals[1]


def test_labelled_rows_reach_every_part_of_the_model() -> None:
    output, batch, model = made((True, False))
    UniSpeechObjective(ObjectiveSettings())(output, batch).total.backward()
    still = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert still == []


def test_supervised_pretraining_leaves_the_codebook_alone() -> None:
    output, batch, _ = made(LABELLED)
    losses = UniSpeechObjective(ObjectiveSettings(alpha=1.0))(output, batch)
    assert set(losses.terms) == {"ctc"}


def test_the_watched_figures_are_codebook_health() -> None:
    output, batch, _ = made((True, False))
    watched = UniSpeechObjective(ObjectiveSettings())(output, batch).watched
    assert 2 <= watched["code_perplexity"] <= 6
    assert 0 <= watched["same_code_share"] <= 1


def test_alpha_zero_without_a_quantizer_has_nothing_to_train() -> None:
    output, batch, _ = made(LABELLED)
    bare = Output(output.context_BTD, None, None, output.mask_BT, output.logit_BTV, output.frame_lengths_B)
    with pytest.raises(ValueError, match="nothing to train"):
        UniSpeechObjective(ObjectiveSettings(alpha=0.0))(bare, batch)


def test_without_masks_ctc_is_counted_in_frames() -> None:
    output, batch, _ = made(LABELLED)
    nothing = torch.zeros_like(output.mask_BT)
    unmasked = dataclasses.replace(output, mask_BT=nothing)
    losses = UniSpeechObjective(ObjectiveSettings(alpha=1.0))(unmasked, batch)
    assert int(losses.count) == int(output.frame_lengths_B.sum())
