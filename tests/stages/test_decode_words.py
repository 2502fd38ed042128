"""Decoding into words: with a lexicon and a language model, swept scales, likely words, long cuts, times."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import yaml
from lhotse import MonoCut, Recording, SupervisionSegment

from unispeech_cli.decoder.hypotheses import Hypothesis, read_decoded, read_hypotheses
from unispeech_cli.decoder.methods import Method, SearchSettings
from unispeech_cli.decoder.recognition import LongCutSettings
from unispeech_cli.decoder.segments import SegmentSettings
from unispeech_cli.lang.lexicon import write_lexicon
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.manifests import write_cuts
from unispeech_cli.model.chunks import ChunkSettings
from unispeech_cli.model.encoder import EncoderSettings
from unispeech_cli.model.frontend import FrontendSettings
from unispeech_cli.model.recognizer import Recognizer, RecognizerSettings
from unispeech_cli.paths import CheckpointDir, DecodeDir, LangDir
from unispeech_cli.records import Note
from unispeech_cli.stages.decode import DecodeSettings, decode
from unispeech_cli.trainer.checkpoint import Identity, Position, save

LETTERS = TokenTable(("<blk>", "|", "a", "b", "k"))
PHONES = TokenTable(("<blk>", "a", "b", "k", "ʎ"))
SIZE = RecognizerSettings(
    FrontendSettings(channels=8),
    EncoderSettings(layers=1, dim=16, heads=2, ffn_dim=16, position_kernel=4, position_groups=2),
)
LM = """
\\data\\
ngram 1=6

\\1-grams:
-99 <s>
-0.9 </s>
-0.6 a
-0.7 ab
-0.9 ka
-0.9 kab

\\end\\
"""


@dataclasses.dataclass(frozen=True)
class System:
    """A recogniser with random weights that says a lot, its lang directory, and cuts of noise."""

    exp: Path
    lang: Path
    lm: Path
    cuts: Path
    root: Path

    def decode(self, name: str, method: Method, settings: DecodeSettings | None = None) -> list[str]:
        records = decode(self.exp, [self.cuts], self.root / name, method=method, settings=settings)
        return [record.text for record in records if isinstance(record, Note)]

    def heard(self, name: str, setting: str) -> list[Hypothesis]:
        return read_hypotheses(DecodeDir(self.root / name).hypotheses("t", setting))


def system(root: Path, table: TokenTable, kind: str, lexicon: dict[str, list[tuple[str, ...]]]) -> System:
    torch.manual_seed(5)
    model = Recognizer(SIZE, len(table))
    with torch.no_grad():
        model.head.weight.mul_(20)
    settings = yaml.safe_dump({"model": dataclasses.asdict(SIZE)})
    save(CheckpointDir(root / "exp" / "best"), model, Position(3, 3), Identity(settings, table))
    lang = LangDir(root / "lang")
    table.write(lang.tokens)
    write_lexicon(lang.lexicon, lexicon)
    (root / "lm.arpa").write_text(LM)
    write_cuts(root / "t.jsonl", [cut(root / f"{n}.wav", n, kind) for n in (11_200, 9_600, 4_000)])
    return System(root / "exp", lang.root, root / "lm.arpa", root / "t.jsonl", root)


def cut(audio: Path, samples: int, kind: str) -> MonoCut:
    """Noise behind a second of other noise."""
    wave = np.random.default_rng(samples).normal(scale=0.1, size=16_000 + samples)
    soundfile.write(audio, wave, 16_000)
    custom = {"tokens_type": kind, kind: "k a", "text_norm": "ka"}
    recording = Recording.from_file(audio, recording_id=f"rec {audio.stem}")
    seconds = samples / 16_000
    spoken = SupervisionSegment(audio.stem, recording.id, 0.0, seconds, text="Ka!", custom=custom)
    return MonoCut(audio.stem, 1.0, seconds, 0, [spoken], recording=recording)


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> System:
    words = ("a", "ab", "ka", "kab")
    return system(tmp_path_factory.mktemp("letters"), LETTERS, "letters", {w: [tuple(w)] for w in words})


@pytest.fixture(scope="module")
def phones(tmp_path_factory: pytest.TempPathFactory) -> System:
    lexicon = {"a": [("a",)], "ab": [("a", "b"), ("ʎ", "b")], "ka": [("k", "a")], "kab": [("k", "b")]}
    return system(tmp_path_factory.mktemp("phones"), PHONES, "phones", lexicon)


def ends(times: Sequence[tuple[float, float]]) -> list[float]:
    return [start + duration for start, duration in times]


@pytest.mark.parametrize("method", ["greedy", "prefix-beam"])
def test_letters_make_words_with_times(letters: System, method: str) -> None:
    letters.decode(method, Method(method))
    for found in letters.heard(method, method):
        assert found.words == tuple(" ".join("".join(found.tokens).replace("|", " ").split()).split())
        assert (found.ref_words, found.ref_text) == (("ka",), "Ka!")
        assert (len(found.times), len(found.word_times)) == (len(found.tokens), len(found.words))
        assert 0 <= found.word_times[0][0] <= ends(found.word_times)[-1] <= found.duration


@pytest.mark.k2
def test_scales_are_results_of_one_directory(letters: System) -> None:
    method = Method("hlg", letters.lang, letters.lm, scales=(0.0, 0.5, 2.0))
    letters.decode("swept", method)
    made = read_decoded(letters.root / "swept")
    assert (made.method, made.settings) == ("hlg", ("lm_scale_0", "lm_scale_0.5", "lm_scale_2"))
    said = [
        word for setting in made.settings for h in letters.heard("swept", setting) for word in h.words or ()
    ]
    assert set(said) == {"a", "ka"}
    scores = [[h.score for h in letters.heard("swept", setting)] for setting in made.settings]
    assert scores[0] > scores[1] > scores[2]


@pytest.mark.k2
@pytest.mark.parametrize("method", ["nbest-rescoring", "lattice-rescoring"])
def test_rescoring_with_the_same_model_is_hlg(letters: System, method: str) -> None:
    wide = DecodeSettings(search=SearchSettings(lm_scale=0.5))
    letters.decode("hlg", Method("hlg", letters.lang, letters.lm), wide)
    letters.decode(method, Method(method, letters.lang, letters.lm), wide)
    expected, found = letters.heard("hlg", "hlg"), letters.heard(method, method)
    assert [h.score for h in found] == pytest.approx([h.score for h in expected], abs=1e-2)
    assert [h.words for h in found] == [h.words for h in expected]


@pytest.mark.k2
def test_phones_become_words_by_the_lexicon_with_the_times_of_their_phones(phones: System) -> None:
    phones.decode("words", Method("hlg", phones.lang, phones.lm))
    lexicon = {"a": ["a"], "ab": ["a b", "ʎ b"], "ka": ["k a"], "kab": ["k b"]}
    for found in phones.heard("words", "hlg"):
        assert found.words
        for word, (start, duration) in zip(found.words, found.word_times, strict=True):
            said = [
                token
                for token, (at, _) in zip(found.tokens, found.times, strict=True)
                if start <= at < start + duration
            ]
            assert " ".join(said) in lexicon[word]


@pytest.mark.k2
def test_ctm_has_words_and_units_in_seconds_of_the_recording(phones: System) -> None:
    phones.decode("words", Method("hlg", phones.lang, phones.lm))
    phones.decode("phones", Method("greedy"))
    place, (first, *_) = DecodeDir(phones.root / "words"), phones.heard("words", "hlg")
    assert first.words is not None
    start, duration = first.word_times[0]
    lines = place.ctm("t", "hlg").read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"rec_{first.id} 1 {1 + start:.2f} {duration:.2f} {first.words[0]} 1.00"
    assert len(lines) == sum(len(h.words or ()) for h in phones.heard("words", "hlg"))
    units = place.units_ctm("t", "hlg", "phones").read_text(encoding="utf-8").splitlines()
    assert len(units) == sum(len(h.tokens) for h in phones.heard("words", "hlg"))
    heard = phones.heard("phones", "greedy")
    alone = DecodeDir(phones.root / "phones").ctm("t", "greedy").read_text(encoding="utf-8").splitlines()
    assert [line.split()[4] for line in alone] == [token for h in heard for token in h.tokens]
    assert heard[0].words is None


@pytest.mark.k2
def test_likely_words_are_heard_more_and_unknown_ones_named(letters: System) -> None:
    file = letters.root / "likely.txt"
    file.write_text("kab\t6\nzebra ka\n")
    said = letters.decode("biased", Method("hlg", letters.lang, letters.lm, bias=file))
    assert f"warning: t: --bias {file}: words that the graph lacks: zebra" in said
    letters.decode("plain", Method("hlg", letters.lang, letters.lm))
    counts = [
        sum((h.words or ()).count("kab") for h in letters.heard(name, "hlg")) for name in ("plain", "biased")
    ]
    assert counts[0] < counts[1]


def test_likely_words_in_letters_need_no_graph(letters: System) -> None:
    file = letters.root / "spelled.txt"
    file.write_text("ka\t4\nzebra\n")
    said = letters.decode("spelled", Method("prefix-beam", bias=file))
    assert any(line.startswith(f"warning: t: --bias {file}: left out zebra: ") for line in said)
    letters.decode("prefix-beam", Method("prefix-beam"))
    counts = [
        sum((h.words or ()).count("ka") for h in letters.heard(name, "prefix-beam"))
        for name in ("prefix-beam", "spelled")
    ]
    assert counts[0] < counts[1]


def test_long_cuts_are_recognised_in_parts(letters: System) -> None:
    # more context than there is: the parts are those of the whole
    long = LongCutSettings(ChunkSettings(1.0, 2.0), SegmentSettings(1.0))
    write_cuts(letters.root / "long.jsonl", [cut(letters.root / "long.wav", 24_000, "letters")])
    of_long = dataclasses.replace(letters, cuts=letters.root / "long.jsonl")
    for name, settings in (("whole", None), ("parts", DecodeSettings(long=long))):
        of_long.decode(name, Method(), settings)
    (whole,), (parts,) = (
        read_hypotheses(DecodeDir(letters.root / name).hypotheses("long", "greedy"))
        for name in ("whole", "parts")
    )
    assert (parts.tokens, parts.times, parts.words) == (whole.tokens, whole.times, whole.words)
    assert parts.score == pytest.approx(whole.score, abs=1e-2)


def test_a_long_cut_that_cannot_be_read_costs_a_line(letters: System, tmp_path: Path) -> None:
    cuts = [
        cut(tmp_path / f"{name}.wav", samples, "letters") for name, samples in (("a", 48_000), ("b", 4_000))
    ]
    (tmp_path / "a.wav").unlink()
    write_cuts(tmp_path / "t.jsonl", cuts)
    broken = dataclasses.replace(letters, cuts=tmp_path / "t.jsonl", root=tmp_path)
    said = broken.decode("out", Method(), DecodeSettings(long=LongCutSettings(ChunkSettings(1.0, 1.0))))
    assert any(line.startswith("warning: t: a left out: ") and "a.wav" in line for line in said)
    assert [found.id for found in broken.heard("out", "greedy")] == ["b"]


def test_other_words_to_expect_are_decoded_anew(letters: System) -> None:
    file = letters.root / "changing.txt"
    file.write_text("ka\n")
    method = Method("prefix-beam", bias=file)
    letters.decode("changing", method)
    assert letters.decode("changing", method)[0].endswith("nothing to do")
    file.write_text("ka\nkab\n")
    assert any("changing.txt: " in line for line in letters.decode("changing", method))


def test_options_of_decode_json_say_what_was_searched_with(letters: System) -> None:
    letters.decode("noted", Method("prefix-beam"), DecodeSettings(search=SearchSettings(bias_bonus=2.0)))
    options: dict[str, Any] = json.loads(DecodeDir(letters.root / "noted").decoded.read_text())["options"]
    assert (options["method"], options["search.bias_bonus"], options["search.prefix.prefixes"]) == (
        "prefix-beam",
        2.0,
        16,
    )
