"""One training step of UniSpeech Base and Large on utterances of real lengths: parameters, seconds, peak memory.

    python bench/train_step.py [--presets base large] [--seconds 15 9] [--peer]

Noise of the given lengths, labelled with 12 phones a second, through the model, the whole objective (CTC on the mix,
contrastive, diversity), backwards, clipping and AdamW, as `unispeech pretrain` does it; each in a process of its
own. With --peer also transformers' UniSpeechForPreTraining of the same shape, forwards and backwards (it has no
loss: the sum of its states, and no optimiser).
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Sequence

import torch

from unispeech_cli.batches.batch import Batch, Example, collate
from unispeech_cli.frames import SAMPLE_RATE
from unispeech_cli.model.unispeech import PRESETS, UniSpeech, UniSpeechSettings
from unispeech_cli.objective.unispeech import ObjectiveSettings, UniSpeechObjective
from unispeech_cli.settings import load
from unispeech_cli.trainer.loop import Machine, fit
from unispeech_cli.trainer.optim import OptimSettings, make_optimizer

TOKENS = 80
PHONES_PER_SECOND = 12


def batch(seconds: Sequence[float]) -> Batch:
    torch.manual_seed(0)
    return collate(
        [
            Example(
                f"noise-{row}",
                "en",
                torch.randn(int(length * SAMPLE_RATE)) * 0.1,
                torch.randint(1, TOKENS, (int(length * PHONES_PER_SECOND),)),
            )
            for row, length in enumerate(seconds)
        ]
    )


def our_step(preset: str, heard: Batch) -> tuple[int, float, str]:
    settings = load(UniSpeechSettings, preset=PRESETS[preset])
    model = UniSpeech(settings, TOKENS).train()
    optim = OptimSettings()
    start = time.perf_counter()
    (step,) = fit(
        model,
        UniSpeechObjective(ObjectiveSettings()),
        iter([heard]),
        make_optimizer(model, optim),
        first=0,
        last=1,
        batches_per_update=1,
        clip=optim.clip,
        before_update=lambda update: 1e-5,
        seed=1,
        machine=Machine.alone(),
    )
    took = time.perf_counter() - start
    told = ", ".join(f"{name} {value:.3f}" for name, value in step.losses.items())
    return sum(weight.numel() for weight in model.parameters()), took, told


def their_pass(preset: str, heard: Batch) -> tuple[int, float, str]:
    from transformers import UniSpeechConfig, UniSpeechForPreTraining

    settings = load(UniSpeechSettings, preset=PRESETS[preset])
    assert settings.quantizer is not None
    config = UniSpeechConfig(
        hidden_size=settings.encoder.dim,
        num_hidden_layers=settings.encoder.layers,
        num_attention_heads=settings.encoder.heads,
        intermediate_size=settings.encoder.ffn_dim,
        feat_extract_norm=settings.frontend.norm,
        conv_bias=settings.frontend.bias,
        do_stable_layer_norm=settings.encoder.pre_norm,
        codevector_dim=settings.quantizer.dim,
        proj_codevector_dim=settings.quantizer.projection,
        num_ctc_classes=TOKENS,
        layerdrop=0.0,
    )
    model = UniSpeechForPreTraining(config).train()
    attention_BS = torch.arange(heard.wave_BS.shape[1]) < heard.wave_lengths_B[:, None]
    start = time.perf_counter()
    output = model(heard.wave_BS, attention_mask=attention_BS.long())
    (output.projected_states.sum() + output.projected_quantized_states.sum()).backward()
    return sum(weight.numel() for weight in model.parameters()), time.perf_counter() - start, "no loss"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["base", "large"])
    parser.add_argument("--seconds", nargs="+", type=float, default=[15.0, 9.0])
    parser.add_argument("--peer", action="store_true")
    parser.add_argument("--only", choices=["unispeech", "transformers"], help="one of them, in this process")
    options = parser.parse_args()
    if options.only:
        run = our_step if options.only == "unispeech" else their_pass
        parameters, took, told = run(options.presets[0], batch(options.seconds))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"{options.presets[0]:6} {options.only:12} {parameters / 1e6:7.2f} M parameters  {took:6.1f} s  "
            f"peak {peak:.1f} GiB  {told}"
        )
        return
    lengths = [str(length) for length in options.seconds]
    for preset in options.presets:
        for who in ["unispeech", "transformers"] if options.peer else ["unispeech"]:
            arguments = [sys.executable, __file__, "--presets", preset, "--only", who, "--seconds", *lengths]
            subprocess.run(arguments, check=True)


if __name__ == "__main__":
    main()
