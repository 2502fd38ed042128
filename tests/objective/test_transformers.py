"""The contrastive objective against transformers' own loss of wav2vec 2.0, on the same network and distractors."""

from typing import Any

import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForPreTraining

from unispeech_cli.batches.batch import Example, collate
from unispeech_cli.model.quantizer import Codes
from unispeech_cli.model.unispeech import Output
from unispeech_cli.objective.contrastive import ContrastiveSettings, draw_distractors
from unispeech_cli.objective.unispeech import ObjectiveSettings, UniSpeechObjective

GROUPS, ENTRIES, DISTRACTORS = 2, 2, 20  # 4 codes for 7 masked frames: some distractor has the frame's own


def network() -> Any:
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(8,) * 7,
        feat_extract_norm="layer",
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        num_codevector_groups=GROUPS,
        num_codevectors_per_group=ENTRIES,
        codevector_dim=6,
        proj_codevector_dim=10,
        layerdrop=0.0,
    )
    return Wav2Vec2ForPreTraining(config).train()


def same_codes_same_vectors(model: Any) -> None:
    """Equal codes get vectors equal to the last bit, as transformers compares them.

    Left alone, the straight-through sum 1 - p + p and a product summed in another order differ between frames
    by a rounding, which one depends on the processor. Multiples of 1/64 are summed exactly in any order.
    """
    quantizer, project = model.quantizer, model.project_q
    for weight in (quantizer.codevectors, project.weight, project.bias):
        weight.data = grid(weight.data)
    quantizer.register_forward_hook(lambda module, inputs, output: (snapped(output[0]), output[1]))


def grid(x: torch.Tensor) -> torch.Tensor:
    return (x * 64).round() / 64


def snapped(x: torch.Tensor) -> torch.Tensor:
    return x + (grid(x) - x).detach()


def distractors(mask_BT: torch.Tensor, lengths: list[int]) -> torch.Tensor:
    """What our objective draws next, as transformers wants it: (B, T, K), counted through the whole batch."""
    index_BTK = torch.zeros(*mask_BT.shape, DISTRACTORS, dtype=torch.long)
    for row, length in enumerate(lengths):
        masked = mask_BT[row, :length].nonzero()[:, 0]
        drawn = masked[draw_distractors(masked, masked, DISTRACTORS)]
        index_BTK[row, masked] = drawn + row * mask_BT.shape[1]
    return index_BTK


@pytest.mark.parametrize("seed", [1, 2])
def test_the_loss_and_all_its_gradients_are_those_of_transformers(seed: int) -> None:
    model, lengths = network(), [18, 12]
    batch = collate(
        [Example(str(n), "", torch.randn(samples), None) for n, samples in enumerate((6000, 4000))]
    )
    attention_BS = torch.arange(6000) < batch.wave_lengths_B[:, None]
    mask_BT = torch.zeros(2, 18, dtype=torch.bool)
    mask_BT[0, 2:9] = mask_BT[1, 5:9] = True
    same_codes_same_vectors(model)
    scored: list[torch.Tensor] = []
    model.quantizer.weight_proj.register_forward_hook(lambda module, inputs, output: scored.append(output))
    torch.manual_seed(seed)
    sampled = distractors(mask_BT, lengths)
    theirs = model(
        batch.wave_BS,
        attention_mask=attention_BS.long(),
        mask_time_indices=mask_BT,
        sampled_negative_indices=sampled,
    )
    # two frames have the same codes where they have the same vector
    quantized_BTD = theirs.projected_quantized_states
    _, code_N = torch.unique(quantized_BTD.flatten(0, 1), dim=0, return_inverse=True)
    prob_BTGV = scored[0].unflatten(-1, (GROUPS, ENTRIES)).softmax(-1).view(2, 18, GROUPS, ENTRIES)
    codes = Codes(quantized_BTD, code_N.view(2, 18, 1), prob_BTGV)
    output = Output(
        theirs.projected_states, quantized_BTD, codes, mask_BT, torch.zeros(2, 18, 4), torch.tensor(lengths)
    )
    settings = ObjectiveSettings(
        alpha=0.0, diversity_frames="masked", contrastive=ContrastiveSettings(DISTRACTORS)
    )
    torch.manual_seed(seed)
    losses = UniSpeechObjective(settings)(output, batch)
    assert len(code_N.unique()) <= ENTRIES**GROUPS
    assert 0 < losses.watched["same_code_share"] < 1
    assert losses.terms["contrastive"].item() == pytest.approx(theirs.contrastive_loss.item(), rel=1e-5)
    assert losses.total.item() == pytest.approx(theirs.loss.item(), rel=1e-5)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    ours = torch.autograd.grad(losses.total, weights, retain_graph=True, allow_unused=True)
    expected = torch.autograd.grad(theirs.loss, weights, allow_unused=True)
    assert [g is None for g in ours] == [g is None for g in expected]
    for own, their in zip(ours, expected, strict=True):
        if own is not None:
            assert (own - their).norm() <= 1e-4 * their.norm().clamp(min=1.0)
