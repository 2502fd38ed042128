from unispeech_cli.scorer.alignment import align
from unispeech_cli.scorer.report import (
    Heard,
    System,
    Utterance,
    confusions,
    errors,
    labels,
    most_confused,
    worst,
)

SYSTEMS = [System(name, name, "greedy", "phones", "exp") for name in "ab"]


def utterance(name: str, ref: str, *hyps: str) -> Utterance:
    heard = [
        Heard(system, align(ref.split(), hyp.split())) for system, hyp in zip(SYSTEMS, hyps, strict=False)
    ]
    return Utterance(name, 1.0, None, None, heard)


def test_labels_are_what_tells_paths_apart() -> None:
    assert labels(["exp/uni/it/decode", "exp/scratch/it/decode"]) == ["uni", "scratch"]
    assert labels(["x/a/l/greedy", "x/a/l/hlg", "x/b/l/hlg"]) == ["a/greedy", "a/hlg", "b/hlg"]
    assert labels(["exp/a/decode", "exp/b/it/decode"]) == ["a", "b/it"]
    assert labels(["exp/decode", "exp/b/decode"]) == ["decode", "b/decode"]
    assert labels(["exp/a", "exp/a/b"]) == ["exp/a", "b"]
    assert labels(["exp/decode"]) == ["exp/decode"]


def test_the_worst_have_the_highest_mean_rate_then_the_most_errors() -> None:
    found = [
        utterance("right", "x y", "x y", "x y"),
        utterance("half", "x y", "x", "x y z"),
        utterance("longer", "x y x y", "x x", "x y x y z z"),
        utterance("nothing said", "", "z z", "z"),
        utterance("one system", "x y x", "y x"),
    ]
    assert [one.id for one in worst(found, 9)] == ["nothing said", "longer", "half", "one system"]
    assert [one.id for one in worst(found, 2)] == ["nothing said", "longer"]


def test_errors_come_by_frequency_and_say_their_sides() -> None:
    pairs = [[("a", "b"), ("a", None), ("c", "c")], [("a", "b"), (None, "d"), ("a", "a")]]
    counts = confusions(pairs)
    assert errors(counts) == [(("a", "b"), 2), ((None, "d"), 1), (("a", None), 1)]
    assert counts["c", "c"] == 1
    assert most_confused(counts, 2) == ["a", "b"]
    assert most_confused(counts, 9) == ["a", "b", "d"]
