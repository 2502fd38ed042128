from pathlib import Path
from typing import Any

import pytest

from unispeech_cli.decoder.methods import METHODS, Method, SearchSettings

LANG, LM = Path("lang"), Path("lm.arpa")


def test_a_result_is_called_after_its_scale_or_the_method() -> None:
    assert Method("hlg", LANG).settings == ("hlg",)
    assert Method("hlg", LANG, LM, scales=(0.5, 1.0)).settings == ("lm_scale_0.5", "lm_scale_1")


def test_words_come_of_graphs_of_words() -> None:
    with_lm = [name for name in METHODS if name not in ("greedy", "prefix-beam", "one-best")]
    assert all(Method(name, LANG, LM).has_words for name in with_lm)
    assert not Method("nbest", LANG).has_words


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"name": "viterbi"}, "--method viterbi: known are greedy, prefix-beam, one-best, nbest, hlg"),
        ({"name": "hlg"}, "--method hlg: add --lang-dir"),
        ({"name": "nbest", "lm": LM}, "--method nbest: add --lang-dir"),
        ({"name": "lattice-rescoring", "lang_dir": LANG}, "add --lm, an ARPA language model"),
        ({"name": "prefix-beam", "lm": LM}, "--lm is for nbest, hlg, nbest-rescoring, lattice-rescoring"),
        (
            {"name": "hlg", "lang_dir": LANG, "lm": LM, "rescore_lm": LM},
            "--rescore-lm is for nbest-rescoring",
        ),
        ({"name": "hlg", "lang_dir": LANG, "scales": (1.0,)}, "--lm-scales need --lm"),
        ({"name": "hlg", "lang_dir": LANG, "lm": LM, "scales": (1.0, 1.0)}, "--lm-scales: each once"),
        ({"bias": Path("words.txt")}, "--method greedy: --bias needs a search"),
    ],
)
def test_what_does_not_go_together_is_said(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Method(**arguments)


def test_a_bonus_is_no_penalty() -> None:
    with pytest.raises(ValueError, match="a bias bonus of -1"):
        SearchSettings(bias_bonus=-1.0)
