from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from unispeech_cli.interop.onnx import describe, write_onnx
from unispeech_cli.paths import CheckpointDir

Saved = Callable[..., Any]


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module", params=[("group", True), ("layer", False)], ids=["base", "large, as it is"])
def exported(
    saved: Saved, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> tuple[Any, Path]:
    """A recogniser and its graph, in each form of the network, and with waves normalised and as they are."""
    root, (norm, normalize_wave) = tmp_path_factory.mktemp("onnx"), request.param
    model = saved(CheckpointDir(root / "exp"), norm, normalize_wave=normalize_wave)
    write_onnx(model, root / "model.onnx", {**describe(model), "tokens": "1234"})
    return model, root / "model.onnx"


def test_it_equals_torch_for_any_length_and_batch(exported: tuple[Any, Path]) -> None:
    model, path = exported
    runs, draw = session(path), torch.Generator().manual_seed(1)
    for lengths in ([400], [719], [30_001], [9_000, 400, 5_555], [401] * 5, [20_000, 19_999]):
        lengths_B = torch.tensor(lengths)
        # loud padding, an offset and a faint voice: what normalising and masks have to deal with
        wave_BS = 0.01 * torch.randn(len(lengths), max(lengths), generator=draw) + 0.2
        for row, length in enumerate(lengths):
            wave_BS[row, length:] = 5.0
        with torch.no_grad():
            logit_BTV, frame_lengths_B = model.recognize(wave_BS, lengths_B)
        found_BTV, found_B = runs.run(None, {"x": wave_BS.numpy(), "x_lengths": lengths_B.numpy()})
        assert found_B.tolist() == frame_lengths_B.tolist()
        for row, frames in enumerate(found_B):
            np.testing.assert_allclose(found_BTV[row, :frames], logit_BTV[row, :frames], atol=1e-4)


def test_the_graph_says_what_it_is(exported: tuple[Any, Path]) -> None:
    made = onnx.load(str(exported[1]))
    shapes = {
        value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in [*made.graph.input, *made.graph.output]
    }
    assert shapes == {
        "x": ["N", "num_samples"],
        "x_lengths": ["N"],
        "logits": ["N", "num_frames", 6],
        "logits_lengths": ["N"],
    }
    assert made.opset_import[0].version == 17
    told = {prop.key: prop.value for prop in made.metadata_props}
    assert told["sample_rate"] == "16000" and told["vocab_size"] == "6" and told["tokens"] == "1234"
