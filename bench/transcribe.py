"""Peak memory and speed of `unispeech transcribe` on 10 minutes and on 2 hours, beside transformers' pipeline.

    python bench/transcribe.py [--minutes 10 120] [--preset tiny] [--exp EXP] [--format jsonl] [--no-peer]

The recording is modulated noise, 16-bit at 16 kHz, in a temporary folder. Without --exp the model has random
weights; blank is favoured so that it says some ten tokens a second, as a trained one does. Each run is a process
of its own; its memory is the kernel's ru_maxrss, its time that of the work, imports left out. The peer is
transformers' Wav2Vec2ForCTC of the same shape in its ASR pipeline, chunks of 26 s with 3 s on each side (our
20 s and 3 s on each side), greedy, on the first recording. Fails where the longest recording takes 200 MB more
than the first.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import soundfile
import torch
import yaml

from unispeech_cli.decoder.search import greedy
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.model.recognizer import Recognizer, RecognizerSettings
from unispeech_cli.model.unispeech import PRESETS
from unispeech_cli.paths import CheckpointDir
from unispeech_cli.settings import build
from unispeech_cli.trainer.checkpoint import Identity, Position, save
from unispeech_cli.trainer.weights import CONTEXT_PARTS

RATE, ALLOWED_MB, TOKENS_PER_SECOND = 16_000, 200, 10.0

OURS = """
from unispeech_cli.records import Text
from unispeech_cli.stages.transcribe import transcribe
def work(audio, exp, format):
    return sum(len(one.text) for one in transcribe([audio], exp, format=format) if isinstance(one, Text))
"""
PEER = """
import soundfile, yaml
from transformers import Wav2Vec2Config, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC, pipeline
def work(audio, exp, format):
    size = yaml.safe_load((exp / "shape.yaml").read_text())
    encoder, frontend = size["encoder"], size["frontend"]
    config = Wav2Vec2Config(
        vocab_size=size["tokens"], hidden_size=encoder["dim"], num_hidden_layers=encoder["layers"],
        num_attention_heads=encoder["heads"], intermediate_size=encoder["ffn_dim"],
        conv_dim=[frontend["channels"]] * 7, feat_extract_norm=frontend["norm"], conv_bias=frontend["bias"],
        num_conv_pos_embeddings=encoder["position_kernel"],
        num_conv_pos_embedding_groups=encoder["position_groups"], do_stable_layer_norm=encoder["pre_norm"],
    )
    made = pipeline(
        "automatic-speech-recognition", model=Wav2Vec2ForCTC(config).eval(),
        tokenizer=Wav2Vec2CTCTokenizer(str(exp / "vocab.json")), feature_extractor=Wav2Vec2FeatureExtractor(),
    )
    wave, rate = soundfile.read(audio, dtype="float32")
    return len(made({"raw": wave, "sampling_rate": rate}, chunk_length_s=26, stride_length_s=3)["text"])
"""
TIMED = """
import json, resource, sys, time, warnings
from pathlib import Path
warnings.simplefilter("ignore")
if __name__ == "__main__":
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    letters = work(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    wall = time.perf_counter() - started
    print(json.dumps({"peak": after.ru_maxrss / 1024, "wall": wall, "cpu": cpu, "letters": letters}))
"""


def write_recording(path: Path, minutes: float) -> None:
    """Noise whose loudness goes up and down like syllables, with a pause every few seconds."""
    random = np.random.default_rng(1)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for _ in range(round(minutes * 6)):
            seconds = np.arange(10 * RATE) / RATE
            loudness = (1 + np.sin(2 * np.pi * 4 * seconds)) * (np.sin(2 * np.pi * 0.2 * seconds) > -0.8)
            file.write(0.05 * loudness * random.normal(size=len(seconds)))


def make_model(root: Path, preset: str, probe: Path) -> Path:
    """A checkpoint with random weights and 26 letters, shape.yaml and vocab.json for the peer."""
    parts = {name: value for name, value in PRESETS[preset].items() if name in CONTEXT_PARTS}
    settings, table = build(RecognizerSettings, parts), TokenTable(("<blk>", "|", *map(chr, range(97, 123))))
    torch.manual_seed(1)
    model = Recognizer(settings, len(table)).eval()
    with torch.no_grad():
        model.head.weight.mul_(20)
        wave_S = torch.from_numpy(soundfile.read(probe, 20 * RATE, dtype="float32")[0])
        logit_BTV, lengths_B = model.recognize(wave_S[None], torch.tensor([len(wave_S)]))
        best_T = logit_BTV[0, :, 1:].max(-1)[0] - logit_BTV[0, :, 0]
        for share in torch.linspace(0, 1, 200):
            bias = best_T.quantile(share)
            logit_BTV[0, :, 0] += bias
            (path,) = greedy(logit_BTV, lengths_B)
            logit_BTV[0, :, 0] -= bias
            if len(path.ids) / 20 < TOKENS_PER_SECOND:
                break
        model.head.bias[0] += bias
    saved = {"model": asdict(settings)}
    save(CheckpointDir(root), model, Position(1, 1), Identity(yaml.safe_dump(saved), table))
    (root / "shape.yaml").write_text(yaml.safe_dump({**asdict(settings), "tokens": len(table)}))
    names = {"<pad>": 0, **{symbol: index for index, symbol in enumerate(table.symbols) if index}}
    (root / "vocab.json").write_text(json.dumps({**names, "<unk>": len(names)}))
    return root


def timed(program: str, audio: Path, exp: Path, format: str) -> dict[str, float]:
    script = audio.with_suffix(".py")
    script.write_text(program + TIMED, encoding="utf-8")
    command = [sys.executable, str(script), str(audio), str(exp), format]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1])


def line(name: str, minutes: float, took: dict[str, float]) -> str:
    speed = (
        f"{took['cpu']:.0f} s CPU, {took['wall']:.0f} s wall, {60 * minutes / took['wall']:.0f} x real time"
    )
    return f"{name:12} {minutes:5g} min  peak {took['peak']:.0f} MB  {speed}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, nargs="+", default=[10, 120])
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--exp", type=Path)
    parser.add_argument("--format", default="jsonl")
    parser.add_argument("--no-peer", action="store_true")
    options = parser.parse_args()
    exp, peaks, first = options.exp, [], {}
    with tempfile.TemporaryDirectory() as folder:
        for minutes in options.minutes:
            audio = Path(folder) / f"{minutes:g}.wav"
            write_recording(audio, minutes)
            exp = exp or make_model(Path(folder) / "exp", options.preset, audio)
            took = timed(OURS, audio, exp, options.format)
            peaks.append(took["peak"])
            first = first or took
            print(line("unispeech", minutes, took), flush=True)
        if not options.no_peer and not options.exp:
            minutes = options.minutes[0]
            took = timed(PEER, Path(folder) / f"{minutes:g}.wav", exp, options.format)
            print(line("transformers", minutes, took))
            ratios = {name: first[name] / took[name] for name in ("cpu", "wall", "peak")}
            print("of transformers':", ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items()))
    print(
        f"{peaks[-1] - peaks[0]:.0f} MB more for {options.minutes[-1]:g} min than for {options.minutes[0]:g}"
    )
    if peaks[-1] - peaks[0] > ALLOWED_MB:
        sys.exit(f"more than {ALLOWED_MB} MB")


if __name__ == "__main__":
    main()
