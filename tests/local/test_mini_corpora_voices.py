"""Levers of the synthesiser: how many voices, how long their tracts, how much noise, how many rooms."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "local"))

from mini_corpora.cli import main, orders, parse
from mini_corpora.commonvoice import _draw_microphone
from mini_corpora.plan import Surroundings, plan

TINY = ["--out", "nowhere", "--languages", "it", "--hours", "0.1"]


def order(*options: str):
    (one,) = orders(parse([*TINY, *options]))
    return one


def tasks(*options: str):
    one = order(*options)
    return plan("it", one.source, one.layout.style, one.size, one.seed)


def test_less_speech_a_voice_is_more_voices():
    """Six minutes."""
    assert sum(task.split == "train" for task in tasks()) == 12
    assert sum(task.split == "train" for task in tasks("--voice-seconds", "12")) == 30
    # those of dev and test stay
    assert [t for t in tasks() if t.split == "test"] == [
        t for t in tasks("--voice-seconds", "12") if t.split == "test"
    ]


def test_tracts_are_drawn_from_where_they_are_said_to_be():
    usual = [task.voice.tract for task in tasks()]
    assert 0.96 <= min(usual) < max(usual) <= 1.04
    wide = [task.voice.tract for task in tasks("--tracts", "1.1,1.2")]
    assert 1.1 <= min(wide) < max(wide) <= 1.2


def test_microphones_by_surroundings():
    drawn = [_draw_microphone(np.random.default_rng(seed), Surroundings((5, 10), 1.0)) for seed in range(8)]
    assert all(5 <= one.snr_db <= 10 and one.room is not None for one in drawn)
    dry = [_draw_microphone(np.random.default_rng(seed), Surroundings(rooms=0.0)) for seed in range(8)]
    assert all(28 <= one.snr_db <= 45 and one.room is None for one in dry)
    assert tasks("--rooms", "0.5", "--snr", "3,9")[0].surroundings == Surroundings((3.0, 9.0), 0.5)


def test_they_are_options_of_the_corpus_on_disk():
    usual = order().options
    for options in (("--voice-seconds", "12"), ("--tracts", "1,1.1"), ("--snr", "5,9"), ("--rooms", "0.4")):
        assert order(*options).options != usual
    assert order("--voice-seconds", "30", "--snr", "28,45").options == usual


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--rooms", "1.5"], "--rooms a share from 0 to 1"),
        (["--voice-seconds", "0"], "--voice-seconds is above 0"),
    ],
)
def test_what_no_voice_has(options, told, capsys):
    assert main([*TINY, *options]) == 1
    assert told in capsys.readouterr().err
    with pytest.raises(SystemExit):
        parse([*TINY, "--snr", "9,5"])
    assert "LOW is above HIGH" in capsys.readouterr().err
