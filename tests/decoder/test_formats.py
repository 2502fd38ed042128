import json
import re
from dataclasses import dataclass, replace

import pytest

from unispeech_cli.decoder.formats import FORMATS, Transcription, cues, srt, textgrid
from unispeech_cli.decoder.timing import Timed

WORDS = (Timed("un", 0.5, 0.3, 0.9), Timed('"gato"', 0.8, 0.32, 0.8), Timed("negro", 3.0, 0.5, 0.7))
TOKENS = tuple(Timed(letter, 0.5 + 0.1 * n, 0.02 * (n % 3 + 1)) for n, letter in enumerate("ungato"))
FOUND = Transcription("talk one", 5.0, 'un "gato" negro', TOKENS, WORDS, -3.25)
SILENT = Transcription("silence", 5.0, "", (), (), 0.0)


@dataclass
class Tier:
    name: str
    intervals: list[tuple[float, float, str]]


def read_textgrid(text: str) -> tuple[float, list[Tier]]:
    """A reader of Praat's text files: values in their order, whatever stands around them."""
    values = iter(re.findall(r'"(?:[^"]|"")*"|<exists>|(?<![\w\[])-?\d+(?:\.\d+)?(?:e-?\d+)?(?!\])', text))
    assert [next(values) for _ in range(2)] == ['"ooTextFile"', '"TextGrid"']
    start, end, exists = float(next(values)), float(next(values)), next(values)
    assert (start, exists) == (0, "<exists>")
    tiers = []
    for _ in range(int(next(values))):
        assert next(values) == '"IntervalTier"'
        tier = Tier(next(values)[1:-1], [])
        assert (float(next(values)), float(next(values))) == (0, end)
        for _ in range(int(next(values))):
            interval = float(next(values)), float(next(values)), next(values)[1:-1].replace('""', '"')
            tier.intervals.append(interval)
        tiers.append(tier)
    assert next(values, None) is None
    return end, tiers


def read_srt(text: str) -> list[tuple[float, float, list[str]]]:
    found = []
    for number, block in enumerate(text.split("\n\n")[:-1], 1):
        index, times, *lines = block.split("\n")
        assert index == str(number)
        matched = re.fullmatch(r"(\d\d):(\d\d):(\d\d),(\d{3}) --> (\d\d):(\d\d):(\d\d),(\d{3})", times)
        assert matched
        h1, m1, s1, t1, h2, m2, s2, t2 = map(int, matched.groups())
        found.append((h1 * 3600 + m1 * 60 + s1 + t1 / 1000, h2 * 3600 + m2 * 60 + s2 + t2 / 1000, lines))
    return found


def test_text_phones_and_json() -> None:
    assert FORMATS["text"](FOUND) == 'un "gato" negro\n'
    assert FORMATS["phones"](FOUND) == "u n g a t o\n"
    assert FORMATS["text"](SILENT) == FORMATS["phones"](SILENT) == "\n"
    line = FORMATS["jsonl"](FOUND)
    assert line.count("\n") == 1
    found = json.loads(line)
    assert (found["name"], found["seconds"], found["score"]) == ("talk one", 5.0, -3.25)
    assert found["words"][1] == {"text": '"gato"', "start": 0.8, "duration": 0.32, "score": 0.8}
    assert len(found["tokens"]) == 6
    assert json.loads(FORMATS["jsonl"](replace(FOUND, words=None)))["words"] is None


def test_ctm_has_words_or_else_tokens() -> None:
    rows = [line.split() for line in FORMATS["ctm"](FOUND).splitlines()]
    assert rows[1] == ["talk_one", "1", "0.80", "0.32", '"gato"', "0.80"]
    assert sum(float(row[3]) for row in rows) == pytest.approx(sum(word.duration for word in WORDS))
    assert len(FORMATS["ctm"](replace(FOUND, words=None)).splitlines()) == 6
    assert FORMATS["ctm"](SILENT) == ""


def test_a_textgrid_is_full_from_start_to_end() -> None:
    end, tiers = read_textgrid(textgrid(FOUND))
    assert [tier.name for tier in tiers] == ["words", "tokens"]
    for tier, items in zip(tiers, (WORDS, TOKENS), strict=True):
        edges = [0.0, *(stop for _, stop, _ in tier.intervals)]
        assert [start for start, _, _ in tier.intervals] == edges[:-1]
        assert edges[-1] == end == 5.0
        spoken = [interval for interval in tier.intervals if interval[2]]
        assert spoken == [(round(item.start, 4), round(item.end, 4), item.text) for item in items]
    assert [tier.name for tier in read_textgrid(textgrid(replace(FOUND, words=None)))[1]] == ["tokens"]


def test_a_silent_textgrid_has_empty_tiers() -> None:
    assert read_textgrid(textgrid(SILENT)) == (
        5.0,
        [Tier("words", [(0, 5, "")]), Tier("tokens", [(0, 5, "")])],
    )


def test_subtitles_part_at_pauses_and_do_not_overlap() -> None:
    assert read_srt(srt(FOUND)) == [(0.5, 1.42, ['un "gato"']), (3.0, 3.8, ["negro"])]
    assert srt(SILENT) == ""


def test_subtitles_are_readable() -> None:
    words = [Timed("abcdefghi", 0.4 * n, 0.38) for n in range(200)]
    shown = read_srt(srt(Transcription("t", 80.0, "", (), tuple(words), 0.0)))
    assert " ".join(line for _, _, lines in shown for line in lines).split() == ["abcdefghi"] * 200
    for (start, end, lines), (following, _, _) in zip(shown, [*shown[1:], (80.0, 0, [])], strict=True):
        assert start < end <= following
        assert end - start <= 7.3
        assert 1 <= len(lines) <= 2
        assert max(map(len, lines)) <= 46


def test_a_cue_lasts_seven_seconds_at_most() -> None:
    slow = [Timed("eh", 0.9 * n, 0.5) for n in range(20)]
    assert max(cue.duration for cue in cues(slow)) <= 7


def test_hours_in_subtitles() -> None:
    late = Transcription("t", 9_000.0, "", (), (Timed("ya", 7_325.25, 0.1),), 0.0)
    assert "02:02:05,250 --> 02:02:05,650" in srt(late)
