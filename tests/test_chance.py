import torch

from unispeech_cli.chance import generators, mixed


def test_a_seed_is_of_all_its_parts_and_always_the_same() -> None:
    seeds = {
        mixed(*parts) for parts in ((1, 2, "a"), (1, 3, "a"), (2, 2, "a"), (1, 2, "b"), (12, "a"), (1, 2))
    }
    assert len(seeds) == 6 and all(0 <= seed < 2**63 for seed in seeds)
    # of another process, machine or version: what is resumed there draws the same
    assert mixed(1, 2, "a") == 7036124720165479518


def test_rows_draw_for_each_purpose_apart_and_as_they_would_alone() -> None:
    def draw(seeds: tuple[int, ...], purpose: str) -> list[float]:
        return [float(torch.rand((), generator=chance)) for chance in generators(seeds, purpose, len(seeds))]

    assert draw((5, 6), "mask") == draw((5,), "mask") + draw((6,), "mask")
    assert len({*draw((5, 6), "mask"), *draw((5, 6), "mix")}) == 4
    assert generators((), "mask", 3) == [None, None, None]
