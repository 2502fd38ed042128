from collections.abc import Sequence

import pytest
import torch

from unispeech_cli.batches.batch import Batch, Example, collate
from unispeech_cli.model.encoder import EncoderSettings
from unispeech_cli.model.frontend import FrontendSettings
from unispeech_cli.model.masking import SpanSettings
from unispeech_cli.model.recognizer import Recognizer, RecognizerSettings
from unispeech_cli.objective.unispeech import CtcObjective
from unispeech_cli.trainer.loop import Machine, Step, fit
from unispeech_cli.trainer.optim import OptimSettings, make_optimizer

# nothing drawn at random: no masks, no dropout
PLAIN = RecognizerSettings(
    FrontendSettings(channels=8),
    EncoderSettings(1, 16, 2, 16, False, 4, 2, dropout=0.0, attention_dropout=0.0),
    input_dropout=0.0,
    final_dropout=0.0,
    time_mask=SpanSettings(0.0),
    channel_mask=SpanSettings(0.0),
)


def model() -> Recognizer:
    torch.manual_seed(0)
    return Recognizer(PLAIN, 5).double()


def examples(count: int) -> list[Example]:
    random = torch.Generator().manual_seed(1)
    return [
        Example(
            str(n), "", torch.randn(4000 + 500 * n, generator=random).double(), torch.tensor([1, 2 + n % 3])
        )
        for n in range(count)
    ]


def one_update(batches: Sequence[Batch | None], clip: float = 1e9) -> tuple[Step, dict[str, torch.Tensor]]:
    """An update by plain gradient descent at rate 1: what the weights lose is the gradient."""
    trained, before = model(), model()
    optimizer = torch.optim.SGD(trained.parameters(), lr=0.0)
    (step,) = fit(
        trained,
        CtcObjective(),
        iter(batches),
        optimizer,
        first=0,
        last=1,
        batches_per_update=len(batches),
        clip=clip,
        before_update=lambda update: 1.0,
        seed=1,
        machine=Machine.alone(),
    )
    old = dict(before.named_parameters())
    return step, {name: (old[name] - new).detach() for name, new in trained.named_parameters()}


def test_two_batches_give_the_gradient_of_one() -> None:
    six = examples(6)
    # unequal parts: a mean of means would differ
    whole, whole_gradient = one_update([collate(six)])
    parts, parts_gradient = one_update([collate(six[:2]), None, collate(six[2:])])
    assert parts.total == pytest.approx(whole.total, rel=1e-6)
    assert parts.gradient_norm == pytest.approx(whole.gradient_norm, rel=1e-5)
    for name, gradient in whole_gradient.items():
        assert (parts_gradient[name] - gradient).norm() <= 1e-5 * gradient.norm().clamp(min=1e-3), name


def test_the_loss_is_the_sum_divided_once_by_the_count() -> None:
    batch = collate(examples(4))
    with torch.no_grad():
        expected = CtcObjective()(model()(batch.wave_BS, batch.wave_lengths_B), batch).total / 4
    step, _ = one_update([batch])
    assert step.losses == {"ctc": pytest.approx(float(expected))}
    assert (step.update, step.speech) == (1, pytest.approx(batch.seconds))


def test_clipping_keeps_the_direction_and_tells_the_norm_before() -> None:
    batch = collate(examples(2))
    free, gradient = one_update([batch])
    clipped, shorter = one_update([batch], clip=free.gradient_norm / 10)
    assert clipped.gradient_norm == pytest.approx(free.gradient_norm)
    for name in gradient:
        torch.testing.assert_close(shorter[name] * 10, gradient[name], rtol=1e-4, atol=1e-9)


def test_an_update_of_nothing_readable_changes_nothing() -> None:
    step, gradient = one_update([None, None])
    assert all(not change.any() for change in gradient.values())
    assert (step.total, step.speech) == (0.0, 0.0)


def test_updates_are_counted_on_from_the_first_and_take_their_own_rate() -> None:
    trained, asked = model(), []

    def before_update(update: int) -> float:
        asked.append(update)
        return 0.1 * update

    steps = fit(
        trained,
        CtcObjective(),
        iter([collate(examples(1))] * 4),
        torch.optim.SGD(trained.parameters(), lr=0.0),
        first=3,
        last=5,
        batches_per_update=2,
        clip=1.0,
        before_update=before_update,
        seed=1,
        machine=Machine.alone(),
    )
    assert [(step.update, step.rate) for step in steps] == [(4, pytest.approx(0.3)), (5, pytest.approx(0.4))]
    assert asked == [3, 4]


def test_only_matrices_decay_and_only_what_trains_is_optimised() -> None:
    trained = model()
    trained.context.frontend.requires_grad_(False)
    matrices, vectors = make_optimizer(trained, OptimSettings(weight_decay=0.1)).param_groups
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.1, 0.0)
    assert {p.ndim > 1 for p in matrices["params"]} == {True}
    assert {p.ndim for p in vectors["params"]} == {1}
    count = sum(1 for p in trained.parameters() if p.requires_grad)
    assert len(matrices["params"]) + len(vectors["params"]) == count
    _, vectors = make_optimizer(trained, OptimSettings(weight_decay=0.1, decay="all")).param_groups
    assert vectors["weight_decay"] == 0.1
