import itertools
import math
from collections import defaultdict

import pytest
import torch
from torch import Tensor

from unispeech_cli.decoder.beam import PrefixBeams, prefix_beam
from unispeech_cli.decoder.bias import Phrase, bias
from unispeech_cli.decoder.search import BestPath, greedy

WIDE = PrefixBeams(prefixes=10_000, beam=1e3, tokens=1_000, token_beam=1e3, blank_certain=1.0)


def random(frames: int, tokens: int, seed: int, peak: float = 1.0) -> Tensor:
    return (peak * torch.randn(frames, tokens, generator=torch.Generator().manual_seed(seed))).log_softmax(-1)


def texts(log_prob_TV: Tensor) -> dict[tuple[int, ...], float]:
    """Every text with its log-probability, summed over all paths that say it."""
    frames, tokens = log_prob_TV.shape
    sums: dict[tuple[int, ...], float] = defaultdict(float)
    for path in itertools.product(range(tokens), repeat=frames):
        text = tuple(token for token, _ in itertools.groupby(path) if token != 0)
        sums[text] += math.exp(sum(log_prob_TV[t, token].item() for t, token in enumerate(path)))
    return {text: math.log(prob) for text, prob in sums.items()}


def decoded(log_prob_TV: Tensor, beams: PrefixBeams = WIDE, paths: int = 1) -> list[BestPath]:
    (found,) = prefix_beam(log_prob_TV[None], torch.tensor([len(log_prob_TV)]), beams, paths=paths)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_texts_and_their_probabilities_are_those_of_enumeration(seed: int) -> None:
    log_prob_TV = random(5, 4, seed, 2.0)
    expected = sorted(texts(log_prob_TV).items(), key=lambda item: -item[1])
    found = decoded(log_prob_TV, paths=10_000)
    assert len(found) == len(expected)
    assert [path.ids for path in found[:20]] == [text for text, _ in expected[:20]]
    for path in found:
        assert path.score == pytest.approx(dict(expected)[path.ids], abs=1e-6)


def test_the_sum_may_beat_the_best_path() -> None:
    # blank is the likeliest of each frame, but three paths say "a"
    log_prob_TV = torch.tensor([[0.55, 0.45], [0.55, 0.45]]).log()
    (best,) = decoded(log_prob_TV)
    assert greedy(log_prob_TV[None], torch.tensor([2]))[0].ids == ()
    assert best.ids == (1,)
    assert best.score == pytest.approx(math.log(1 - 0.55**2))


def test_narrow_beams_find_the_likeliest_text_of_sure_frames() -> None:
    log_prob_TV = random(60, 30, 1, 6.0)
    assert (
        decoded(log_prob_TV, PrefixBeams())[0].ids
        == decoded(log_prob_TV, PrefixBeams(200, 50.0, 29, 50.0, 1.0))[0].ids
    )


def test_frames_that_are_surely_blank_only_part_repetitions() -> None:
    sure = torch.tensor([0.9998, 0.0001, 0.0001]).log()
    a = torch.tensor([0.02, 0.97, 0.01]).log()
    log_prob_TV = torch.stack([sure, a, sure, sure, a, a, sure])
    skipped, whole = decoded(log_prob_TV, PrefixBeams())[0], decoded(log_prob_TV)[0]
    assert (skipped.ids, skipped.frames, skipped.last) == ((1, 1), (1, 4), (1, 5))
    assert whole.ids == skipped.ids
    assert skipped.score == pytest.approx(whole.score, abs=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_times_are_those_of_greedy_where_frames_are_sure(seed: int) -> None:
    said_T = torch.randint(5, (80,), generator=torch.Generator().manual_seed(seed))
    log_prob_TV = (6.0 * torch.nn.functional.one_hot(said_T, 5)).log_softmax(-1)
    (expected,) = greedy(log_prob_TV[None], torch.tensor([80]))
    found = decoded(log_prob_TV, PrefixBeams())[0]
    assert (found.ids, found.frames, found.last) == (expected.ids, expected.frames, expected.last)


def test_frames_past_the_length_are_not_heard_and_none_say_nothing() -> None:
    log_prob_BTV = torch.stack([random(9, 4, 1, 5.0)] * 2)
    (whole,), (none,) = prefix_beam(log_prob_BTV, torch.tensor([4, 0]), WIDE)
    assert whole == decoded(log_prob_BTV[0, :4])[0]
    assert none == BestPath((), (), (), 0.0)


@pytest.mark.parametrize("seed", range(3))
def test_a_biased_search_ranks_by_probability_and_bonus(seed: int) -> None:
    log_prob_TV, phrase = random(5, 4, seed), (2, 3)
    tree = bias([Phrase(phrase, 1.5)])
    (found,) = prefix_beam(log_prob_TV[None], torch.tensor([5]), WIDE, tree, paths=10_000)
    expected = {
        text: score + 1.5 * sum(text[i : i + 2] == phrase for i in range(len(text)))
        for text, score in texts(log_prob_TV).items()
    }
    assert {path.ids: path.score for path in found} == pytest.approx(expected, abs=1e-6)
    assert found[0].ids == max(expected, key=lambda text: expected[text])
