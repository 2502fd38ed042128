from unispeech_cli.lang.lexicon_graph import disambiguated


def test_homophones_prefixes_and_nothing_else_are_disambiguated() -> None:
    lexicon = {
        "bee": [("b", "i")],
        "be": [("b", "i"), ("b", "ə")],
        "beat": [("b", "i", "t")],
        "b": [("b", "i")],
        "tea": [("t",)],
        "at": [("ə", "t")],
    }
    assert disambiguated(lexicon) == [
        ("at", ("ə", "t")),
        ("b", ("b", "i", "#1")),
        ("be", ("b", "i", "#2")),
        ("be", ("b", "ə")),
        ("beat", ("b", "i", "t")),
        ("bee", ("b", "i", "#3")),
        ("tea", ("t",)),
    ]


def test_no_pronunciation_begins_another_one() -> None:
    lexicon = {"a": [("x",)], "b": [("x", "y"), ("x",)], "c": [("x", "y", "z")], "d": [("y", "z")]}
    said = [units for _, units in disambiguated(lexicon)]
    for one in said:
        assert [other for other in said if other[: len(one)] == one] == [one]
