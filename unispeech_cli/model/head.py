"""The CTC head."""

import math

from torch import nn

# what blank gets of the probability before anything is learnt: about its share of the frames of real speech.
# From a uniform start the first steps all push towards blank, and training then sits on that plateau for longer
BLANK_SHARE = 0.8


def ctc_head(dim: int, num_tokens: int) -> nn.Linear:
    """A linear layer from `dim` channels to `num_tokens` logits, blank (0) included and favoured at first."""
    head = nn.Linear(dim, num_tokens)
    nn.init.xavier_uniform_(head.weight)
    nn.init.zeros_(head.bias)
    nn.init.constant_(head.bias[:1], math.log(BLANK_SHARE / (1 - BLANK_SHARE) * max(num_tokens - 1, 1)))
    return head
