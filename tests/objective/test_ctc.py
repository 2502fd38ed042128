from types import SimpleNamespace

import pytest
import torch

from unispeech_cli.objective.ctc import best_backend, ctc_loss


def padded(targets: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    rows = [torch.tensor(target, dtype=torch.long) for target in targets]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), torch.tensor([len(row) for row in rows])


@pytest.mark.parametrize("backend", ["torch", pytest.param("k2", marks=pytest.mark.k2)])
def test_equals_the_sum_over_all_paths(oracle: SimpleNamespace, backend: str) -> None:
    torch.manual_seed(0)
    log_prob = torch.randn(3, 5, 3).log_softmax(-1)
    token_BL, length_B = padded([[1, 1], [2, 1, 2], []])
    frames = torch.tensor([5, 4, 3])
    losses = ctc_loss(log_prob, frames, token_BL, length_B, backend)
    said = ((5, [1, 1]), (4, [2, 1, 2]), (3, []))
    expected = [oracle.ctc(log_prob[b, :f].double().numpy(), target) for b, (f, target) in enumerate(said)]
    assert losses.tolist() == pytest.approx(expected, rel=1e-4)


@pytest.mark.k2
def test_k2_equals_torch_on_flat_posteriors_values_and_gradients() -> None:
    torch.manual_seed(0)
    logits = torch.randn(4, 120, 30, requires_grad=True)
    frames = torch.tensor([80, 120, 60, 101])  # not in k2's order
    targets = [torch.randint(1, 30, (n,)).tolist() for n in (20, 33, 1, 40)]
    targets[1][4:7] = [7, 7, 7]
    token_BL, length_B = padded(targets)
    losses, gradients = [], []
    for backend in ("k2", "torch"):
        loss = ctc_loss(logits.log_softmax(-1), frames, token_BL, length_B, backend)
        losses.append(loss.detach())
        gradients.append(torch.autograd.grad(loss.sum(), logits)[0])
    torch.testing.assert_close(*losses, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-4)


def test_a_label_outside_the_table_is_refused() -> None:
    log_prob = torch.zeros(1, 5, 3).log_softmax(-1)
    for label in (0, 3, -1):
        with pytest.raises(ValueError, match=r"outside 1\.\.2"):
            ctc_loss(log_prob, torch.tensor([5]), torch.tensor([[label]]), torch.tensor([1]))


def test_more_labels_than_frames_are_refused() -> None:
    log_prob = torch.zeros(1, 4, 3).log_softmax(-1)
    assert (
        ctc_loss(log_prob, torch.tensor([4]), torch.tensor([[1, 2, 1, 2]]), torch.tensor([4]))
        .isfinite()
        .all()
    )
    with pytest.raises(ValueError, match="4 labels need 5 frames, not 4"):
        ctc_loss(log_prob, torch.tensor([4]), torch.tensor([[1, 2, 2, 1]]), torch.tensor([4]))


@pytest.mark.k2
def test_k2_is_used_where_it_imports() -> None:
    assert best_backend() == "k2"
