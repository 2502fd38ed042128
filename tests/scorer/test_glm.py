from pathlib import Path

import pytest

from unispeech_cli.scorer.glm import Word, read_glm, substitute, words_of

# what NIST's rfilter1 makes of these rules stands in the tests, alternatives aside
RULES = """\
;; a map
* name "test"
* copy_no_hit = 'T'
* case_sensitive = 'F'

[ANY TIME] => [ANYTIME] / [ ] __ [ ] ;; one word
[ANY] => [SOME] / [ ] __ [ ]
[ANYTIME] => [WHENEVER] / [ ] __ [ ]
[UH] => [%HESITATION] / [ ] __ [ ]
[I'VE] => [{I'VE / I HAVE}] / [ ] __ [ ]
[NOISE] => [] / [ ] __ [ ]
[A] => [AX] / [ ] __ [ ]
[A B] => [AB] / [ ] __ [ ]
[X Y] => [XY] / [ ] __ [ ]
[Y Z] => [YZ] / [ ] __ [ ]
[OK] => [O K] / [ ] __ [ ]
[HM] => [(%HESITATION)] / [ ] __ [ ]
"""


def mapped(tmp_path: Path, text: str, rules: str = RULES) -> list[Word]:
    path = tmp_path / "test.glm"
    path.write_text(rules)
    return substitute(words_of(text), read_glm(path))


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("ANY TIME ANY OTHER", "anytime some other"),
        ("uh uh", "%hesitation %hesitation"),
        ("a noise noise banana", "ax banana"),
        ("a b", "ax b"),
        ("x y z", "xy z"),
        ("ok anytime", "o k whenever"),
        ("i've", "i have"),
        ("i have", "i have"),
        ("", ""),
    ],
)
def test_the_first_rule_that_fits_is_taken_once_from_the_left(tmp_path: Path, text: str, made: str) -> None:
    assert mapped(tmp_path, text) == [Word(word) for word in made.split()]


def test_optional_words_stay_optional_and_rules_make_some(tmp_path: Path) -> None:
    assert mapped(tmp_path, "(ok) hm (any) time") == [
        Word("o", True),
        Word("k", True),
        Word("%hesitation", True),
        Word("some", True),
        Word("time"),
    ]


def test_case_may_matter(tmp_path: Path) -> None:
    rules = "* case_sensitive = 'T'\n[A] => [B] / [ ] __ [ ]\n"
    assert mapped(tmp_path, "A a", rules) == [Word("B"), Word("a")]


@pytest.mark.parametrize(
    "line", ["[A] => [B]", "[A] => [B] / [S] __ [ ]", "A => B / [ ] __ [ ]", "[] => [A] / [ ] __ [ ]"]
)
def test_a_rule_that_is_not_for_whole_words_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(ValueError, match=r"test\.glm:2: expected a rule for whole words"):
        mapped(tmp_path, "a", f";; fine\n{line}\n")


def test_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no global map"):
        read_glm(tmp_path / "none.glm")
