import math

import pytest
import torch
import torch.nn.functional as F

from unispeech_cli.objective import contrastive as room
from unispeech_cli.objective.contrastive import (
    ContrastiveSettings,
    chance_level,
    contrastive_loss,
    diversity_loss,
    draw_distractors,
)


def example(seed: int = 0):
    torch.manual_seed(seed)
    c, q = torch.randn(2, 20, 6, requires_grad=True), torch.randn(2, 20, 6, requires_grad=True)
    code = torch.randint(0, 3, (2, 20, 2))
    mask = torch.rand(2, 20) < 0.5
    lengths = torch.tensor([20, 13])
    mask[1, 13:] = False
    return c, q, code, mask, lengths


def test_a_worked_example() -> None:
    """Two candidates, so that all three distractors of each are the other one; cosines 1, 0 and 0, 1."""
    c = torch.tensor([[[1.0, 0.0], [9.0, 9.0], [2.0, 0.0]]])
    q = torch.tensor([[[3.0, 0.0], [9.0, 9.0], [0.0, 0.5]]])
    mask, code = torch.tensor([[True, False, True]]), torch.tensor([[[1, 2], [1, 2], [2, 1]]])
    settings = ContrastiveSettings(distractors=3, temperature=0.5)
    contrast = contrastive_loss(c, q, code, mask, torch.tensor([3]), settings)
    told, mistaken = math.log(1 + 3 * math.exp(-2)), math.log(1 + 3 * math.exp(2))
    assert contrast.loss_B.tolist() == [pytest.approx(told + mistaken, rel=1e-5)]
    assert contrast.same_code_share == 0.0


def test_a_positive_of_its_own_draw_takes_the_place_of_q_and_its_code() -> None:
    c, q, code, mask, lengths = example()
    settings = ContrastiveSettings(distractors=15)
    losses = []
    for positive in (None, (q, code), (c, code), (q, torch.full_like(code, 9))):
        torch.manual_seed(5)
        losses.append(contrastive_loss(c, q, code, mask, lengths, settings, positive))
    same, equal, told, never = losses
    assert torch.equal(same.loss_B, equal.loss_B)
    # the positive is the context itself; a code of its own leaves no distractor out
    assert (told.loss_B < same.loss_B).all() and told.same_code_share == same.same_code_share > 0
    assert (never.loss_B > same.loss_B).all() and never.same_code_share == 0.0


def test_distractors_are_other_candidates_evenly() -> None:
    torch.manual_seed(0)
    masked = torch.tensor([2, 5, 6, 9])
    drawn = draw_distractors(masked, masked, 30_000)
    for row in range(4):
        counts = torch.bincount(drawn[row], minlength=4)
        assert counts[row] == 0
        assert (counts[counts > 0] / 30_000 - 1 / 3).abs().max() < 0.02


def test_a_model_that_knows_nothing_starts_near_chance() -> None:
    torch.manual_seed(0)
    c, q = torch.randn(1, 400, 512), torch.randn(1, 400, 512)
    code = torch.arange(400)[None, :, None]
    mask = torch.ones(1, 400, dtype=torch.bool)
    loss = contrastive_loss(
        c, q, code, mask, torch.tensor([400]), ContrastiveSettings(temperature=1.0)
    ).loss_B
    assert (
        float(loss) / 400
        == pytest.approx(chance_level(ContrastiveSettings()), abs=0.01)
        == pytest.approx(math.log(101), abs=0.01)
    )


def test_collapse_shows_as_a_share_of_one() -> None:
    c, q, code, mask, lengths = example()
    contrast = contrastive_loss(c, q, torch.zeros_like(code), mask, lengths, ContrastiveSettings())
    assert contrast.same_code_share == 1.0
    assert not contrast.loss_B.any()


def test_fewer_than_two_candidates_add_nothing() -> None:
    c, q, code, mask, lengths = example()
    mask[0] = False
    mask[0, 3] = True
    loss = contrastive_loss(c, q, code, mask, lengths, ContrastiveSettings()).loss_B
    assert loss[0].item() == 0 and loss[1].item() > 0
    loss.sum().backward()
    assert torch.isfinite(c.grad).all()


def test_padding_is_never_a_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    c, q, code, mask, lengths = example()
    settings = ContrastiveSettings(distractors=50, candidates="all")
    torch.manual_seed(1)
    before = contrastive_loss(c, q, code, mask, lengths, settings).loss_B
    with torch.no_grad():
        q[1, 13:] = 100.0
        c[1, 13:] = -100.0
    torch.manual_seed(1)
    torch.testing.assert_close(contrastive_loss(c, q, code, mask, lengths, settings).loss_B, before)


def test_diversity_in_both_forms() -> None:
    uniform = torch.full((5, 2, 4), 0.25)
    single = F.one_hot(torch.zeros(5, 2, dtype=torch.long), 4).float()
    assert float(diversity_loss(uniform, "perplexity")) == pytest.approx(0, abs=1e-5)
    assert float(diversity_loss(single, "perplexity")) == pytest.approx(1 - 2 / 8, abs=1e-5)
    assert float(diversity_loss(uniform, "entropy")) == pytest.approx(-math.log(4) / 4, abs=1e-5)
    assert float(diversity_loss(single, "entropy")) == pytest.approx(0, abs=1e-5)
    assert room.chance_level(ContrastiveSettings(distractors=0)) == 0
