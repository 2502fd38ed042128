import dataclasses

import pytest
import torch

from unispeech_cli.batches.batch import Batch, Example, collate
from unispeech_cli.model.unispeech import Output, UniSpeech, UniSpeechSettings
from unispeech_cli.objective.contrastive import ContrastiveSettings, contrastive_loss, diversity_loss
from unispeech_cli.objective.unispeech import ObjectiveSettings, UniSpeechObjective
from unispeech_cli.settings import build

SMALL = {
    "frontend": {"channels": 8},
    "encoder": {
        "layers": 1,
        "dim": 16,
        "heads": 2,
        "ffn_dim": 16,
        "position_kernel": 4,
        "position_groups": 2,
    },
    "quantizer": {"groups": 2, "entries": 4, "dim": 8},
}


def made(labelled: tuple[bool, ...]) -> tuple[Output, Batch, UniSpeech]:
    torch.manual_seed(0)
    model = UniSpeech(build(UniSpeechSettings, SMALL), num_tokens=6)
    tokens = [torch.tensor([1, 2, 3, 3, 5]) if flag else None for flag in labelled]
    examples = [Example(str(i), "en", torch.randn(9000 - 1000 * i), token) for i, token in enumerate(tokens)]
    batch = collate(examples)
    return model(batch.wave_BS, batch.wave_lengths_B), batch, model


def by_definition(output: Output, batch: Batch, settings: ObjectiveSettings) -> torch.Tensor:
    """L of section 3.4, utterance by utterance."""
    contrast = contrastive_loss(
        output.context_BTD, output.quantized_BTD, output.codes.code_BTG, output.mask_BT, output.frame_lengths_B,
        settings.contrastive,
    )  # fmt: skip
    inside = torch.arange(output.mask_BT.shape[1]) < output.frame_lengths_B[:, None]
    diversity = diversity_loss(output.codes.prob_BTGV[inside], settings.diversity_form)
    total = torch.zeros(())
    for row, labelled in enumerate(batch.labelled_B.tolist()):
        unsupervised = contrast.loss_B[row] + settings.diversity * output.mask_BT[row].sum() * diversity
        if not labelled:
            total = total + unsupervised
            continue
        ctc = torch.nn.functional.ctc_loss(
            output.logit_BTV[row, : output.frame_lengths_B[row]].log_softmax(-1)[:, None],
            batch.token_BL[row, : batch.token_lengths_B[row]][None],
            output.frame_lengths_B[row : row + 1],
            batch.token_lengths_B[row : row + 1],
            reduction="sum",
        )
        total = total + settings.alpha * ctc + (1 - settings.alpha) * unsupervised
    return total / output.mask_BT.sum()


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("labelled", [(True, True), (True, False), (False, False)])
def test_equals_the_paper_row_by_row(alpha: float, labelled: tuple[bool, ...]) -> None:
    output, batch, _ = made(labelled)
    settings = ObjectiveSettings(alpha=alpha, contrastive=ContrastiveSettings(distractors=20))
    torch.manual_seed(1)
    losses = UniSpeechObjective(settings)(output, batch)
    torch.manual_seed(1)
    expected = by_definition(output, batch, settings)
    torch.testing.assert_close(losses.total / losses.count, expected, rtol=1e-4, atol=1e-5)


def test_labelled_rows_reach_every_part_of_the_model() -> None:
    output, batch, model = made((True, False))
    UniSpeechObjective(ObjectiveSettings())(output, batch).total.backward()
    still = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert still == []


def test_supervised_pretraining_leaves_the_codebook_alone() -> None:
    output, batch, _ = made((True, True))
    losses = UniSpeechObjective(ObjectiveSettings(alpha=1.0))(output, batch)
    assert set(losses.terms) == {"ctc"}


def test_the_watched_figures_are_codebook_health() -> None:
    output, batch, _ = made((True, False))
    watched = UniSpeechObjective(ObjectiveSettings())(output, batch).watched
    assert 2 <= watched["code_perplexity"] <= 8
    assert 0 <= watched["same_code_share"] <= 1


def test_alpha_zero_without_a_quantizer_has_nothing_to_train() -> None:
    output, batch, _ = made((True, True))
    bare = Output(output.context_BTD, None, None, output.mask_BT, output.logit_BTV, output.frame_lengths_B)
    with pytest.raises(ValueError, match="nothing to train"):
        UniSpeechObjective(ObjectiveSettings(alpha=0.0))(bare, batch)


def test_without_masks_ctc_is_counted_in_frames() -> None:
    output, batch, _ = made((True, True))
    nothing = torch.zeros_like(output.mask_BT)
    unmasked = dataclasses.replace(output, mask_BT=nothing)
    losses = UniSpeechObjective(ObjectiveSettings(alpha=1.0))(unmasked, batch)
    assert int(losses.count) == int(output.frame_lengths_B.sum())
