import json
from pathlib import Path

from unispeech_cli.scorer.alignment import Counts, align, count
from unispeech_cli.scorer.icefall import error_report, summary
from unispeech_cli.scorer.rates import Rate, total

GOLDEN = Path(__file__).parent.parent / "golden" / "icefall"
UTTERANCES = json.loads((GOLDEN / "input.json").read_text(encoding="utf-8"))


def test_error_report_is_icefalls_byte_for_byte() -> None:
    aligned = {u["id"]: align(u["ref"], u["hyp"]) for u in reversed(UTTERANCES)}
    assert error_report(aligned).encode() == (GOLDEN / "errs-test-greedy_search.txt").read_bytes()


def test_summary_is_icefalls_byte_for_byte() -> None:
    rate = total(Rate(count(align(u["ref"], u["hyp"]))) for u in UTTERANCES)
    assert (
        summary({"greedy_search": rate}).encode()
        == (GOLDEN / "wer-summary-test-greedy_search.txt").read_bytes()
    )


def test_summary_lists_the_best_method_first() -> None:
    rates = {"a": Rate(Counts(correct=1, deletions=1)), "b": Rate(Counts(correct=4, deletions=1))}
    assert summary(rates) == "settings\tWER\nb\t20.0\na\t50.0\n"


def test_a_star_among_the_words_is_told_from_a_gap() -> None:
    lines = error_report({"utt": align(["a", "*", "b"], ["a", "b", "c"])}).splitlines()
    assert lines[1].startswith("Errors: 1 insertions, 1 deletions, 0 substitutions, over 3 reference words")
    assert lines[5] == "utt:\ta (*->**) b (**->c)"


def test_no_reference_words_at_all_make_a_report() -> None:
    lines = error_report({"utt": align([], ["a"])}).splitlines()
    assert lines[:2] == [
        "%WER = inf",
        "Errors: 1 insertions, 0 deletions, 0 substitutions, over 0 reference words (0 correct)",
    ]
