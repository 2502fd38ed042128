from itertools import islice

import numpy as np
import pytest

from unispeech_cli.batches.plan import Pool, endless_plan
from unispeech_cli.batches.shares import Part, shares

# hours of the paper's many-to-one pre-training
HOURS = {"en": 1350.0, "es": 168.0, "fr": 353.0, "it": 90.0}
PARTS = [Part(True, language, hours) for language, hours in HOURS.items()]


def test_languages_are_drawn_by_the_root_of_their_hours() -> None:
    """Worked by hand: the roots are 36.74, 12.96, 18.79 and 9.49, 77.98 together."""
    found = shares(PARTS, None, 0.5)
    assert [round(share, 3) for share in found] == [0.471, 0.166, 0.241, 0.122]
    # how often a language's audio is heard for once that all audio together is, as the released sampler has it
    total = sum(HOURS.values())
    ratios = [share * total / hours for share, hours in zip(found, HOURS.values(), strict=True)]
    assert ratios == pytest.approx([0.684, 1.940, 1.338, 2.652], abs=2e-3)


@pytest.mark.parametrize("alpha", [1.0, None])
def test_alpha_one_is_as_the_hours_are(alpha: float | None) -> None:
    assert shares(PARTS, None, alpha) == pytest.approx([1350 / 1961, 168 / 1961, 353 / 1961, 90 / 1961])


def test_alpha_zero_gives_every_language_the_same() -> None:
    assert shares(PARTS, None, 0.0) == pytest.approx([0.25] * 4)


UNLABELLED = [Part(False, "ky", 17.0), Part(False, "sv", 3.0)]


@pytest.mark.parametrize("labeled_share", [None, 0.7])
def test_labelled_speech_keeps_its_share_whatever_its_languages(labeled_share: float | None) -> None:
    found = shares([*PARTS, *UNLABELLED], labeled_share, 0.5)
    labelled = 1961 / 1981 if labeled_share is None else 0.7
    assert sum(found[:4]) == pytest.approx(labelled)
    assert sum(found[4:]) == pytest.approx(1 - labelled)
    assert found[:4] == pytest.approx([labelled * share for share in shares(PARTS, None, 0.5)])
    assert found[4] / found[5] == pytest.approx((17 / 3) ** 0.5)


@pytest.mark.parametrize(
    ("parts", "labeled_share", "wanted"),
    [
        ([Part(True, None, 1), Part(False, None, 3)], None, [0.25, 0.75]),
        ([Part(True, None, 1), Part(False, None, 3)], 0.5, [0.5, 0.5]),
        ([Part(True, None, 1)], 0.3, [1.0]),
        ([Part(False, None, 2)], 0.3, [1.0]),
    ],
)
def test_one_kind_alone_has_all(parts: list[Part], labeled_share: float | None, wanted: list[float]) -> None:
    assert shares(parts, labeled_share, 0.5) == pytest.approx(wanted)


def test_the_plan_draws_languages_by_their_shares() -> None:
    """A corpus in small: four languages with the hours of the paper, as minutes, in batches of 60 s."""
    random = np.random.default_rng(0)
    pools = [
        Pool(random.uniform(2, 10, int(hours * 10)).astype(np.float32), share)
        for hours, share in zip(HOURS.values(), shares(PARTS, None, 0.5), strict=True)
    ]
    heard = np.zeros(4)
    for planned in islice(endless_plan(pools, 60.0, seed=1), 500):
        heard[planned.pool] += pools[planned.pool].seconds_N[list(planned.cuts)].sum()
    assert heard / heard.sum() == pytest.approx([0.471, 0.166, 0.241, 0.122], abs=0.005)
