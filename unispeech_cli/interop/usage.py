"""How an exported model is used: a few lines of Python a format, for its card."""

from collections.abc import Mapping

_READ = 'samples, _ = soundfile.read("speech.wav", dtype="float32")  # 16 kHz, mono'

USAGE: Mapping[str, str] = {
    "transformers": f"""
import soundfile
from transformers import pipeline

recognize = pipeline("automatic-speech-recognition", model=".")
{_READ}
print(recognize({{"raw": samples, "sampling_rate": 16_000}})["text"])
""",
    "pre-trained": """
from transformers import AutoFeatureExtractor, AutoModelForPreTraining

model = AutoModelForPreTraining.from_pretrained(".")
features = AutoFeatureExtractor.from_pretrained(".")
""",
    "onnx": f"""
from pathlib import Path

import numpy, onnxruntime, soundfile

tokens = [line.split()[0] for line in Path("tokens.txt").read_text("utf-8").splitlines()]
session = onnxruntime.InferenceSession("model.onnx")
{_READ}
inputs = {{"x": samples[None], "x_lengths": numpy.array([len(samples)])}}
logits, frames = session.run(None, inputs)  # (1, frames, tokens); token 0 is blank
best = logits[0].argmax(-1)
said = [token for token, before in zip(best, [0, *best[:-1]]) if token and token != before]
print(*(tokens[token] for token in said))
""",
    "sherpa-onnx": f"""
import sherpa_onnx, soundfile

recognizer = sherpa_onnx.OfflineRecognizer.from_omnilingual_asr_ctc("model.onnx", tokens="tokens.txt")
{_READ}
stream = recognizer.create_stream()
stream.accept_waveform(16_000, samples)
recognizer.decode_stream(stream)
print(*stream.result.tokens)
""",
}
