"""With a seed a row, what is drawn for an utterance is a function of it: not of its batch, not of what came before."""

import pytest
import torch
from torch import Tensor

from unispeech_cli.batches.batch import Batch, Example, collate
from unispeech_cli.model.recognizer import Recognizer, RecognizerSettings
from unispeech_cli.model.unispeech import Output, UniSpeech, UniSpeechSettings
from unispeech_cli.objective.contrastive import draw_distractors
from unispeech_cli.settings import build

ENCODER = {"layers": 1, "dim": 16, "heads": 2, "ffn_dim": 16, "position_kernel": 4, "position_groups": 2}
STILL = {"dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0, "layerdrop": 0.0}
SMALL = {
    "frontend": {"channels": 8},
    "encoder": {**ENCODER, **STILL},
    "input_dropout": 0.0,
    "final_dropout": 0.0,
}


def batch(*names: str) -> Batch:
    samples = {"short": 4000, "long": 9000, "other": 7000}
    waves = {name: torch.randn(n, generator=torch.Generator().manual_seed(n)) for name, n in samples.items()}
    return collate([Example(name, "", waves[name], None) for name in names]).seeded(1, 7)


def made(model: torch.nn.Module, some: Batch) -> Output:
    return model(some.wave_BS, some.wave_lengths_B, seeds=some.seeds)


@pytest.mark.parametrize("draws", [1, 2])
def test_an_utterance_draws_the_same_in_any_batch(draws: int) -> None:
    parts = {
        **SMALL,
        "quantizer": {"groups": 2, "entries": 4, "dim": 8},
        "feature_dropout": 0.0,
        "draws": draws,
    }
    torch.manual_seed(0)
    model = UniSpeech(build(UniSpeechSettings, parts), num_tokens=6).double().train()
    waves, alone = batch("short", "long"), batch("short")
    together, single = (
        made(model, Batch(**{**vars(b), "wave_BS": b.wave_BS.double()})) for b in (waves, alone)
    )
    frames = int(single.frame_lengths_B[0])
    assert torch.equal(together.mask_BT[0, :frames], single.mask_BT[0])
    assert torch.equal(together.codes.code_BTG[0, :frames], single.codes.code_BTG[0])
    # the mix, too: logits are those of c and q at the same frames
    torch.testing.assert_close(together.logit_BTV[0, :frames], single.logit_BTV[0])
    if draws == 2:
        assert torch.equal(together.positive[1][0, :frames], single.positive[1][0])
        assert not torch.equal(single.positive[1], single.codes.code_BTG)
    assert not torch.isnan(together.logit_BTV).any()


def test_another_update_or_cut_draws_anew() -> None:
    parts = {**SMALL, "quantizer": {"groups": 2, "entries": 4, "dim": 8}, "feature_dropout": 0.0}
    torch.manual_seed(0)
    model, some = UniSpeech(build(UniSpeechSettings, parts), num_tokens=6).train(), batch("long")
    outputs = [
        made(model, other) for other in (some, some.seeded(1, 7), some.seeded(1, 8), some.seeded(2, 7))
    ]
    same, *others = [torch.equal(output.mask_BT, outputs[0].mask_BT) for output in outputs[1:]]
    assert same and not any(others)
    same, *others = [torch.equal(output.codes.code_BTG, outputs[0].codes.code_BTG) for output in outputs[1:]]
    assert same and not any(others)


def test_masks_of_fine_tuning_are_of_the_utterance_alone() -> None:
    parts = {**SMALL, "channel_mask": {"probability": 0.5, "length": 4}}
    model = Recognizer(build(RecognizerSettings, parts), 6).train()

    def masks(some: Batch) -> tuple[Tensor, Tensor]:
        feature_BTC, frame_lengths_B = model.context.features(some.wave_BS, some.wave_lengths_B)
        return model._masks(feature_BTC, frame_lengths_B, some.seeds)

    (time_BT, channel_BD), (alone_BT, channel_alone_BD) = (
        masks(batch("other", "short")),
        masks(batch("short")),
    )
    assert torch.equal(time_BT[1, : alone_BT.shape[1]], alone_BT[0]) and alone_BT.any()
    assert torch.equal(channel_BD[1], channel_alone_BD[0]) and not torch.equal(channel_BD[0], channel_BD[1])


def test_distractors_are_of_their_generator() -> None:
    masked_M = torch.tensor([1, 3, 4, 8])
    drawn = [
        draw_distractors(masked_M, masked_M, 50, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    ]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
