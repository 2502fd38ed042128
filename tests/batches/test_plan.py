from itertools import islice

import numpy as np
import pytest

from unispeech_cli.batches.plan import Planned, Pool, endless_plan, epoch_plan

# log-normal as speech corpora are, 1 .. 20 s
SECONDS = np.clip(np.random.default_rng(0).lognormal(1.5, 0.5, 3000), 1, 20).astype(np.float32)
LIMIT = 60.0


def test_an_epoch_has_each_cut_once() -> None:
    batches = epoch_plan(SECONDS, LIMIT, (1, 0))
    assert sorted(np.concatenate(batches)) == list(range(len(SECONDS)))


def test_padded_seconds_keep_to_the_limit() -> None:
    batches = epoch_plan(SECONDS, LIMIT, (1, 0))
    assert max(SECONDS[batch].max() * len(batch) for batch in batches) <= LIMIT


def test_a_cut_over_the_limit_stands_alone() -> None:
    batches = epoch_plan(np.array([2.0, 70.0, 3.0, 65.0]), LIMIT, (1, 0))
    assert sorted(sorted(batch.tolist()) for batch in batches) == [[0, 2], [1], [3]]


def test_little_is_padding_and_batches_are_full() -> None:
    batches = epoch_plan(SECONDS, LIMIT, (1, 0))
    padded = sum(SECONDS[batch].max() * len(batch) for batch in batches)
    assert 1 - SECONDS.sum() / padded < 0.08
    assert padded / len(batches) > 0.85 * LIMIT


def test_epochs_differ_in_batches_and_their_order() -> None:
    first, second = (epoch_plan(SECONDS, LIMIT, (1, epoch)) for epoch in (0, 1))
    shared = {frozenset(batch.tolist()) for batch in first} & {frozenset(batch.tolist()) for batch in second}
    assert len(shared) < 0.1 * len(first)
    lengths = [SECONDS[batch].mean() for batch in first]
    assert abs(np.corrcoef(lengths, range(len(lengths)))[0, 1]) < 0.2


def test_the_plan_is_a_function_of_the_seed() -> None:
    def start(seed: int) -> list[Planned]:
        return list(islice(endless_plan([Pool(SECONDS, 1.0)], LIMIT, seed), 50))

    assert start(1) == start(1) != start(2)


def test_it_goes_through_whole_epochs_without_end() -> None:
    plan = endless_plan([Pool(SECONDS[:100], 1.0)], LIMIT, 1)
    for _ in range(3):
        cuts: list[int] = []
        while len(cuts) < 100:
            cuts += next(plan).cuts
        assert sorted(cuts) == list(range(100))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_shares_are_kept_at_every_moment_within_one_batch(share: float) -> None:
    pools = [Pool(SECONDS[:200], share), Pool(SECONDS[200:], 1 - share)]
    spent = np.zeros(2)
    for planned in islice(endless_plan(pools, LIMIT, 1), 400):
        spent[planned.pool] += pools[planned.pool].seconds_N[list(planned.cuts)].sum()
        assert abs(spent[0] - share * spent.sum()) <= LIMIT


def test_a_pool_without_a_share_is_never_drawn_from() -> None:
    plan = endless_plan([Pool(SECONDS, 0.0), Pool(SECONDS, 1.0)], LIMIT, 1)
    assert {planned.pool for planned in islice(plan, 30)} == {1}
