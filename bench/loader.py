"""Hours of audio per CPU second: our loader and Lhotse's AudioSamples + DynamicBucketingSampler, side by side.

    python bench/loader.py [--clips 200] [--repeats 2] [--cuts 10000 100000 1500000]

Made-up speech (log-normal lengths, 1 to 15 s) is written to a temporary folder as 16 kHz wav and flac, as mp3 at
48 and 32 kHz as CommonVoice has it, and as a Shar directory of flac. Each program goes through an epoch of each in
a process of its own without readers beside it, batches of 100 s; files are in the page cache, imports are left out,
the best of the repeats counts. Then, on made-up manifests of so many cuts: seconds of processor to index, open and
plan an epoch, padding, and memory of the process that plans and reads the first batches; up to 100,000 cuts the same
of Lhotse's sampler.

Lhotse resamples with torchaudio or scipy; one of them is needed: pip install scipy.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

SECONDS_PER_BATCH = 100.0
LARGE_BATCH = 600.0
FORMATS = {
    "wav 16 kHz": ("wav", 16_000, "PCM_16"),
    "flac 16 kHz": ("flac", 16_000, "PCM_16"),
    "mp3 48 kHz": ("mp3", 48_000, "MPEG_LAYER_III"),
    "mp3 32 kHz": ("mp3", 32_000, "MPEG_LAYER_III"),
}
SHAR = "shar flac 16 kHz"
MOST_FOR_LHOTSE = 100_000

OURS = """
import time, json, sys
from pathlib import Path
from unispeech_cli.batches.loader import training_batches
from unispeech_cli.batches.source import LoaderSettings, kept_sources
from unispeech_cli.lang.tokens import TokenTable
path, limit = Path(sys.argv[1]), float(sys.argv[2])
settings = LoaderSettings(limit, limit, language_alpha=None, workers=0)
sources = kept_sources([path], False, settings)
wanted = float(sources[0].seconds_N.sum(dtype="float64")) - 0.01
before, speech, padded = time.process_time(), 0.0, 0.0
for batch in training_batches(sources, TokenTable(("<blk>", "a")), settings, 1, 0, print):
    speech, padded = speech + batch.seconds, padded + batch.padded_seconds
    if speech >= wanted:
        break
"""
LHOTSE = """
import time, json, sys
from lhotse import CutSet
from lhotse.dataset import DynamicBucketingSampler
from lhotse.dataset.input_strategies import AudioSamples
from torch.utils.data import DataLoader, Dataset
class Audio(Dataset):
    def __init__(self): self.read = AudioSamples()
    def __getitem__(self, cuts): return self.read(cuts)
path, limit = sys.argv[1], float(sys.argv[2])
cuts = CutSet.from_shar(in_dir=path) if not path.endswith("jsonl") else CutSet.from_file(path)
before, speech, padded = time.process_time(), 0.0, 0.0
sampler = DynamicBucketingSampler(cuts, max_duration=limit, num_buckets=30, shuffle=True, seed=1)
for wave_BS, lengths_B in DataLoader(Audio(), sampler=sampler, batch_size=None):
    speech, padded = speech + float(lengths_B.sum()) / 16000, padded + wave_BS.numel() / 16000
"""
TOLD = """
print(json.dumps({"cpu": time.process_time() - before, "hours": speech / 3600, "padding": 1 - speech / padded}))
"""

LHOTSE_PLAN = """
import time, json, sys
from lhotse import CutSet
from lhotse.dataset import DynamicBucketingSampler
before, speech, padded, batches = time.process_time(), 0.0, 0.0, 0
cuts = CutSet.from_file(sys.argv[1])
for batch in DynamicBucketingSampler(cuts, max_duration=float(sys.argv[2]), num_buckets=30, shuffle=True, seed=1):
    lengths = [cut.duration for cut in batch]
    speech, padded, batches = speech + sum(lengths), padded + max(lengths) * len(lengths), batches + 1
found = {"cpu": time.process_time() - before, "batches": batches, "padding": 1 - speech / padded}
print(json.dumps(found))
"""

# run twice: the first makes the index
LARGE = """
import time, json, sys
from pathlib import Path
import numpy as np
from unispeech_cli.batches.loader import training_batches
from unispeech_cli.batches.plan import endless_plan, epoch_plan
from unispeech_cli.batches.source import LoaderSettings, kept_sources, pools
from unispeech_cli.lang.tokens import TokenTable
def memory(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))
found = {"imported_mib": memory("VmRSS")}
settings = LoaderSettings(float(sys.argv[2]), 4800.0, workers=0)
before = time.process_time()
sources = kept_sources([Path(sys.argv[1])], False, settings)
found["open_cpu"] = time.process_time() - before
batches = training_batches(sources, TokenTable(("<blk>", "a")), settings, 1, 0, print)
for _ in range(5):
    next(batches)
found |= {"resident_mib": memory("VmRSS"), "peak_mib": memory("VmHWM")}
seconds_N = np.concatenate([source.seconds_N for source in sources])
before = time.process_time()
epoch = epoch_plan(seconds_N, settings.seconds_per_batch, (1, 0))
found["plan_cpu"] = time.process_time() - before
padded = sum(float(seconds_N[batch].max() * len(batch)) for batch in epoch)
found |= {"batches": len(epoch), "padding": 1 - float(seconds_N.sum(dtype="float64")) / padded}
before = time.process_time()
next(endless_plan(pools(sources, settings), settings.seconds_per_batch, 1, skip=100_000))
found["skip_cpu"] = time.process_time() - before
print(json.dumps(found))
"""


def make_speech(folder: Path, clips: int) -> dict[str, Path]:
    """The same utterances in every format: a manifest each, and a Shar directory."""
    from lhotse import CutSet, MonoCut, Recording

    random = np.random.default_rng(1)
    lengths = np.clip(random.lognormal(1.5, 0.5, clips), 1, 15)
    made = {}
    for name, (suffix, rate, subtype) in FORMATS.items():
        root = folder / name.replace(" ", "-")
        root.mkdir()
        cuts = []
        for number, seconds in enumerate(lengths):
            path = root / f"{number}.{suffix}"
            soundfile.write(path, _voice(seconds, rate, number), rate, format=suffix.upper(), subtype=subtype)
            recording = Recording.from_file(path, recording_id=str(number))
            recording = recording if rate == 16_000 else recording.resample(16_000)
            cuts.append(MonoCut(f"{name}-{number}", 0.0, recording.duration, 0, recording=recording))
        made[name] = root.with_suffix(".jsonl")
        CutSet.from_cuts(cuts).to_file(made[name])
    made[SHAR] = folder / "shar"
    made[SHAR].mkdir()
    CutSet.from_file(made["wav 16 kHz"]).to_shar(made[SHAR], {"recording": "flac"}, shard_size=100)
    return made


def _voice(seconds: float, rate: int, seed: int) -> np.ndarray:
    """Harmonics of a gliding pitch in syllables, and breath: what codecs find about as hard as speech."""
    random = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(random.uniform(90, 220) * (1 + 0.1 * np.sin(2 * np.pi * 0.7 * time))) / rate
    sung = sum(np.sin(harmonic * phase + random.uniform(0, 6)) / harmonic for harmonic in range(1, 16))
    syllables = np.clip(np.sin(2 * np.pi * random.uniform(2, 4) * time), 0, 1)
    return 0.1 * sung * syllables + 0.003 * random.normal(size=len(time))


def make_manifest(path: Path, cuts: int, sound: Path) -> None:
    """Lines as prepare writes them; all of them are parts of one sound of 20 s."""
    random = np.random.default_rng(1)
    seconds = np.clip(random.lognormal(1.5, 0.5, cuts), 1, 20).round(3)
    languages = random.choice(["en", "es", "fr", "it"], size=cuts, p=[0.6, 0.1, 0.2, 0.1])
    with path.open("w", encoding="utf-8") as lines:
        for number, (duration, language) in enumerate(zip(seconds.tolist(), languages, strict=True)):
            clip = f"common_voice_{language}_{18_000_000 + number}"
            said = "la casa grande tiene un árbol y un río que corre de noche"
            supervision = {"id": clip, "recording_id": clip, "start": 0.0, "duration": duration, "channel": 0}
            supervision |= {"text": said, "language": str(language), "speaker": f"{number % 9973:064x}"}
            supervision["custom"] = {"text_norm": said, "tokens_type": "phones", "phones": " ".join(said)}
            source = {"type": "file", "channels": [0], "source": str(sound)}
            recording = {"id": clip, "sources": [source], "sampling_rate": 16_000, "num_samples": 320_000}
            cut = {
                "id": clip,
                "start": 0.0,
                "duration": duration,
                "channel": 0,
                "supervisions": [supervision],
            }
            cut |= {"recording": {**recording, "duration": 20.0, "channel_ids": [0]}, "type": "MonoCut"}
            lines.write(json.dumps(cut, ensure_ascii=False) + "\n")


def run(program: str, *arguments: object) -> dict[str, float]:
    """What a program says of itself, in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-c", program, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare_reading(folder: Path, clips: int, repeats: int) -> None:
    print(f"{'hours a CPU second':18}{'ours':>8} {'lhotse':>8}")
    for name, path in make_speech(folder, clips).items():
        run(OURS + TOLD, path, SECONDS_PER_BATCH)  # makes the index
        found = {"ours": [], "lhotse": []}
        for _ in range(repeats):
            found["ours"].append(run(OURS + TOLD, path, SECONDS_PER_BATCH))
            found["lhotse"].append(run(LHOTSE + TOLD, path, SECONDS_PER_BATCH))
        ours, lhotse = (min(found[who], key=lambda one: one["cpu"]) for who in ("ours", "lhotse"))
        assert abs(ours["hours"] - lhotse["hours"]) < 0.01 * ours["hours"], (ours, lhotse)
        speeds = [one["hours"] / one["cpu"] for one in (ours, lhotse)]
        print(
            f"{name:18}{speeds[0]:8.2f} {speeds[1]:8.2f} {speeds[0] / speeds[1]:8.2f} x",
            flush=True,
        )


def measure_size(folder: Path, sizes: list[int]) -> None:
    sound = folder / "sound.wav"
    soundfile.write(sound, _voice(20.0, 16_000, 1), 16_000)
    for cuts in sizes:
        manifest = folder / f"cuts-{cuts}.jsonl"
        make_manifest(manifest, cuts, sound)
        made = run(LARGE, manifest, LARGE_BATCH)
        print(
            f"{cuts} cuts: indexed in {made['open_cpu']:.1f} s CPU, peak {made['peak_mib']:.0f} MiB "
            f"({manifest.stat().st_size / 2**20:.0f} MiB of manifest)"
        )
        for seconds in (LARGE_BATCH, 75.0):
            found = run(LARGE, manifest, seconds)
            print(
                f"  batches of {seconds:g} s: opened in {found['open_cpu']:.2f} s CPU, epoch of {found['batches']} "
                f"planned in {found['plan_cpu']:.2f} s, batch 100,000 found in {found['skip_cpu']:.2f} s; "
                f"padding {100 * found['padding']:.1f} %; resident {found['resident_mib']:.0f} MiB "
                f"(imports alone {found['imported_mib']:.0f}), peak {found['peak_mib']:.0f}",
                flush=True,
            )
        if cuts <= MOST_FOR_LHOTSE:
            theirs = run(LHOTSE_PLAN, manifest, LARGE_BATCH)
            print(
                f"  lhotse: batches of {LARGE_BATCH:g} s: epoch of {theirs['batches']} gone through in "
                f"{theirs['cpu']:.2f} s CPU, padding {100 * theirs['padding']:.1f} %"
            )
        manifest.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--cuts", type=int, nargs="*", default=[10_000, 100_000, 1_500_000])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.clips:
            compare_reading(Path(folder), options.clips, options.repeats)
        measure_size(Path(folder), options.cuts)


if __name__ == "__main__":
    main()
