"""A recogniser in the contract of sherpa-onnx's raw-waveform CTC loader (`from_omnilingual_asr_ctc`).

That loader brings each wave to zero mean and unit variance itself and gives the graph whole waves, one at a time.
The graph does it once more: what is normalised stays as it is, and a faint wave, of which sherpa-onnx's larger
epsilon (1e-5) takes something away, gets it back.
"""

from collections.abc import Mapping
from pathlib import Path

from unispeech_cli.interop.onnx import describe, write_whole_waves
from unispeech_cli.model.recognizer import Recognizer


def write_sherpa(recognizer: Recognizer, path: Path, metadata: Mapping[str, str]) -> None:
    """`x` (N, num_samples) -> `logits` (N, num_frames, V), blank 0, with the metadata of the loader.

    Raises ValueError for a model that does not normalise its waves: sherpa-onnx would, whatever the model wants.
    """
    if not recognizer.settings.frontend.normalize_wave:
        raise ValueError(
            "frontend.normalize_wave is false, and sherpa-onnx normalises every wave: this model would not be the "
            "same there; use --format onnx"
        )
    contract = {"model_type": "omnilingual-asr", "version": "1"}
    write_whole_waves(recognizer, path, {**describe(recognizer), **metadata, **contract})
