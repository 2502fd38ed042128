import pytest
import torch

from unispeech_cli.model.unispeech import UniSpeech, UniSpeechSettings
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


def small(**differences: object) -> UniSpeech:
    torch.manual_seed(0)
    settings = {**SMALL, "input_dropout": 0.0, "feature_dropout": 0.0, "final_dropout": 0.0, **differences}
    settings["encoder"] = {**SMALL["encoder"], "dropout": 0.0, "attention_dropout": 0.0}
    return UniSpeech(build(UniSpeechSettings, settings), num_tokens=6)


def waves() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(2, 8000), torch.tensor([8000, 5000])


@pytest.mark.parametrize(("r", "share"), [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0)])
def test_r_is_the_share_of_frames_that_ctc_sees_quantised(r: float, share: float) -> None:
    model = small().train()
    model.replace = r
    wave, lengths = waves()
    swapped, frames = 0, 0
    for _ in range(20):
        output = model(wave, lengths)
        inside = torch.arange(output.mask_BT.shape[1]) < output.frame_lengths_B[:, None]
        from_q = (output.logit_BTV == model.head(output.quantized_BTD)).all(-1)
        swapped, frames = swapped + int((from_q & inside).sum()), frames + int(inside.sum())
    assert swapped / frames == pytest.approx(share, abs=0.08)


def test_evaluation_mixes_nothing() -> None:
    model = small().eval()
    model.replace = 1.0
    output = model(*waves())
    torch.testing.assert_close(output.logit_BTV, model.head(output.context_BTD))


def test_r_in_evaluation_mixes_masked_frames_as_in_training() -> None:
    model = small().eval()
    model.replace, model.mixes_in_evaluation = 1.0, True
    output = model(*waves())
    inside = torch.arange(output.mask_BT.shape[1]) < output.frame_lengths_B[:, None]
    torch.testing.assert_close(output.logit_BTV[inside], model.head(output.quantized_BTD)[inside])
    assert output.mask_BT.any()


def test_a_second_draw_is_of_the_same_frames_with_other_noise() -> None:
    wave, lengths = waves()
    model = small(draws=2).train()
    noise = torch.zeros(2, 24, 2, 4)
    output = model(wave, lengths, noise_BTGV=noise)
    projected_BTD, code_BTG = output.positive
    changed = (code_BTG != output.codes.code_BTG).any(-1)
    assert 0 < changed.float().mean() < 1
    torch.testing.assert_close(projected_BTD[~changed], output.quantized_BTD[~changed])
    # evaluation has no noise, and one draw is enough
    assert model.eval()(wave, lengths).positive is None
    assert small().train()(wave, lengths).positive is None


def test_without_a_quantizer_no_codebook_is_in_the_graph() -> None:
    model = small(quantizer=None).train()
    output = model(*waves())
    assert output.quantized_BTD is None
    assert not [name for name, _ in model.named_parameters() if "codes" in name or "quantizer" in name]


def test_masked_frames_are_hidden_from_the_context_but_not_from_the_codebook() -> None:
    model = small().eval()
    wave, lengths = waves()
    frames = model.context.features(wave, lengths)[0].shape[1]
    mask = torch.zeros(2, frames, dtype=torch.bool)
    mask[0, 4:9] = True
    seen, hidden = model(wave, lengths, torch.zeros_like(mask)), model(wave, lengths, mask)
    assert torch.equal(seen.quantized_BTD, hidden.quantized_BTD)
    assert not torch.allclose(seen.context_BTD[0], hidden.context_BTD[0])
    torch.testing.assert_close(seen.context_BTD[1], hidden.context_BTD[1])


def test_an_utterance_does_not_see_its_batch() -> None:
    model = small().eval()
    wave, lengths = waves()
    together, frames = model.recognize(wave, lengths)
    alone, _ = model.recognize(wave[1:, :5000], lengths[1:])
    torch.testing.assert_close(together[1, : frames[1]], alone[0], rtol=1e-4, atol=1e-5)
