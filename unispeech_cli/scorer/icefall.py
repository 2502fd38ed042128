"""icefall's reports, byte for byte: `errs-*.txt` and `wer-summary-*.txt`."""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby

from unispeech_cli.scorer.alignment import Counts, Pairs, count
from unispeech_cli.scorer.rates import Rate


def error_report(aligned: Mapping[str, Pairs]) -> str:
    """The text of `errs-*.txt` for the alignment of each utterance, utterances in order of id.

    A gap is written `*`, or the shortest row of stars that is no token where `*` is one.
    """
    utterances = sorted(aligned.items())
    pairs = [pair for _, alignment in utterances for pair in alignment]
    gap = _gap({token for pair in pairs for token in pair})
    lines = [
        *_head(count(pairs)),
        "PER-UTT DETAILS: corr or (ref->hyp)  ",
        *(f"{name}:\t{_details(alignment, gap)}" for name, alignment in utterances),
        *("", "SUBSTITUTIONS: count ref -> hyp"),
        *_ranked((ref, hyp) for ref, hyp in pairs if ref is not None and hyp is not None and ref != hyp),
        *("", "DELETIONS: count ref"),
        *_ranked((ref,) for ref, hyp in pairs if ref is not None and hyp is None),
        *("", "INSERTIONS: count hyp"),
        *_ranked((hyp,) for ref, hyp in pairs if ref is None and hyp is not None),
        *("", "PER-WORD STATS: word  corr tot_errs count_in_ref count_in_hyp"),
        *_per_word(pairs),
    ]
    return "\n".join(lines) + "\n"


def summary(rates: Mapping[str, Rate]) -> str:
    """The text of `wer-summary-*.txt`: a line per setting of decoding, best first."""
    ordered = sorted(rates.items(), key=lambda item: item[1].fraction)
    # icefall prints the number it has rounded, so 20.00 appears as 20.0
    return (
        "\n".join(["settings\tWER", *(f"{setting}\t{float(_percent(r.counts))}" for setting, r in ordered)])
        + "\n"
    )


def _head(counts: Counts) -> list[str]:
    return [
        f"%WER = {_percent(counts)}",
        f"Errors: {counts.insertions} insertions, {counts.deletions} deletions, "
        f"{counts.substitutions} substitutions, "
        f"over {counts.reference} reference words ({counts.correct} correct)",
        "Search below for sections starting with "
        "PER-UTT DETAILS:, SUBSTITUTIONS:, DELETIONS:, INSERTIONS:, PER-WORD STATS:",
        "",
    ]


def _percent(counts: Counts) -> str:
    return f"{Rate(counts).percent:.2f}"


def _gap(tokens: set[str | None]) -> str:
    gap = "*"
    while gap in tokens:
        gap += "*"
    return gap


def _details(alignment: Pairs, gap: str) -> str:
    """Words as they are where right; each run of errors as one (reference->hypothesis)."""
    shown = []
    for right, run in groupby(alignment, key=lambda pair: pair[0] == pair[1]):
        sides = [[token for token in side if token is not None] for side in zip(*run, strict=True)]
        ref, hyp = (" ".join(side) or gap for side in sides)
        shown.append(ref if right else f"({ref}->{hyp})")
    return " ".join(shown)


def _ranked(events: Iterable[tuple[str, ...]]) -> list[str]:
    counted = sorted(((number, event) for event, number in Counter(events).items()), reverse=True)
    return [f"{number}   {' -> '.join(event)}" for number, event in counted]


def _per_word(pairs: Pairs) -> list[str]:
    """Lines `word correct errors in-reference in-hypothesis`, most errors first."""
    right = Counter(ref for ref, hyp in pairs if ref == hyp)
    in_ref, in_hyp = Counter(ref for ref, _ in pairs), Counter(hyp for _, hyp in pairs)
    words = {word for pair in pairs for word in pair if word is not None}
    rows = sorted(((in_ref[word] + in_hyp[word] - 2 * right[word], word) for word in words), reverse=True)
    return [f"{word}   {right[word]} {errors} {in_ref[word]} {in_hyp[word]}" for errors, word in rows]
