"""The transformer context network of wav2vec 2.0, in its post-norm (Base) and pre-norm (Large) forms.

Legend: B utterances, T frames, D model dimension, H heads.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unispeech_cli.model.activation import gelu
from unispeech_cli.model.economy import through
from unispeech_cli.model.exact import LayerNorm, wide
from unispeech_cli.model.frontend import length_mask


@dataclass(frozen=True)
class EncoderSettings:
    """The context network; defaults are Base (wav2vec 2.0, section 4.2)."""

    layers: int = 12
    dim: int = 768
    heads: int = 12
    ffn_dim: int = 3072
    # normalise before each block (Large) instead of after it (Base)
    pre_norm: bool = False
    position_kernel: int = 128
    position_groups: int = 16
    dropout: float = 0.1
    attention_dropout: float = 0.1
    activation_dropout: float = 0.0
    # the share of layers left out at random in each training step
    layerdrop: float = 0.0
    # epsilon of its layer norms, and of the one before it
    norm_eps: float = 1e-5


class Encoder(nn.Module):
    """Frames and their lengths -> contextual frames; padding is never attended to and comes out as 0.

    With `recomputes` layers keep no activations. What layers add to is wide (`exact.wide`).
    """

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__()
        self.settings = settings
        self.recomputes = False
        self.position = Position(settings)
        self.norm = LayerNorm(settings.dim, settings.norm_eps)
        self.layers = nn.ModuleList(Layer(settings) for _ in range(settings.layers))

    def forward(self, x_BTD: Tensor, lengths_B: Tensor) -> Tensor:
        inside_BT = length_mask(lengths_B, x_BTD.shape[1])
        x_BTD = wide(x_BTD) * inside_BT[:, :, None]
        x_BTD = x_BTD + self.position(x_BTD)
        if not self.settings.pre_norm:
            x_BTD = self.norm(x_BTD)
        x_BTD = F.dropout(x_BTD, self.settings.dropout, self.training)
        # without padding there is nothing to mask; a trace must hold for other lengths too
        known = not self.training and not torch.jit.is_tracing()
        full = known and int(lengths_B.min()) == x_BTD.shape[1]
        for layer in self.layers:
            if not (self.training and float(torch.rand(())) < self.settings.layerdrop):
                x_BTD = through(layer, x_BTD, None if full else inside_BT, again=self.recomputes)
        if self.settings.pre_norm:
            x_BTD = self.norm(x_BTD)
        return x_BTD * inside_BT[:, :, None]


class Position(nn.Module):
    """Relative positions by one grouped, weight-normalised convolution over time, then GELU."""

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__()
        self.kernel, self.groups = settings.position_kernel, settings.position_groups
        shape = (settings.dim, settings.dim // self.groups, self.kernel)
        self.weight_v = nn.Parameter(torch.randn(shape) * (4 / (self.kernel * settings.dim)) ** 0.5)
        self.weight_g = nn.Parameter(self._norm().detach().clone())
        self.bias = nn.Parameter(torch.zeros(settings.dim))

    def forward(self, x_BTD: Tensor) -> Tensor:
        weight = self.weight_v * (self.weight_g / self._norm())
        y_BDT = F.conv1d(
            x_BTD.transpose(1, 2), weight, self.bias, padding=self.kernel // 2, groups=self.groups
        )
        # an even kernel gives one frame too many
        return gelu(y_BDT[:, :, : x_BTD.shape[1]]).transpose(1, 2)

    def _norm(self) -> Tensor:
        return self.weight_v.square().sum((0, 1), keepdim=True).sqrt()


class Layer(nn.Module):
    """Self-attention and a feed-forward block, each with a residual and a norm after or before it."""

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__()
        self.settings = settings
        self.attention = Attention(settings)
        self.attention_norm = LayerNorm(settings.dim, settings.norm_eps)
        self.expand = nn.Linear(settings.dim, settings.ffn_dim)
        self.contract = nn.Linear(settings.ffn_dim, settings.dim)
        self.ffn_norm = LayerNorm(settings.dim, settings.norm_eps)

    def forward(self, x_BTD: Tensor, inside_BT: Tensor | None) -> Tensor:
        if self.settings.pre_norm:
            x_BTD = x_BTD + self._drop(self.attention(self.attention_norm(x_BTD), inside_BT))
            return x_BTD + self._drop(self._feed_forward(self.ffn_norm(x_BTD)))
        x_BTD = self.attention_norm(x_BTD + self._drop(self.attention(x_BTD, inside_BT)))
        return self.ffn_norm(x_BTD + self._drop(self._feed_forward(x_BTD)))

    def _feed_forward(self, x_BTD: Tensor) -> Tensor:
        hidden_BTF = gelu(self.expand(x_BTD))
        return self.contract(F.dropout(hidden_BTF, self.settings.activation_dropout, self.training))

    def _drop(self, x_BTD: Tensor) -> Tensor:
        return F.dropout(x_BTD, self.settings.dropout, self.training)


class Attention(nn.Module):
    """Multi-head self-attention over the frames inside each utterance; over all of them where None are given."""

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__()
        self.heads, self.dropout = settings.heads, settings.attention_dropout
        self.query = nn.Linear(settings.dim, settings.dim)
        self.key = nn.Linear(settings.dim, settings.dim)
        self.value = nn.Linear(settings.dim, settings.dim)
        self.out = nn.Linear(settings.dim, settings.dim)
        for projection in (self.query, self.key, self.value, self.out):
            nn.init.xavier_uniform_(projection.weight)
            nn.init.zeros_(projection.bias)

    def forward(self, x_BTD: Tensor, inside_BT: Tensor | None) -> Tensor:
        query, key, value = (self._split(project(x_BTD)) for project in (self.query, self.key, self.value))
        dropout = self.dropout if self.training else 0.0
        allowed = None if inside_BT is None else inside_BT[:, None, None, :]
        mixed_BHTD = attend(query, key, value, allowed, dropout)
        return self.out(mixed_BHTD.transpose(1, 2).flatten(2))

    def _split(self, x_BTD: Tensor) -> Tensor:
        return x_BTD.unflatten(2, (self.heads, -1)).transpose(1, 2)


def _attend_plainly(
    query: Tensor, key: Tensor, value: Tensor, allowed: Tensor | None, dropout: float
) -> Tensor:
    # scaled before the product, which fp16 may not hold; then in place: scores are by far the largest thing in memory
    score = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
    if allowed is not None:
        score = score.masked_fill_(~allowed, float("-inf"))
    weight = wide(score).softmax(-1)
    return F.dropout(weight, dropout).to(value.dtype) @ value


def _attend_fused(
    query: Tensor, key: Tensor, value: Tensor, allowed: Tensor | None, dropout: float
) -> Tensor:
    return F.scaled_dot_product_attention(query, key, value, allowed, dropout)


# the one place that knows which attention kernel this torch has
attend = _attend_fused if hasattr(F, "scaled_dot_product_attention") else _attend_plainly
