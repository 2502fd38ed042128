import numpy as np
import pytest

from unispeech_cli.batches.turns import Turns


class Row:
    """Batches of these samples, over and over, `known` at a time at most."""

    def __init__(self, samples: list[int], known: int) -> None:
        self.samples, self.known, self.place = samples, known, 0

    def ahead(self) -> np.ndarray:
        return np.roll(self.samples, -self.place)[: self.known].astype(np.int64)

    def move(self, count: int) -> None:
        assert count <= self.known
        self.place += count


def by_definition(shares: list[float], rows: list[list[int]], count: int) -> list[int]:
    """Batch by batch: the greatest lag comes next."""
    whole, given, taken = sum(shares), [0] * len(rows), [0] * len(rows)
    chosen = []
    for _ in range(count):
        total = sum(given) + 1
        lags = [
            share / whole * total - had if share else -total for share, had in zip(shares, given, strict=True)
        ]
        who = lags.index(max(lags))
        given[who] += rows[who][taken[who] % len(rows[who])]
        taken[who] += 1
        chosen.append(who)
    return chosen


COUNT = 3000
RANDOM = np.random.default_rng(1)
# of one sample lags are often equal, of 2 ** 44 doubles no longer tell all of them apart
SIZES = {"one": (1, 2), "few": (1, 5), "a batch": (200_000, 1_200_000), "huge": (1 << 44, (1 << 44) + 3)}


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize(
    "shares", [[1.0], [0.5, 0.5], [0.1, 0.9], [0.7, 0.0, 0.3], [0.0, 1 / 3], [0.2, 0.3, 0.4, 0.1], [0.25] * 4]
)
def test_turns_are_their_definition_however_far_one_moves(
    shares: list[float], sizes: tuple[int, int]
) -> None:
    rows = [RANDOM.integers(*sizes, size=700).tolist() for _ in shares]
    chosen = by_definition(shares, rows, COUNT)
    turns = Turns(shares, [Row(row, known) for row, known in zip(rows, (7, 700, 90, 3), strict=False)])
    place = 0
    while place < COUNT - 700:
        assert turns.next() == chosen[place]
        count = min(len(turns.ahead()), int(RANDOM.integers(1, 400)))
        turns.move(count)
        place += count
