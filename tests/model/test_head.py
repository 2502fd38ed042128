import torch

from unispeech_cli.model.head import ctc_head


def test_blank_begins_with_four_fifths() -> None:
    for tokens in (2, 40, 500):
        head = ctc_head(8, tokens)
        assert torch.isclose(head.bias.softmax(0)[0], torch.tensor(0.8), atol=1e-5)
        assert head.weight.any()
