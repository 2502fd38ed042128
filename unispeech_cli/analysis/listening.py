"""A batch of labelled speech -> codes and phones of its frames, in quiet and in noise.

Legend: B utterances, S samples, T frames, G codebook groups, V tokens with blank at 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from unispeech_cli.analysis.frame_phones import label_positions
from unispeech_cli.analysis.observed import Ints, Utterance
from unispeech_cli.batches.augment import made_noise, noisy
from unispeech_cli.batches.batch import Batch
from unispeech_cli.chance import mixed
from unispeech_cli.decoder.forced import align
from unispeech_cli.decoder.search import greedy
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.model.recognizer import Recognizer
from unispeech_cli.model.unispeech import UniSpeech
from unispeech_cli.scorer.alignment import align as align_edits
from unispeech_cli.scorer.alignment import count
from unispeech_cli.scorer.rates import Rate


@dataclass(frozen=True)
class NoiseLevels:
    """Noise in which codes are looked at again: dB between speech and noise, and the noise's colour."""

    snr: tuple[float, ...] = (20.0, 10.0, 0.0)
    colour: Literal["white", "pink"] = "pink"


@dataclass(frozen=True)
class Heard:
    """What came of a batch: its utterances, errors of greedy recognition, a line for each left out."""

    utterances: list[Utterance]
    rate: Rate
    faults: list[str]


@dataclass(frozen=True)
class Listener:
    """A codebook to look at, and a recogniser that says where phones are; `speakers` is by cut id."""

    codebook: UniSpeech
    aligner: Recognizer
    tokens: TokenTable
    # of a frame and the nearest run of a label, in frames
    reach: int
    noise: NoiseLevels
    seed: int
    speakers: Mapping[str, str | None]

    def hear(self, batch: Batch) -> Heard:
        """Every utterance of a batch on the models' device that the recogniser can align."""
        with torch.no_grad():
            logit_BTV, frame_lengths_B = self.aligner.recognize(batch.wave_BS, batch.wave_lengths_B)
            code_BTG = self._codes(batch.wave_BS, batch.wave_lengths_B)
            in_noise = {
                snr: self._codes(self._noisy(batch, snr), batch.wave_lengths_B) for snr in self.noise.snr
            }
        log_prob_BTV = logit_BTV.float().log_softmax(-1).cpu()
        found, rate, faults = list[Utterance](), Rate(), list[str]()
        for row, path in enumerate(greedy(log_prob_BTV, frame_lengths_B.cpu())):
            labels = batch.token_BL[row, : batch.token_lengths_B[row]].tolist()
            rate += Rate(count(align_edits(labels, path.ids)), 1)
            frames = int(frame_lengths_B[row])
            try:
                alignment = align(log_prob_BTV[row, :frames], labels)
            except ValueError as error:
                faults.append(f"{batch.cut_ids[row]} left out: {error}")
                continue
            found.append(
                Utterance(
                    batch.cut_ids[row],
                    batch.languages[row],
                    self.speakers[batch.cut_ids[row]],
                    tuple(self.tokens.decode(labels)),
                    label_positions(alignment, frames, self.reach),
                    code_BTG[row, :frames],
                    {snr: noisy_BTG[row, :frames] for snr, noisy_BTG in in_noise.items()},
                )
            )
        return Heard(found, rate, faults)

    def _codes(self, wave_BS: Tensor, wave_lengths_B: Tensor) -> Ints:
        """The best entry of each group for each frame: q's code in evaluation, (B, T, G)."""
        feature_BTC, _ = self.codebook.context.features(wave_BS, wave_lengths_B)
        assert self.codebook.quantizer is not None
        codes: Ints = self.codebook.quantizer(feature_BTC, self.codebook.temperature).code_BTG.cpu().numpy()
        return codes

    def _noisy(self, batch: Batch, snr: float) -> Tensor:
        wave_BS = batch.wave_BS.cpu().clone()
        for row, (cut_id, samples) in enumerate(
            zip(batch.cut_ids, batch.wave_lengths_B.tolist(), strict=True)
        ):
            # the same noise at every level
            random = np.random.default_rng(mixed(self.seed, cut_id, "noise"))
            noise_S = made_noise(self.noise.colour, samples, random)
            wave_BS[row, :samples] = torch.from_numpy(noisy(wave_BS[row, :samples].numpy(), noise_S, snr))
        return wave_BS.to(batch.wave_BS.device)
