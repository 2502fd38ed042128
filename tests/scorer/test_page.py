import json
from html.parser import HTMLParser

from unispeech_cli.scorer.alignment import align
from unispeech_cli.scorer.page import MADE_FROM, page
from unispeech_cli.scorer.rates import Rate
from unispeech_cli.scorer.report import (
    CLASSES,
    Clip,
    Confused,
    Heard,
    Rated,
    Report,
    ReportSettings,
    Result,
    SetDetails,
    System,
    Utterance,
    confusions,
)

NASTY = "</script><img src=http://x onerror=alert(1)>\"'&"
SYSTEMS = [System(label, f"exp/{label}", "hlg", "letters", "exp/best") for label in ("uni", NASTY)]


class Reader(HTMLParser):
    """Elements with their attributes, the text outside styles and scripts, and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements, self.text, self.open = list[tuple[str, dict[str, str | None]]](), "", list[str]()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["script"]):
            self.text += data

    def of(self, name: str, key: str) -> list[str | None]:
        return [attributes[key] for tag, attributes in self.elements if tag == name and key in attributes]


def rated(ref: str, hyp: str) -> Rated:
    heard = Heard(SYSTEMS[0], align(ref.split(), hyp.split()))
    return Rated(Rate(heard.counts, 1, 2.0), (0.125, 0.5))


def report(**changes: object) -> Report:
    pairs = [align(["a", NASTY, "c"], ["a", "b", "c"]), align(["a", "b", "c"], ["a", "c", NASTY])]
    groups = {
        "speaker": {NASTY: rated("x y", "x"), "bo": rated("", "x")},
        "language": {"it": rated("x", "x")},
    }
    results = [
        Result(system, NASTY, setting, setting == "lm_scale_0.2", {"WER": rated("x y", "x")}, groups)
        for system in SYSTEMS
        for setting in ("lm_scale_0.2", "lm_scale_0.4")
    ]
    heard = [Heard(system, one, (0.0, 0.25, 1.5)) for system, one in zip(SYSTEMS, pairs, strict=True)]
    utterances = [Utterance(NASTY, 2.0, NASTY, NASTY, heard), Utterance("second", 1.0, None, None, heard)]
    found = [Confused(SYSTEMS[0], measure, confusions(pairs), 0.25) for measure in ("WER", "PER", CLASSES)]
    made = {
        "results": results,
        "test_sets": [SetDetails(NASTY, results[::2], found, utterances)],
        "clips": {NASTY: Clip("data:audio/flac;base64,AAAA"), "second": Clip(None, "No audio: gone.")},
        "classes": {"a": "vowel", "b": "plosive", "c": "plosive"},
        "made_from": {"inputs": {NASTY: "hash"}},
    }
    return Report(**{**made, **changes})


def test_every_element_is_closed_and_every_text_escaped() -> None:
    read = Reader(page(report()))
    assert read.open == []
    assert "img" not in {tag for tag, _ in read.elements}
    assert [tag for tag, _ in read.elements].count("script") == 1
    assert read.text.count(NASTY) > 10


def test_nothing_is_loaded_from_elsewhere() -> None:
    read = Reader(page(report()))
    assert {tag for tag, _ in read.elements}.isdisjoint({"link", "iframe", "object", "embed", "base", "form"})
    assert all(str(link).startswith("#") for link in read.of("a", "href"))
    assert [key for _, attributes in read.elements for key in attributes if key in ("srcset", "poster")] == []
    assert read.of("audio", "src") == ["data:audio/flac;base64,AAAA"]
    (policy,) = [content for content in read.of("meta", "content") if content and "default-src" in content]
    assert "default-src 'none'" in policy
    style = page(report()).partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style and "@import" not in style


def test_it_tells_what_it_was_made_from() -> None:
    (made,) = [a["content"] for tag, a in Reader(page(report())).elements if a.get("name") == MADE_FROM]
    assert json.loads(str(made)) == {"inputs": {NASTY: "hash"}}


def test_rates_come_with_their_intervals_and_the_best_setting() -> None:
    read = Reader(page(report()))
    assert read.text.count("50.0 12.5–50.0") >= 4
    assert read.text.count("lm_scale_0.2 best") == 2
    # what nobody said has no rate
    assert "∞" in read.text


def test_groups_all_in_one_are_not_shown() -> None:
    text = Reader(page(report())).text
    assert "By speaker" in text and "By language" not in text


def test_settings_bound_what_is_shown() -> None:
    read = Reader(page(report(settings=ReportSettings(worst=1, groups=1, confused=2))))
    assert "The 1 worst; 1 more are in score.json." in read.text
    assert sum(attributes.get("class") == "about" for _, attributes in read.elements) == 1
    assert "The 2 phones with most errors" in read.text


def test_pairs_are_marked_and_timed() -> None:
    read = Reader(page(report()))
    pairs = [
        a for tag, a in read.elements if tag == "span" and "pair" in str(a.get("class")) and "data-at" in a
    ]
    assert [pair["data-at"] for pair in pairs][:6] == ["0.000", "0.250", "1.500"] * 2
    assert [pair["class"] for pair in pairs][:3] == ["pair same", "pair sub", "pair same"]
    assert {"substitution", "deletion", "insertion"} <= set(read.of("abbr", "title"))


def test_an_utterance_without_audio_says_why() -> None:
    assert "No audio: gone." in Reader(page(report())).text
