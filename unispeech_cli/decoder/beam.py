"""CTC prefix beam search (Hannun et al. 2014), without a graph: the log-probability of a text over all its paths.

Legend: B utterances, T frames, V tokens with blank at 0, K tokens of a frame that are looked at.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from unispeech_cli.decoder.bias import ROOT, Bias
from unispeech_cli.decoder.search import BLANK, BestPath

# frames turned into Python numbers at once
SLICE = 2_000
_NO_BIAS = Bias(({},), (ROOT,), (0.0,), (0.0,))


@dataclass(frozen=True)
class PrefixBeams:
    """How much of the prefix beam search is kept."""

    prefixes: int = 16
    """Texts that are followed at once."""
    beam: float = 10.0
    """A text is given up when it is so much (log-probability) worse than the best."""
    tokens: int = 20
    """So many tokens of a frame are looked at, the likeliest, blank not counted."""
    token_beam: float = 6.0
    """A token is not looked at when it is so much less likely than the likeliest, and no bonus makes up for it."""
    blank_certain: float = 0.9995
    """A frame in which blank is more probable than this says nothing else."""


def prefix_beam(
    log_prob_BTV: Tensor,
    frame_lengths_B: Tensor,
    beams: PrefixBeams | None = None,
    bias: Bias | None = None,
    paths: int = 1,
) -> list[list[BestPath]]:
    """The `paths` likeliest texts of each utterance, the best first; scores are summed over alignments.

    With `bias` the score is what the search ranked by: log-probability and bonus.
    """
    rows = zip(log_prob_BTV.detach(), frame_lengths_B.tolist(), strict=True)
    return [_decode(row[:length], beams or PrefixBeams(), bias or _NO_BIAS, paths) for row, length in rows]


class _Prefix:
    """A text so far: a token behind another text. Probabilities are those of its paths, by how they end."""

    __slots__ = (
        "bonus", "children", "frame", "next_blank", "next_token", "on_blank", "on_token", "parent", "peak",
        "rank", "seen", "state", "token", "weight",
    )  # fmt: skip

    def __init__(self, token: int, parent: "_Prefix | None", state: int, bonus: float) -> None:
        self.token, self.parent, self.state, self.bonus = token, parent, state, bonus
        self.children: dict[int, _Prefix] = {}
        self.on_blank = self.on_token = self.next_blank = self.next_token = self.rank = 0.0
        self.weight = math.exp(bonus)
        # where the token was likeliest to begin, and how likely; the frame that saw the prefix last
        self.peak, self.frame, self.seen = 0.0, 0, -1


@dataclass(frozen=True)
class _Frame:
    number: int
    blank: float
    tokens: list[tuple[int, float]]


def _decode(log_prob_TV: Tensor, beams: PrefixBeams, bias: Bias, paths: int) -> list[BestPath]:
    root = _Prefix(BLANK, None, bias.start, 0.0)
    root.on_blank = 1.0
    alive, log_scale = [root], 0.0
    certain = False
    for frame in _frames(log_prob_TV, beams, beams.token_beam + bias.most):
        if frame.blank > beams.blank_certain:
            log_scale += math.log(frame.blank)
            if not certain:
                for prefix in alive:
                    prefix.on_blank, prefix.on_token = prefix.on_blank + prefix.on_token, 0.0
            certain = True
            continue
        certain = False
        alive, scale = _kept(_extended(alive, frame, beams, bias), beams, bias)
        log_scale += math.log(scale)
    return _best(alive, log_scale, bias, log_prob_TV, paths)


def _frames(log_prob_TV: Tensor, beams: PrefixBeams, token_beam: float) -> Iterator[_Frame]:
    """What each frame says: blank's probability, and the likeliest tokens with theirs, the likeliest first."""
    for start in range(0, len(log_prob_TV), SLICE):
        prob_TV = log_prob_TV[start : start + SLICE].double().exp().cpu()
        blank_T = prob_TV[:, BLANK].tolist()
        prob_TK, id_TK = prob_TV[:, 1:].topk(min(beams.tokens, prob_TV.shape[1] - 1))
        looked_at_T = (prob_TK > prob_TV.amax(-1, keepdim=True) * math.exp(-token_beam)).sum(-1).tolist()
        said = zip(blank_T, looked_at_T, (id_TK + 1).tolist(), prob_TK.tolist(), strict=True)
        for number, (blank, looked_at, ids, probs) in enumerate(said, start):
            yield _Frame(number, blank, list(zip(ids[:looked_at], probs[:looked_at], strict=True)))


def _extended(alive: list[_Prefix], frame: _Frame, beams: PrefixBeams, bias: Bias) -> list[_Prefix]:
    """All prefixes that the frame leaves or makes, of `alive` from the best on; in their next_* fields."""
    touched, number = list(alive), frame.number
    floor = _floor(alive, frame, beams) * math.exp(-bias.most)
    for prefix in alive:
        prefix.seen = number
    for prefix in alive:
        _extend(prefix, frame, bias, floor, touched)
    return touched


def _floor(alive: list[_Prefix], frame: _Frame, beams: PrefixBeams) -> float:
    """What ranks lower than this after the frame will not be kept."""
    likeliest = max(frame.blank, frame.tokens[0][1]) if frame.tokens else frame.blank
    within_beam = (alive[0].on_blank + alive[0].on_token) * likeliest * math.exp(-beams.beam)
    if len(alive) < beams.prefixes:
        return within_beam
    # enough prefixes rank at least as high by saying nothing more
    return max(within_beam, frame.blank * min((p.on_blank + p.on_token) * p.weight for p in alive))


def _extend(prefix: _Prefix, frame: _Frame, bias: Bias, floor: float, touched: list[_Prefix]) -> None:
    total, last, children, number = (
        prefix.on_blank + prefix.on_token,
        prefix.token,
        prefix.children,
        frame.number,
    )
    prefix.next_blank += total * frame.blank
    weighed = floor / prefix.weight
    for token, prob in frame.tokens:
        mass = total * prob
        if mass <= weighed:
            break
        if token == last:
            prefix.next_token += prefix.on_token * prob
            # only over a blank is it said again
            mass = prefix.on_blank * prob
            if mass <= weighed:
                continue
        child = children.get(token)
        if child is None:
            state, gain = bias.step(prefix.state, token)
            child = children[token] = _Prefix(token, prefix, state, prefix.bonus + gain)
        if child.seen != number:
            child.seen = number
            touched.append(child)
        child.next_token += mass
        if mass > child.peak:
            child.peak, child.frame = mass, number


def _kept(touched: list[_Prefix], beams: PrefixBeams, bias: Bias) -> tuple[list[_Prefix], float]:
    """The best prefixes, the best first, scaled to a sum of 1 for the best; and the scale."""
    for prefix in touched:
        prefix.rank = (prefix.next_blank + prefix.next_token) * prefix.weight
    touched.sort(key=_rank, reverse=True)
    # a phrase that has but begun may break off: it is no measure for the others
    bar = touched[0].rank * math.exp(-beams.beam - bias.held[touched[0].state])
    number = min(len(touched), beams.prefixes)
    while number > 1 and touched[number - 1].rank < bar:
        number -= 1
    kept, scale = touched[:number], touched[0].next_blank + touched[0].next_token
    for prefix in kept:
        prefix.on_blank, prefix.on_token = prefix.next_blank / scale, prefix.next_token / scale
        prefix.next_blank = prefix.next_token = 0.0
    for prefix in touched[number:]:
        prefix.on_blank = prefix.on_token = prefix.next_blank = prefix.next_token = prefix.rank = 0.0
        _forget(prefix)
    return kept, scale


def _rank(prefix: _Prefix) -> float:
    return prefix.rank


def _forget(prefix: _Prefix) -> None:
    """Take a prefix out of the tree, and those above it that nothing needs any more."""
    while not prefix.children and prefix.rank == 0.0 and prefix.parent is not None:
        del prefix.parent.children[prefix.token]
        prefix = prefix.parent


def _best(
    alive: list[_Prefix], log_scale: float, bias: Bias, log_prob_TV: Tensor, paths: int
) -> list[BestPath]:
    scored = []
    for prefix in alive:
        bonus = prefix.bonus + bias.finish(prefix.state)
        scored.append((math.log(prefix.on_blank + prefix.on_token) + log_scale + bonus, prefix))
    scored.sort(key=lambda item: -item[0])
    likeliest = log_prob_TV.argmax(-1).tolist() if len(log_prob_TV) else []
    return [_path(prefix, score, likeliest) for score, prefix in scored[:paths]]


def _path(prefix: _Prefix, score: float, likeliest: list[int]) -> BestPath:
    tokens, frames = [], []
    walked: _Prefix | None = prefix
    while walked is not None and walked.parent is not None:
        tokens.append(walked.token)
        frames.append(walked.frame)
        walked = walked.parent
    tokens, frames = tokens[::-1], frames[::-1]
    runs = _runs(tokens, frames, likeliest)
    return BestPath(tuple(tokens), tuple(first for first, _ in runs), tuple(last for _, last in runs), score)


def _runs(tokens: list[int], frames: list[int], likeliest: list[int]) -> list[tuple[int, int]]:
    """First and last frame of each token: around the frame where it began, while nothing is likelier."""
    runs: list[tuple[int, int]] = []
    for index, (token, frame) in enumerate(zip(tokens, frames, strict=True)):
        before = runs[-1][1] if runs else -1
        after = frames[index + 1] if index + 1 < len(frames) else len(likeliest)
        first = last = max(frame, min(before + 1, len(likeliest) - 1))
        while first - 1 > before and likeliest[first - 1] == token:
            first -= 1
        while last + 1 < after and likeliest[last + 1] == token:
            last += 1
        runs.append((first, last))
    return runs
