"""CPU milliseconds per clip of `unispeech prepare commonvoice` and of Lhotse's recipe, side by side.

    python bench/prepare.py [--clips 20000] [--distinct 500]

A CommonVoice of 500 distinct mp3 files of 3 to 5 s, linked under 20,000 names, is made in a temporary folder.
Each program prepares it in its own process, one worker, files in the page cache; CPU time is that of the
process and its children, imports left out. Ours writes cuts with normalised text, Lhotse's recordings and
supervisions.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

COLUMNS = (
    "client_id path sentence_id sentence sentence_domain up_votes down_votes "
    "age gender accents variant locale segment"
)
WORDS = (
    "el la una casa perro río árbol blanco grande pequeño corre mira tiene agua noche mañana sobre".split()
)

OURS = """
from pathlib import Path
from unispeech_cli.stages.prepare import prepare
def work(corpus, out): return list(prepare("commonvoice", Path(corpus), Path(out), splits=["train"]))
"""
LHOTSE = """
from lhotse.recipes.commonvoice import prepare_commonvoice
def work(corpus, out): return prepare_commonvoice(corpus, out, languages=["es"], splits=["train"], num_jobs=1)
"""
# imports are not counted: they are the same two seconds for 20 clips and for 1.5 million
TIMED = """
import json, resource, sys, time
def cpu():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
if __name__ == "__main__":
    before, started = cpu(), time.perf_counter()
    work(sys.argv[1], sys.argv[2])
    print(json.dumps({"cpu": cpu() - before, "wall": time.perf_counter() - started}))
"""


def make_corpus(root: Path, clips: int, distinct: int) -> None:
    """`root`/es with `clips` rows in train.tsv and as many names in clips/."""
    folder = root / "es" / "clips"
    folder.mkdir(parents=True)
    random = np.random.default_rng(1)
    rows, durations = [COLUMNS.replace(" ", "\t")], ["clip\tduration[ms]"]
    milliseconds: list[int] = []
    for number in range(clips):
        name = f"common_voice_es_{18_000_000 + number}.mp3"
        if number < distinct:
            milliseconds.append(round(1000 * _write_mp3(folder / name, random)))
        else:
            os.link(folder / f"common_voice_es_{18_000_000 + number % distinct}.mp3", folder / name)
        sentence = " ".join(random.choice(WORDS, size=random.integers(5, 12))).capitalize() + "."
        rows.append(
            f"{number % 997:0128x}\t{name}\t{number:064x}\t{sentence}\t\t2\t0\tthirties\tmale\t\t\tes\t"
        )
        durations.append(f"{name}\t{milliseconds[number % distinct]}")
    (root / "es" / "train.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (root / "es" / "clip_durations.tsv").write_text("\n".join(durations) + "\n", encoding="utf-8")


def _write_mp3(path: Path, random: np.random.Generator) -> float:
    rate, seconds = int(random.choice([32_000, 44_100, 48_000])), random.uniform(3, 5)
    time_axis = np.arange(int(rate * seconds)) / rate
    wave = 0.3 * np.sin(2 * np.pi * random.uniform(100, 400) * time_axis) + 0.02 * random.normal(
        size=len(time_axis)
    )
    mode = {"bitrate_mode": "CONSTANT", "compression_level": 0.7}
    soundfile.write(path, wave, rate, format="MP3", subtype="MPEG_LAYER_III", **mode)
    return len(wave) / rate


def timed(program: str, corpus: Path, out: Path) -> dict[str, float]:
    """CPU and wall seconds of one program in a process of its own."""
    script = out.with_name(f"run_{out.name}.py")
    script.write_text(program + TIMED, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script), str(corpus), str(out)], check=True, capture_output=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=20_000)
    parser.add_argument("--distinct", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_corpus(root / "corpus", options.clips, options.distinct)
        # the first run brings the files into the page cache for all
        timed(OURS, root / "corpus", root / "warm")
        seconds = {"lhotse": timed(LHOTSE, root / "corpus", root / "lhotse")}
        seconds["ours"] = timed(OURS, root / "corpus", root / "ours")
        (root / "corpus" / "es" / "clip_durations.tsv").unlink()
        seconds["ours, no clip_durations.tsv"] = timed(OURS, root / "corpus", root / "ours-bare")
    for name, took in seconds.items():
        ratio = seconds["lhotse"]["cpu"] / took["cpu"]
        per_clip = {kind: 1000 * value / options.clips for kind, value in took.items()}
        print(
            f"{name:28} {per_clip['cpu']:.4f} ms CPU  {per_clip['wall']:.4f} ms wall  {ratio:5.1f} x lhotse"
        )


if __name__ == "__main__":
    main()
