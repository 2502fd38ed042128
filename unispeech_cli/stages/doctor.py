"""What works on this machine, and for each fault the one line that mends it."""

import io
import itertools
import math
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

from unispeech_cli.lang import phonemizer

# of the recipes and the mini corpora
LANGUAGES = ("en", "es", "fr", "it", "ky", "nl", "ru", "sv", "tr", "tt", "zh")
# libsndfile's container and encoding
FORMATS = {"flac": ("FLAC", "PCM_16"), "mp3": ("MP3", None), "sph": ("NIST", "PCM_16")}
SCRIPT = Path(__file__).parents[2] / "local" / "setup.sh"
FREE_GIGABYTES = 5.0


@dataclass(frozen=True)
class Check:
    """One thing looked at: what was found, and the line that mends it where it is not `ok`.

    A fault in a check that is not `needed` costs a method or two, never the toolkit.
    """

    name: str
    ok: bool
    found: str
    mend: str = ""
    needed: bool = True


@dataclass(frozen=True)
class _Probe:
    name: str
    look: Callable[[], str]
    mend: str
    needed: bool = True


def examine(directory: Path) -> list[Check]:
    """Look at Python, torch, GPUs, k2, lhotse, voices, audio formats, further tools, room in `directory`."""
    return [_checked(probe) for probe in _probes(directory)]


def healthy(checks: Sequence[Check]) -> bool:
    """Whether everything that the toolkit needs works."""
    return all(check.ok or not check.needed for check in checks)


def _probes(directory: Path) -> list[_Probe]:
    old_torch = _torch_major() == 1
    pip = f"{sys.executable} -m pip install"
    lhotse = "lhotse==1.32.1" if old_torch else "-U lhotse urllib3"
    return [
        _Probe("python", _python, _set_up("--python python3.11")),
        _Probe("torch", _torch, _set_up("" if _torch_major() in (None, 1) else "--env torch2")),
        _Probe("gpu", _gpus, _set_up("--env torch2"), needed=False),
        _Probe("k2", _k2, _set_up("" if old_torch else "--env torch2 --k2 WHEEL-OR-INDEX"), needed=old_torch),
        _Probe("lhotse", _lhotse, f"{pip} {lhotse}"),
        _Probe("espeak-ng", _espeak, f"{pip} phonemizer espeakng-loader", needed=False),
        *(
            _Probe(f"voice {language}", partial(_voice, language), f"{pip} -U espeakng-loader", needed=False)
            for language in LANGUAGES
        ),
        *(
            _Probe(f"audio {name}", partial(_audio, *container), f"{pip} -U soundfile")
            for name, container in FORMATS.items()
        ),
        _Probe("kaldilm", partial(metadata.version, "kaldilm"), f"{pip} kaldilm", needed=False),
        _Probe("ffmpeg", _ffmpeg, "as root: apt-get install ffmpeg", needed=False),
        _Probe("disk", partial(_disk, directory), "make room, or work in a directory on a larger disk"),
    ]


def _set_up(options: str) -> str:
    script = str(SCRIPT) if SCRIPT.is_file() else "in a clone of the project: ./local/setup.sh"
    return f"{script} {options}".rstrip()


def _checked(probe: _Probe) -> Check:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Check(probe.name, True, probe.look(), needed=probe.needed)
    except Exception as error:  # whatever is wrong with a library is a finding
        found = next(iter(str(error).strip().splitlines()), type(error).__name__)
        return Check(probe.name, False, found, probe.mend, probe.needed)


def _python() -> str:
    found = f"{sys.version.split()[0]} ({sys.executable})"
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise RuntimeError(f"{found}, expected 3.11, 3.12 or 3.13")
    return found


def _torch_major() -> int | None:
    try:
        import torch
    except Exception:  # a broken torch has its own line in the report
        return None
    return int(torch.__version__.split(".")[0])


def _torch() -> str:
    import torch

    weight = torch.ones(2, requires_grad=True)
    (weight**2).sum().backward()
    if weight.grad is None or weight.grad.tolist() != [2, 2]:
        raise RuntimeError(f"{torch.__version__} computes wrong gradients")
    return f"{torch.__version__}, {torch.get_num_threads()} threads"


def _gpus() -> str:
    import torch

    if not torch.cuda.is_available():
        if Path("/proc/driver/nvidia/version").exists():
            raise RuntimeError(f"an NVIDIA driver is here, but torch {torch.__version__} cannot use it")
        return "none: everything runs on the CPU"
    return f"CUDA {torch.version.cuda}; " + "; ".join(
        _gpu(index) for index in range(torch.cuda.device_count())
    )


def _gpu(index: int) -> str:
    import torch

    properties = torch.cuda.get_device_properties(index)
    capability = (properties.major, properties.minor)
    found = f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB, sm_{capability[0]}{capability[1]}"
    if not has_kernels(capability, torch.cuda.get_arch_list()):
        raise RuntimeError(f"{found}: torch {torch.__version__} holds no code for it")
    if torch.ones(2, device=f"cuda:{index}").sum().item() != 2:
        raise RuntimeError(f"{found}: computes wrongly")
    return found


def has_kernels(capability: tuple[int, int], architectures: Sequence[str]) -> bool:
    """Whether code for `architectures` (torch's `sm_80`, `compute_90` ...) runs on a GPU of `capability`.

    Machine code (`sm_`) runs on its major version from its minor version up, PTX (`compute_`) on all newer.
    """
    for name in architectures:
        kind, _, number = name.partition("_")
        digits = "".join(character for character in number if character.isdigit())
        built = (int(digits[:-1]), int(digits[-1]))
        if built <= capability and (kind == "compute" or built[0] == capability[0]):
            return True
    return False


def _k2() -> str:
    try:
        import k2
    except ModuleNotFoundError as error:
        if error.name != "k2":
            raise
        raise RuntimeError("absent: graph methods (one-best, HLG, rescoring) need it") from None
    import torch

    log_probs = torch.log_softmax(torch.tensor([[0.3, -0.5, 1.0], [0.8, 0.1, -1.2], [0.0, 0.9, 0.4]]), -1)
    dense = k2.DenseFsaVec(log_probs[None], torch.tensor([[0, 0, 3]], dtype=torch.int32))
    loss = k2.ctc_loss(k2.ctc_graph([[2, 1]]), dense, output_beam=30.0).item()
    expected = ctc_by_enumeration(log_probs.exp().tolist(), [2, 1])
    if not math.isclose(loss, expected, rel_tol=1e-5):
        raise RuntimeError(f"k2 imports, but its CTC loss is {loss:.6f} where {expected:.6f} is right")
    device = "CPU and CUDA" if k2.with_cuda else "CPU only"
    return f"{k2.__dev_version__} ({device}), CTC loss right"


def ctc_by_enumeration(probabilities: list[list[float]], labels: list[int]) -> float:
    """CTC loss by its definition: -log of the summed probability of every path that reads as `labels`."""
    total = 0.0
    for path in itertools.product(range(len(probabilities[0])), repeat=len(probabilities)):
        if [label for label, _ in itertools.groupby(path) if label != 0] == labels:
            total += math.prod(row[label] for row, label in zip(probabilities, path, strict=True))
    return -math.log(total)


def _lhotse() -> str:
    import lhotse
    from lhotse.dataset import SimpleCutSampler

    cut = lhotse.MonoCut(id="cut", start=0, duration=1, channel=0)
    batches = len(list(SimpleCutSampler(lhotse.CutSet.from_cuts([cut]), max_duration=10)))
    if batches != 1:
        raise RuntimeError(f"{lhotse.__version__}: a sampler over one cut gave {batches} batches")
    return f"{lhotse.__version__}, samplers work"


def _espeak() -> str:
    return phonemizer.versions()["espeak-ng"]


def _voice(language: str) -> str:
    espeak = phonemizer.Espeak(language)
    if not espeak.speak(["a"])[0].phones:
        raise RuntimeError(f"the voice {espeak.voice} says nothing")
    return espeak.voice


def _audio(container: str, subtype: str | None) -> str:
    import numpy as np
    import soundfile

    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tone")
        soundfile.write(path, tone, 16_000, format=container, subtype=subtype)
        heard, rate = soundfile.read(io.BytesIO(path.read_bytes()))
    if rate != 16_000 or len(heard) != len(tone) or np.abs(heard - tone).mean() > 0.02:
        raise RuntimeError(f"wrote 1 s at 16 kHz, read {len(heard) / rate:.3f} s at {rate / 1000:g} kHz")
    return f"written and read by libsndfile {soundfile.__libsndfile_version__}"


def _ffmpeg() -> str:
    """For recordings that libsndfile does not read."""
    found = shutil.which("ffmpeg")
    if found is None:
        raise RuntimeError("not on the path: mp4, m4a, mkv and webm cannot be read")
    return found


def _disk(directory: Path) -> str:
    free = shutil.disk_usage(directory).free / 1e9
    if free < FREE_GIGABYTES:
        raise RuntimeError(f"{free:.1f} GB free in {directory}, {FREE_GIGABYTES:g} GB wanted")
    return f"{free:.1f} GB free in {directory}"
