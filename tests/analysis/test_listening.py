from typing import Any

import numpy as np
import pytest
import torch

from unispeech_cli.analysis.listening import Listener, NoiseLevels
from unispeech_cli.batches.batch import Example, collate
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.model.encoder import EncoderSettings
from unispeech_cli.model.frontend import FrontendSettings
from unispeech_cli.model.quantizer import QuantizerSettings
from unispeech_cli.model.unispeech import UniSpeech, UniSpeechSettings

ENCODER = EncoderSettings(layers=1, dim=16, heads=2, ffn_dim=16, position_kernel=4, position_groups=2)


class Oracle(torch.nn.Module):
    """Says a in the first half of an utterance and b in the second, blank but for one frame of each."""

    def recognize(
        self, wave_BS: torch.Tensor, wave_lengths_B: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        frames_B = (wave_lengths_B - 400) // 320 + 1
        logit_BTV = torch.zeros(len(frames_B), int(frames_B.max()), 3)
        logit_BTV[:, :, 0] = 10
        for row, frames in enumerate(frames_B.tolist()):
            logit_BTV[row, frames // 4, 1] = logit_BTV[row, 3 * frames // 4, 2] = 20
        return logit_BTV, frames_B


@pytest.fixture
def model() -> UniSpeech:
    torch.manual_seed(0)
    quantizer = QuantizerSettings(groups=3, entries=8, dim=12)
    settings = UniSpeechSettings(FrontendSettings(channels=8), ENCODER, quantizer=quantizer)
    return UniSpeech(settings, 3).eval()


def batch(*labels: list[int], samples: tuple[int, ...] = (3200, 6400)) -> Any:
    torch.manual_seed(1)
    return collate(
        [
            Example(f"cut-{number}", "es", 0.1 * torch.randn(length), torch.tensor(some))
            for number, (some, length) in enumerate(zip(labels, samples, strict=True))
        ]
    )


def listener(model: UniSpeech, snr: tuple[float, ...] = ()) -> Listener:
    speakers = {"cut-0": "x", "cut-1": None}
    tokens = TokenTable(("<blk>", "a", "b"))
    return Listener(model, Oracle(), tokens, 100, NoiseLevels(snr), 1, speakers)  # type: ignore[arg-type]


def test_codes_are_the_best_entries_whatever_the_batch(model: UniSpeech) -> None:
    both = batch([1, 2], [1, 2])
    heard = listener(model).hear(both)
    assert [(one.cut_id, one.language, one.speaker) for one in heard.utterances] == [
        ("cut-0", "es", "x"),
        ("cut-1", "es", None),
    ]
    for row, found in enumerate(heard.utterances):
        with torch.no_grad():
            alone = both.rows(row, row + 1)
            z_BTC, _ = model.context.features(alone.wave_BS, alone.wave_lengths_B)
            # the definition: argmax of the linear scores of each group
            logit_TGV = model.quantizer.score(z_BTC[0]).reshape(-1, 3, 8)  # type: ignore[union-attr]
        assert found.code_TG.tolist() == logit_TGV.argmax(-1).tolist()
    assert len(np.unique(heard.utterances[1].code_TG[:, 0])) > 1


def test_phones_are_where_the_aligner_says(model: UniSpeech) -> None:
    short, long = listener(model).hear(batch([1, 2], [1, 2])).utterances
    assert (short.phones, len(short.position_T), len(long.position_T)) == (("a", "b"), 9, 19)
    # said in frames 2 and 6, the middle goes to the earlier one
    assert short.position_T.tolist() == [0] * 5 + [1] * 4


def test_what_cannot_be_aligned_is_left_out_and_errors_are_counted(model: UniSpeech) -> None:
    heard = listener(model).hear(batch([1, 2] * 10, [2]))
    assert heard.faults == ["cut-0 left out: the transcript needs 20 frames of 20 ms, the recording has 9"]
    assert [utterance.cut_id for utterance in heard.utterances] == ["cut-1"]
    # eighteen missing, and one too many
    assert (heard.rate.counts.errors, heard.rate.counts.reference) == (19, 21)


def test_noise_is_the_same_each_time_and_louder_noise_changes_more(model: UniSpeech) -> None:
    both = batch([1, 2], [1, 2], samples=(16000, 3200))
    _, first = listener(model, (60.0, 0.0)).hear(both).utterances
    (again,) = listener(model, (60.0, 0.0)).hear(both.rows(1, 2)).utterances
    equal = {snr: float((codes == first.code_TG).mean()) for snr, codes in first.noisy.items()}
    assert 1 >= equal[60.0] > 0.9 > equal[0.0]
    assert all((first.noisy[snr] == again.noisy[snr]).all() for snr in (60.0, 0.0))
