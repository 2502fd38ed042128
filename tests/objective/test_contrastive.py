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


def gathered(c, q, code, mask, lengths, settings):
    """The definition: every distractor's vector gathered, cosine by cosine."""
    losses = []
    for row, length in enumerate(lengths.tolist()):
        masked = mask[row, :length].nonzero()[:, 0]
        candidates = masked if settings.candidates == "masked" else torch.arange(length)
        drawn = draw_distractors(masked, candidates, settings.distractors)
        loss = torch.zeros(())
        for i, frame in enumerate(masked.tolist()):
            others = candidates[drawn[i]]
            vectors = torch.cat([q[row, frame][None], q[row, others]])
            scores = F.cosine_similarity(c[row, frame][None], vectors, dim=-1) / settings.temperature
            same = (code[row, others] == code[row, frame]).all(-1)
            scores = torch.cat([scores[:1], scores[1:].masked_fill(same, -torch.inf)])
            loss = loss - scores.log_softmax(0)[0]
        losses.append(loss)
    return torch.stack(losses)


@pytest.mark.parametrize("candidates", ["masked", "all"])
def test_equals_gathering_every_vector(candidates: str) -> None:
    c, q, code, mask, lengths = example()
    settings = ContrastiveSettings(distractors=15, candidates=candidates)
    torch.manual_seed(5)
    ours = contrastive_loss(c, q, code, mask, lengths, settings).loss_B
    torch.manual_seed(5)
    theirs = gathered(c, q, code, mask, lengths, settings)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    ours = torch.autograd.grad(ours.sum(), [c, q])
    theirs = torch.autograd.grad(theirs.sum(), [c, q])
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


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
