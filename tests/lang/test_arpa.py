import gzip
from pathlib import Path

import pytest

from unispeech_cli.lang import arpa

BIGRAMS = """made by hand
\\data\\
ngram 1=5
ngram 2=4

\\1-grams:
-99 <s> -0.5
-0.9\t</s>
-inf THE -0.25
-0.7\tcat
-2 <unk> 0

\\2-grams:
-0.2 <s> THE
-0.3 THE cat
-0.4 cat <unk>
-0.6 cat </s>

\\end\\
"""


@pytest.fixture
def lm(tmp_path: Path) -> Path:
    path = tmp_path / "2gram.arpa"
    path.write_text(BIGRAMS)
    return path


def rewritten(lm: Path, written: dict[str, str]) -> list[str]:
    out = lm.with_name("out.arpa")
    arpa.rewrite(lm, out, written)
    assert sorted(path.name for path in lm.parent.iterdir()) == sorted({lm.name, out.name})
    return [line for line in out.read_text().splitlines() if line]


def test_words_are_those_of_the_unigrams(lm: Path) -> None:
    assert arpa.vocabulary(lm) == ["THE", "cat", "<unk>"]


def test_only_ngrams_of_wanted_words_stay_and_are_spelled_our_way(lm: Path) -> None:
    assert rewritten(lm, {"THE": "the", "cat": "cat"}) == [
        *("\\data\\", "ngram 1=4", "ngram 2=3"),
        *("\\1-grams:", "-99\t<s>\t-0.5", "-0.9\t</s>", "-99\tthe\t-0.25", "-0.7\tcat"),
        *("\\2-grams:", "-0.2\t<s> the", "-0.3\tthe cat", "-0.6\tcat </s>", "\\end\\"),
    ]


def test_longest_ngrams_that_are_left_have_no_backoff(lm: Path) -> None:
    lm.write_text(BIGRAMS.replace("-0.2 <s> THE", "-0.2 <s> <unk>").replace("-0.6 cat </s>", "-1 cat THE"))
    assert rewritten(lm, {"THE": "the"})[:4] == ["\\data\\", "ngram 1=3", "\\1-grams:", "-99\t<s>"]


def test_sentence_marks_inside_ngrams_are_oddities(lm: Path) -> None:
    lm.write_text(BIGRAMS.replace("-0.3 THE cat", "-0.3 THE <s>").replace("-0.4 cat <unk>", "-0.4 </s> cat"))
    assert rewritten(lm, {"THE": "the", "cat": "cat"})[-3:-1] == ["-0.2\t<s> the", "-0.6\tcat </s>"]


def test_gzip_is_read_whatever_the_name(lm: Path) -> None:
    plain = rewritten(lm, {"THE": "the"})
    lm.write_bytes(gzip.compress(lm.read_bytes()))
    assert rewritten(lm, {"THE": "the"}) == plain


def test_a_space_of_unicode_is_part_of_a_word(lm: Path) -> None:
    lm.write_text(BIGRAMS.replace("cat", "le\u00a0chat"))
    assert arpa.vocabulary(lm)[1] == "le\u00a0chat"


@pytest.mark.parametrize(
    ("faulty", "complaint"),
    [
        (BIGRAMS.replace("\\data\\", "data"), "not an ARPA file: no .data. at its head"),
        (BIGRAMS.replace("ngram", "n"), "no counts after"),
        (BIGRAMS.replace("\n\\end\\", ""), "ends before its .end.: it was cut off"),
        (BIGRAMS.replace("-0.3 THE cat\n", ""), "announces 4 2-grams and has 3"),
        (BIGRAMS[: BIGRAMS.index("\\2-")] + "\\end\\\n", "announces 2-grams and has none"),
        (BIGRAMS.replace("-0.3 THE cat", "THE cat"), "line 15: expected a log probability, 2 words and"),
        (BIGRAMS.replace("-0.3 THE cat", "nan THE cat"), "line 15: expected a log probability, 2 words and"),
        (BIGRAMS.replace("-0.3 THE cat", "-0.3 THE fat cat 0"), "found '-0.3 THE fat cat 0'"),
    ],
)
def test_what_is_not_arpa_is_named_in_one_line(lm: Path, faulty: str, complaint: str) -> None:
    lm.write_text(faulty)
    with pytest.raises(ValueError, match=complaint) as raised:
        rewritten(lm, {"THE": "the", "cat": "cat"})
    assert str(lm) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_model_without_sentence_ends_is_refused(lm: Path) -> None:
    lm.write_text(BIGRAMS.replace("</s>", "end"))
    with pytest.raises(ValueError, match="has no </s> among its 1-grams"):
        arpa.vocabulary(lm)


def test_other_files_are_named_in_one_line(lm: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no language model nowhere"):
        arpa.vocabulary(Path("nowhere"))
    packed = gzip.compress(lm.read_bytes())
    lm.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(ValueError, match="broken gzip file"):
        arpa.rewrite(lm, lm.with_name("out"), {})
    lm.write_bytes(BIGRAMS.replace("cat", "müde").encode("latin-1"))
    with pytest.raises(ValueError, match="not UTF-8"):
        arpa.vocabulary(lm)
