"""transformers' UniSpeech with the losses that it lacks, as the official code computes them: the peer of train.py.

The contrastive loss gathers every distractor's vector before it compares: (K + 1, M, D) numbers for M masked frames.
The objective is ours, term by term; so are the weights, and the masks of a batch with seeds.

Legend: B utterances, S samples, T frames, D dimension, G groups, V entries, M masked frames, K distractors, N tokens.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import UniSpeechConfig, UniSpeechForPreTraining

from unispeech_cli.batches.batch import Batch
from unispeech_cli.chance import generators
from unispeech_cli.frames import num_frames
from unispeech_cli.interop.hub_config import config
from unispeech_cli.interop.names import to_transformers
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.model.masking import span_mask
from unispeech_cli.model.unispeech import UniSpeech
from unispeech_cli.objective.unispeech import ObjectiveSettings
from unispeech_cli.trainer.optim import OptimSettings, make_optimizer, set_rate
from unispeech_cli.trainer.precision import Precision

RATE = 1e-5


def peer_of(model: UniSpeech, tokens: int) -> UniSpeechForPreTraining:
    """The same network of transformers', with the same weights."""
    table = TokenTable(("<blk>", *(f"t{number}" for number in range(1, tokens))))
    peer = UniSpeechForPreTraining(UniSpeechConfig(**config(model.settings, table, "unispeech")))
    peer.config.layerdrop = 0.0
    new_norm = any("parametrizations" in name for name in peer.state_dict())
    peer.load_state_dict(to_transformers(model.state_dict(), "unispeech", new_norm))
    for module in peer.modules():
        if isinstance(module, nn.GroupNorm | nn.LayerNorm):
            _keep_wide(module)
    return peer


def _keep_wide(norm: nn.GroupNorm | nn.LayerNorm) -> None:
    """Compute in float32: autocast on a CPU hands it bfloat16, which torch 1.13 refuses."""
    narrow = norm.forward

    def wide(x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return narrow(x.float())

    norm.forward = wide  # type: ignore[method-assign]


class PeerLosses(nn.Module):
    """Waves -> the sum of the weighted terms, and the terms by name, per masked frame."""

    def __init__(self, peer: UniSpeechForPreTraining, ours: UniSpeech, settings: ObjectiveSettings) -> None:
        super().__init__()
        self.peer, self.settings, self.spans, self.replace = peer, settings, ours.settings.mask, ours.replace
        self.scored: Tensor | None = None
        peer.quantizer.temperature = ours.temperature
        peer.quantizer.weight_proj.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: object, output: Tensor) -> None:
        self.scored = output

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        peer, settings = self.peer, self.settings
        attention_BS = torch.arange(batch.wave_BS.shape[1], device=batch.wave_BS.device)
        attention_BS = attention_BS < batch.wave_lengths_B[:, None]
        frame_lengths_B = num_frames(batch.wave_lengths_B)
        chances = generators(batch.seeds, "mask", len(batch.cut_ids))
        mask_BT = span_mask(frame_lengths_B, int(num_frames(batch.wave_BS.shape[1])), self.spans, chances)
        found = peer.unispeech(
            _normalized(batch), attention_mask=attention_BS.long(), mask_time_indices=mask_BT
        )
        context_BTD = found[0]
        vector_BTE, _ = peer.quantizer(peer.dropout_features(found[1]))
        quantized_BTD = peer.project_hid(peer.project_q(vector_BTE))
        swapped_BT = torch.rand(mask_BT.shape, device=mask_BT.device) < self.replace
        mixed_BTD = torch.where(swapped_BT[:, :, None], quantized_BTD, context_BTD)
        logit_BTN = peer.ctc_proj(peer.dropout(mixed_BTD))
        labelled, masked = settings.alpha, int(mask_BT.sum())
        terms = {
            "ctc": labelled * _ctc(logit_BTN, frame_lengths_B, batch),
            "contrastive": (1 - labelled) * self._contrast(context_BTD, quantized_BTD, mask_BT),
            "diversity": (1 - labelled) * settings.diversity * masked * self._diversity(mask_BT),
        }
        total = torch.stack(list(terms.values())).sum() / masked
        return total, {name: float(term.detach()) / masked for name, term in terms.items()}

    def _contrast(self, context_BTD: Tensor, quantized_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        settings = self.settings.contrastive
        row_M = mask_BT.nonzero()[:, 0]
        context_MD, target_MD = context_BTD[mask_BT].float(), quantized_BTD[mask_BT].float()
        count_B = mask_BT.sum(1)
        first_M, count_M = (count_B.cumsum(0) - count_B)[row_M], count_B[row_M]
        # of the other masked frames of the utterance, never the frame itself
        share_KM = torch.rand(settings.distractors, len(row_M), device=mask_BT.device)
        drawn_KM = (share_KM * (count_M - 1)).long()
        own_M = torch.arange(len(row_M), device=mask_BT.device) - first_M
        drawn_KM = drawn_KM + (drawn_KM >= own_M).long() + first_M
        candidate_KMD = torch.cat([target_MD[None], target_MD[drawn_KM]])
        score_KM = F.cosine_similarity(context_MD[None], candidate_KMD, dim=-1) / settings.temperature
        same_KM = (candidate_KMD[1:] == target_MD[None]).all(-1)
        score_KM = torch.cat([score_KM[:1], score_KM[1:].masked_fill(same_KM, float("-inf"))])
        return F.cross_entropy(score_KM.T, torch.zeros_like(row_M), reduction="sum")

    def _diversity(self, mask_BT: Tensor) -> Tensor:
        assert self.scored is not None
        groups = self.peer.quantizer.num_groups
        mean_GV = self.scored.float().unflatten(-1, (groups, -1)).softmax(-1).flatten(0, -3).mean(0)
        used = (-(mean_GV * (mean_GV + 1e-7).log()).sum(-1)).exp().sum()
        return 1 - used / mean_GV.numel()


def their_updates(
    model: UniSpeech, batch: Batch, tokens: int, updates: int, precision: Precision
) -> Iterator[dict[str, float]]:
    """Train the peer of a model, yielding the terms of each update; of the model itself nothing is kept."""
    peer = peer_of(model.cpu(), tokens).to(batch.wave_BS.device).train()
    losses, settings = PeerLosses(peer, model, ObjectiveSettings()), OptimSettings()
    model.context, model.quantizer = nn.Identity(), None
    optimizer = make_optimizer(peer, settings)
    for _ in range(updates):
        set_rate(optimizer, RATE)
        with precision.autocast():
            total, told = losses(batch)
        total.backward()
        nn.utils.clip_grad_norm_(peer.parameters(), settings.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        yield told


def _normalized(batch: Batch) -> Tensor:
    """What their feature extractor does: mean 0 and variance 1 over the true length."""
    waves = zip(batch.wave_BS, batch.wave_lengths_B.tolist(), strict=True)
    rows = [F.pad(F.layer_norm(w[:n], (n,), eps=1e-7), (0, len(w) - n)) for w, n in waves]
    return torch.stack(rows)


def _ctc(logit_BTN: Tensor, frame_lengths_B: Tensor, batch: Batch) -> Tensor:
    log_prob_TBN = logit_BTN.float().log_softmax(-1).transpose(0, 1)
    return F.ctc_loss(log_prob_TBN, batch.token_BL, frame_lengths_B, batch.token_lengths_B, reduction="sum")
