from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest

from unispeech_cli.batches.plan import JITTER, Planned, Pool, endless_plan, epoch_plan


# log-normal as speech corpora are, 1 .. 20 s
def speech(count: int, seed: int = 0) -> np.ndarray:
    return np.clip(np.random.default_rng(seed).lognormal(1.5, 0.5, count), 1, 20).astype(np.float32)


SECONDS = speech(3000)
LIMIT = 60.0


def test_an_epoch_has_each_cut_once() -> None:
    batches = list(epoch_plan(SECONDS, LIMIT, (1, 0)))
    assert sorted(np.concatenate(batches)) == list(range(len(SECONDS)))


def test_padded_seconds_keep_to_the_limit() -> None:
    batches = epoch_plan(SECONDS, LIMIT, (1, 0))
    assert max(SECONDS[batch].max() * len(batch) for batch in batches) <= LIMIT


def test_a_cut_over_the_limit_stands_alone() -> None:
    batches = epoch_plan(np.array([2.0, 70.0, 3.0, 65.0]), LIMIT, (1, 0))
    assert sorted(sorted(batch.tolist()) for batch in batches) == [[0, 2], [1], [3]]


def by_definition(seconds: np.ndarray, limit: float, seed: tuple[int, ...]) -> list[list[int]]:
    """Cut by cut: sorted by jittered length, a batch is closed before the cut that would overfill it."""
    random = np.random.default_rng(seed)
    jittered = [
        float(s) * (1 + JITTER * u) for s, u in zip(seconds, random.random(len(seconds)), strict=True)
    ]
    batches: list[list[int]] = [[]]
    for cut in sorted(range(len(seconds)), key=lambda cut: jittered[cut]):
        tried = [*batches[-1], cut]
        if len(tried) > 1 and max(float(seconds[one]) for one in tried) * len(tried) > limit:
            batches.append([cut])
        else:
            batches[-1] = tried
    return [batches[number] for number in random.permutation(len(batches))]


@pytest.mark.parametrize("limit", [3.0, 60.0, 61.5, 600.0, 1e6])
def test_the_plan_is_its_definition(limit: float) -> None:
    # equal lengths that fill a batch exactly, a cut for itself, one cut alone
    even = np.full(50, 1.5, dtype=np.float32)
    for seconds in (SECONDS[:700], even, np.array([20.0, 1.0, 19.0, 1.0]), SECONDS[:1]):
        plan = [batch.tolist() for batch in epoch_plan(seconds, limit, (3, 1))]
        assert plan == by_definition(seconds, limit, (3, 1))


def test_of_equal_lengths_the_first_comes_first() -> None:
    # so short that the least step between doubles is the whole length, and jitter is lost
    seconds = np.full(700, 5e-324)
    plan = [batch.tolist() for batch in epoch_plan(seconds, 100 * 5e-324, (1, 0))]
    assert plan == by_definition(seconds, 100 * 5e-324, (1, 0))


def test_the_plan_of_more_than_one_block_is_its_definition() -> None:
    seconds = speech(70_000)
    plan = [batch.tolist() for batch in epoch_plan(seconds, LIMIT, (1, 0))]
    assert plan == by_definition(seconds, LIMIT, (1, 0))


def padding(batches: Iterator[np.ndarray], seconds: np.ndarray) -> tuple[float, float]:
    padded = [float(seconds[batch].max() * len(batch)) for batch in batches]
    return 1 - float(seconds.sum(dtype=np.float64)) / sum(padded), float(np.mean(padded))


@pytest.mark.parametrize(
    "seconds",
    [
        speech(10_000),
        # read sentences: most are as long as a segmenter lets them be
        np.clip(np.random.default_rng(1).normal([14.5] * 7500 + [7.0] * 2500, 2.5), 1.5, 17),
    ],
    ids=["spontaneous", "read"],
)
def test_at_most_a_twentieth_is_padding_and_batches_are_full(seconds: np.ndarray) -> None:
    share, filled = padding(iter(epoch_plan(seconds, 600.0, (1, 0))), seconds)
    assert share <= 0.05
    assert filled > 0.95 * 600


@pytest.mark.parametrize("speeds", [(1.0,), (0.9, 1.0, 1.1)])
def test_at_most_a_twentieth_is_padding_with_pools_and_speeds_mixed(speeds: tuple[float, ...]) -> None:
    pools = [Pool(speech(6000), 0.3, True), Pool(speech(14_000, 1), 0.5), Pool(speech(10_000, 2), 0.2)]
    speech_seconds = padded = 0.0
    for planned in islice(endless_plan(pools, 600.0, 1, speeds=speeds), 600):
        played = pools[planned.pool].seconds_N[list(planned.cuts)] / np.array(planned.speeds)
        speech_seconds += played.sum()
        padded += played.max() * len(played)
        assert played.max() * len(played) <= 600.0 + 1e-3
    assert 1 - speech_seconds / padded <= 0.05


def test_epochs_differ_in_batches_and_their_order() -> None:
    first, second = (list(epoch_plan(SECONDS, LIMIT, (1, epoch))) for epoch in (0, 1))
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


def replayed(pools: list[Pool], seed: int, speeds: tuple[float, ...], count: int) -> list[Planned]:
    """The definition, a batch at a time: the kind that is further behind, and in it the pool that is."""
    whole = sum(pool.share for pool in pools)
    kinds = [[n for n, pool in enumerate(pools) if pool.labelled is kind] for kind in (False, True)]
    of_kind = [sum(pools[n].share for n in places) for places in kinds]
    given, epoch, left = [0] * len(pools), [-1] * len(pools), [[] for _ in pools]
    drawn = [np.zeros(0)] * len(pools)

    def furthest_behind(shares: list[float], had: list[int]) -> int:
        return int(np.argmax([share * (sum(had) + 1) - one for share, one in zip(shares, had, strict=True)]))

    plan = []
    for number in range(count):
        spent = [sum(given[n] for n in places) for places in kinds]
        kind = furthest_behind([share / whole for share in of_kind], spent)
        shares = [pools[n].share / of_kind[kind] for n in kinds[kind]]
        chosen = kinds[kind][furthest_behind(shares, [given[n] for n in kinds[kind]])]
        seconds = pools[chosen].seconds_N
        if not left[chosen]:
            epoch[chosen] += 1
            at = (seed, chosen, epoch[chosen])
            random = np.random.default_rng((*at, 1))
            drawn[chosen] = np.array(speeds)[random.integers(len(speeds), size=len(seconds), dtype=np.uint8)]
            left[chosen] = by_definition(seconds / drawn[chosen], LIMIT, at)
        cuts = left[chosen].pop(0)
        played = drawn[chosen][cuts]
        given[chosen] += int(np.rint(seconds[cuts] / played * 16_000).sum())
        plan.append(Planned(number, chosen, tuple(cuts), tuple(played.tolist())))
    return plan


def mixed(*sizes: int, shares: tuple[float, ...], labelled: int) -> list[Pool]:
    places = np.cumsum([0, *sizes])
    return [
        Pool(SECONDS[start:end], share, n < labelled)
        for n, (start, end, share) in enumerate(zip(places, places[1:], shares, strict=False))
    ]


@pytest.mark.parametrize("speeds", [(1.0,), (0.9, 1.1)])
@pytest.mark.parametrize(
    "pools",
    [
        mixed(300, shares=(1.0,), labelled=0),
        mixed(200, 300, shares=(0.4, 0.6), labelled=1),
        mixed(90, 400, shares=(0.3, 0.7), labelled=2),
        mixed(150, 40, 200, 300, 90, shares=(0.15, 0.05, 0.4, 0.3, 0.1), labelled=2),
        [Pool(np.full(40, 1.5, dtype=np.float32), 0.5, labelled) for labelled in (False, True)],
    ],
    ids=["one", "labelled and not", "two languages", "languages and labelled", "all the same"],
)
def test_skipping_gives_what_a_replay_comes_to(pools: list[Pool], speeds: tuple[float, ...]) -> None:
    whole = replayed(pools, 1, speeds, 300)
    for skip in (0, 1, 17, 250):
        resumed = endless_plan(pools, LIMIT, 1, speeds=speeds, skip=skip)
        assert list(islice(resumed, 300 - skip)) == whole[skip:]


def test_speeds_are_drawn_evenly_and_anew_each_epoch() -> None:
    plan = endless_plan([Pool(SECONDS, 1.0)], LIMIT, 1, speeds=(0.9, 1.0, 1.1))
    epochs: list[dict[int, float]] = []
    for _ in range(2):
        drawn: dict[int, float] = {}
        while len(drawn) < len(SECONDS):
            planned = next(plan)
            drawn.update(zip(planned.cuts, planned.speeds, strict=True))
        counts = np.unique(list(drawn.values()), return_counts=True)
        assert counts[0].tolist() == [0.9, 1.0, 1.1]
        # three standard deviations of 3000 draws
        assert np.abs(counts[1] - 1000).max() < 80
        epochs.append(drawn)
    same = np.mean([epochs[0][cut] == epochs[1][cut] for cut in range(len(SECONDS))])
    assert 0.29 < same < 0.38


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_shares_are_kept_at_every_moment_within_one_batch(share: float) -> None:
    pools = [Pool(SECONDS[:200], share, True), Pool(SECONDS[200:], 1 - share)]
    spent = np.zeros(2)
    for planned in islice(endless_plan(pools, LIMIT, 1), 400):
        spent[planned.pool] += pools[planned.pool].seconds_N[list(planned.cuts)].sum()
        assert abs(spent[0] - share * spent.sum()) <= LIMIT


def test_labelled_speech_keeps_its_share_within_one_batch_however_many_languages_it_has() -> None:
    """So that an update of any length is off its labelled share by two batches at most, and never drifts."""
    labelled = [
        Pool(SECONDS[n * 90 : n * 90 + 90], share, True) for n, share in enumerate((0.2, 0.1, 0.05, 0.05))
    ]
    unlabelled = [Pool(SECONDS[900 + n * 90 : 990 + n * 90], 0.1) for n in range(6)]
    pools = [*labelled, *unlabelled]
    spent, shares = np.zeros(len(pools)), np.array([pool.share for pool in pools])
    for planned in islice(endless_plan(pools, LIMIT, 1), 3000):
        spent[planned.pool] += pools[planned.pool].seconds_N[list(planned.cuts)].sum()
        assert abs(spent[:4].sum() - 0.4 * spent.sum()) <= LIMIT
        assert np.abs(spent - shares * spent.sum()).max() <= 3 * LIMIT


def test_a_pool_without_a_share_is_never_drawn_from() -> None:
    for labelled in (True, False):
        plan = endless_plan([Pool(SECONDS, 0.0, labelled), Pool(SECONDS, 1.0)], LIMIT, 1)
        assert {planned.pool for planned in islice(plan, 30)} == {1}
