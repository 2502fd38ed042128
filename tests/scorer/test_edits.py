import random

import numpy as np
import pytest

from unispeech_cli.scorer.edits import cheapest


def brute(substitution: list[list[float]], deletion: list[float], insertion: float) -> float:
    """The least cost over all alignments, by recursion over what comes first."""
    if not deletion:
        return insertion * len(substitution[0]) if substitution else 0.0
    heard = len(substitution[0])
    rest = brute(substitution[1:] or [[0.0] * heard], deletion[1:], insertion)
    found = [deletion[0] + rest]
    for position in range(heard):
        after = [row[position + 1 :] for row in substitution[1:]] or [[0.0] * (heard - position - 1)]
        pair = insertion * position + substitution[0][position]
        found.append(pair + brute(after, deletion[1:], insertion))
    return min(found)


@pytest.mark.parametrize("seed", range(20))
def test_no_alignment_is_cheaper(seed: int) -> None:
    draw = random.Random(seed)
    references, heard = draw.randint(1, 5), draw.randint(1, 5)
    substitution = [[draw.choice([0, 0.3, 0.9, 2.5]) for _ in range(heard)] for _ in range(references)]
    deletion = [draw.choice([0.0, 0.5, 1.0]) for _ in range(references)]
    pairs, cost = cheapest(np.array(substitution, dtype=float), deletion, 0.8)
    assert cost == pytest.approx(brute(substitution, deletion, 0.8))
    paid = [0.8 if r is None else deletion[r] if h is None else substitution[r][h] for r, h in pairs]
    assert sum(paid) == pytest.approx(cost)
    assert [r for r, _ in pairs if r is not None] == list(range(references))
    assert [h for _, h in pairs if h is not None] == list(range(heard))
