"""A recogniser as an ONNX file; the door to onnx.

Written by torch's tracing exporter, which torch 1.13 and 2 both have, at the newest opset that both know.
"""

import importlib
import inspect
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unispeech_cli.frames import HOP, RECEPTIVE_FIELD, SAMPLE_RATE
from unispeech_cli.interop.traceable import PaddedWaves, WholeWaves
from unispeech_cli.model.recognizer import Recognizer

# the newest that torch 1.13 writes
OPSET = 17
Axes = Mapping[str, Mapping[int, str]]


def import_onnx() -> Any:
    """The onnx module. Raises ValueError with the line that mends its absence."""
    try:
        return importlib.import_module("onnx")
    except ImportError as error:
        raise ValueError(f"this needs onnx ({error}): pip install onnx") from None


def write_onnx(recognizer: Recognizer, path: Path, metadata: Mapping[str, str]) -> None:
    """`x` (N, num_samples) and `x_lengths` (N,) -> `logits` (N, num_frames, V) and `logits_lengths` (N,).

    Samples at 16 kHz as they are, at least 400 each: normalising is inside the graph where the model wants it.
    Blank is 0. Raises ValueError where onnx is not installed.
    """
    # two lengths, one of them padded, so that nothing that depends on them can become a constant
    waves = (torch.randn(2, SAMPLE_RATE), torch.tensor([SAMPLE_RATE, SAMPLE_RATE // 2]))
    axes = {
        "x": {0: "N", 1: "num_samples"},
        "x_lengths": {0: "N"},
        "logits": {0: "N", 1: "num_frames"},
        "logits_lengths": {0: "N"},
    }
    _write(PaddedWaves(recognizer), waves, axes, 2, path, metadata)


def write_whole_waves(recognizer: Recognizer, path: Path, metadata: Mapping[str, str]) -> None:
    """`x` (N, num_samples), all of one length -> `logits` (N, num_frames, V); otherwise as `write_onnx`."""
    axes = {"x": {0: "N", 1: "num_samples"}, "logits": {0: "N", 1: "num_frames"}}
    _write(WholeWaves(recognizer), (torch.randn(2, SAMPLE_RATE),), axes, 1, path, metadata)


def describe(recognizer: Recognizer) -> dict[str, str]:
    """What a user of the graph has to know, as metadata."""
    return {
        "sample_rate": str(SAMPLE_RATE),
        "min_samples": str(RECEPTIVE_FIELD),
        "hop_samples": str(HOP),
        "vocab_size": str(recognizer.head.out_features),
        "blank_id": "0",
        "normalize_wave": str(recognizer.settings.frontend.normalize_wave).lower(),
    }


def _write(
    model: nn.Module,
    example: tuple[Tensor, ...],
    axes: Axes,
    inputs: int,
    path: Path,
    metadata: Mapping[str, str],
) -> None:
    onnx = import_onnx()
    with _quietly(), _known_operators(), torch.no_grad():
        torch.onnx.export(
            model.eval(),
            example,
            str(path),
            opset_version=OPSET,
            input_names=list(axes)[:inputs],
            output_names=list(axes)[inputs:],
            dynamic_axes=axes,
            **_tracing(),
        )
    made = onnx.load(str(path))
    for key, value in metadata.items():
        made.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(made)
    onnx.save(made, str(path))


def _tracing() -> dict[str, bool]:
    """Torch 2 has a second exporter and takes it unless it is told."""
    return {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}


@contextmanager
def _quietly() -> Iterator[None]:
    """Torch 2 says at each export that there is another exporter, which needs a package more."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@contextmanager
def _known_operators() -> Iterator[None]:
    """What torch 1.13's exporter does not know of attention: channels parted into heads, dropout of nothing."""
    ours = {"aten::unflatten": _last_unflattened, "aten::dropout": _undropped}
    if not torch.__version__.startswith("1."):
        ours = {}
    for name, symbolic in ours.items():
        torch.onnx.register_custom_op_symbolic(name, symbolic, OPSET)
    try:
        yield
    finally:
        for name in ours:
            torch.onnx.unregister_custom_op_symbolic(name, OPSET)


def _last_unflattened(graph: Any, x: Any, dimension: Any, sizes: Any, names: Any = None) -> Any:
    """The last of three dimensions in two; 0 keeps what is there."""
    shape = [0, 0, *torch.onnx.symbolic_helper._maybe_get_const(sizes, "is")]
    return graph.op("Reshape", x, graph.op("Constant", value_t=torch.tensor(shape)))


def _undropped(graph: Any, x: Any, probability: Any, training: Any) -> Any:
    return x
