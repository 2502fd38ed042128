import torch

from unispeech_cli.model.recognizer import Recognizer, RecognizerSettings
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
    "channel_mask": {"probability": 0.5, "length": 4},
}


def test_batched_speech_is_recognised_as_alone() -> None:
    torch.manual_seed(0)
    model = Recognizer(build(RecognizerSettings, SMALL), 6).eval()
    wave = torch.randn(2, 9000)
    together = model(wave, torch.tensor([9000, 4000]))
    alone = model(wave[1:, :4000], torch.tensor([4000]))
    frames = int(together.frame_lengths_B[1])
    torch.testing.assert_close(together.logit_BTV[1, :frames], alone.logit_BTV[0], rtol=1e-4, atol=1e-5)


def test_time_and_channels_are_masked_in_training_only() -> None:
    torch.manual_seed(0)
    model = Recognizer(build(RecognizerSettings, SMALL), 6)
    feature_BTC, lengths_B = torch.zeros(2, 40, 8), torch.tensor([40, 30])
    mask_BT, channel_BD = model.train()._masks(feature_BTC, lengths_B)
    assert mask_BT.any() and channel_BD.shape == (2, 16) and channel_BD.any()
    mask_BT, channel_BD = model.eval()._masks(feature_BTC, lengths_B)
    assert not mask_BT.any() and channel_BD is None
