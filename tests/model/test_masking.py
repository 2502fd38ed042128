import torch

from unispeech_cli.model.masking import SpanSettings, span_mask


def test_masks_stay_inside_and_cover_what_the_setting_says() -> None:
    torch.manual_seed(0)
    length_B = torch.tensor([400, 200])
    masks = torch.stack([span_mask(length_B, 400, SpanSettings(0.5, 10)) for _ in range(100)])
    assert not masks[:, 1, 200:].any()
    # spans overlap: 1 - exp(-0.5) = 39 % of frames, as the paper's settings give
    for row, length in enumerate(length_B.tolist()):
        assert abs(float(masks[:, row, :length].float().mean()) - 0.39) < 0.02


def test_every_masked_run_is_at_least_a_span() -> None:
    torch.manual_seed(0)
    mask = span_mask(torch.tensor([300]), 300, SpanSettings(0.3, 10))[0]
    edges = torch.diff(torch.nn.functional.pad(mask.int(), (1, 1)))
    runs = (edges == -1).nonzero() - (edges == 1).nonzero()
    assert int(runs.min()) >= 10


def test_short_utterances_keep_something_visible() -> None:
    torch.manual_seed(0)
    for length in range(1, 25):
        for _ in range(20):
            mask = span_mask(torch.tensor([length]), length, SpanSettings(0.65, 10, min_spans=1))[0]
            assert mask.any() == (length > 1)
            assert length < 2 or not span_mask(torch.tensor([length]), length, SpanSettings(0.0, 10)).any()


def test_the_same_seed_draws_the_same_masks() -> None:
    draws = []
    for _ in range(2):
        torch.manual_seed(3)
        draws.append(span_mask(torch.tensor([50, 80]), 80, SpanSettings()))
    assert torch.equal(*draws)
