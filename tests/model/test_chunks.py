from collections.abc import Sequence

import numpy as np
import pytest
import torch

from unispeech_cli.frames import num_frames
from unispeech_cli.model.chunks import Chunk, ChunkSettings, chunks, posteriors, waves
from unispeech_cli.model.encoder import EncoderSettings
from unispeech_cli.model.frontend import FrontendSettings
from unispeech_cli.model.recognizer import Recognizer, RecognizerSettings
from unispeech_cli.model.statistics import measure

WAVE = np.random.default_rng(0).normal(0.01, 0.1, 80_123).astype(np.float32)


def recognizer(layers: int) -> Recognizer:
    torch.manual_seed(1)
    encoder = EncoderSettings(
        layers=layers, dim=16, heads=2, ffn_dim=16, position_kernel=4, position_groups=2
    )
    return Recognizer(RecognizerSettings(FrontendSettings(channels=8), encoder), 5).eval()


def in_chunks(model: Recognizer, blocks: Sequence[np.ndarray], settings: ChunkSettings) -> list[torch.Tensor]:
    return list(posteriors(model, blocks, measure(blocks), settings))


def whole(model: Recognizer) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.from_numpy(WAVE)[None], torch.tensor([len(WAVE)])).logit_BTV[0].log_softmax(-1)


@pytest.mark.parametrize("frames", [1, 49, 50, 51, 149, 150, 1_000])
@pytest.mark.parametrize(("seconds", "overlap"), [(1.0, 0.0), (1.0, 0.5), (2.0, 3.0), (60.0, 5.0)])
def test_every_frame_comes_once_with_its_context(frames: int, seconds: float, overlap: float) -> None:
    plan = chunks(frames, ChunkSettings(seconds, overlap))
    assert [frame for chunk in plan for frame in range(chunk.begin, chunk.end)] == list(range(frames))
    for chunk in plan:
        assert chunk.first == max(0, chunk.begin - 50 * overlap)
        assert chunk.last == min(frames, chunk.end + 50 * overlap)
        assert num_frames(chunk.samples.stop - chunk.samples.start) == chunk.last - chunk.first


@pytest.mark.parametrize("block", [1_000, 33_333, 80_123])
def test_samples_of_chunks_out_of_blocks(block: int) -> None:
    plan = chunks(num_frames(len(WAVE)), ChunkSettings(1.0, 0.3))
    blocks = [WAVE[start : start + block] for start in range(0, len(WAVE), block)]
    for chunk, wave in zip(plan, waves(blocks, plan), strict=True):
        np.testing.assert_array_equal(wave, WAVE[chunk.samples])


def test_without_attention_chunks_are_exact() -> None:
    # with no layers a frame sees the convolution over positions, 4 wide, and its normalised samples: no more
    model = recognizer(layers=0)
    found = torch.cat(in_chunks(model, np.array_split(WAVE, 9), ChunkSettings(1.0, 0.1)))
    torch.testing.assert_close(found, whole(model), rtol=1e-4, atol=1e-5)


def test_attention_ends_with_the_chunk() -> None:
    model = recognizer(layers=2)
    expected = whole(model)
    found = in_chunks(model, [WAVE], ChunkSettings(1.0, 0.5))
    assert [len(part) for part in found] == [50] * 5
    error = (torch.cat(found).exp() - expected.exp()).abs().max()
    assert 1e-6 < error < 0.2
    (alone,) = in_chunks(model, [WAVE], ChunkSettings(10.0, 0.5))
    torch.testing.assert_close(alone, expected, rtol=1e-4, atol=1e-5)


def test_less_than_a_frame_gives_nothing() -> None:
    assert in_chunks(recognizer(0), [WAVE[:399]], ChunkSettings()) == []
    assert chunks(1, ChunkSettings()) == [Chunk(0, 0, 1, 1)]


def test_a_model_that_diverged_is_told() -> None:
    model = recognizer(0)
    torch.nn.init.constant_(model.head.bias, float("nan"))
    with pytest.raises(ValueError, match="the model gives NaN"):
        in_chunks(model, [WAVE], ChunkSettings())


@pytest.mark.parametrize(("seconds", "overlap"), [(0.5, 1.0), (10.0, -1.0)])
def test_chunks_of_no_sense_are_refused(seconds: float, overlap: float) -> None:
    with pytest.raises(ValueError, match="too short"):
        ChunkSettings(seconds, overlap)
