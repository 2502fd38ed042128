import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from unispeech_cli.batches import loader
from unispeech_cli.batches.augment import AugmentSettings, NoiseSettings, ReverbSettings
from unispeech_cli.batches.batch import Batch
from unispeech_cli.batches.loader import inference_batches, open_held_out, training_batches
from unispeech_cli.batches.source import LoaderSettings, Source, open_sources
from unispeech_cli.lang.tokens import TokenTable
from unispeech_cli.manifests import read_cuts

Tones = Callable[..., Path]
TABLE = TokenTable(("<blk>", "a", "e", "i", "o"))
SPOKEN = ["a", "e o", "i i a", "o a e i", "e", "a i", "o o e", "i", "a e", "o i a"]
SMALL = LoaderSettings(seconds_per_batch=1.0, workers=0)


@pytest.fixture
def manifest(tones: Tones, tmp_path: Path) -> Path:
    return tones(tmp_path / "cv-es_cuts_train.jsonl.gz", SPOKEN)


@pytest.fixture
def sources(manifest: Path, tones: Tones, tmp_path: Path) -> list[Source]:
    unlabelled = tones(tmp_path / "cv-ky_cuts_train.jsonl.gz", SPOKEN[:6], language="ky")
    return [*open_sources([manifest], True, SMALL, TABLE), *open_sources([unlabelled], False, SMALL, TABLE)]


def batches(
    sources: list[Source], settings: LoaderSettings = SMALL, skip: int = 0, faults: list[str] | None = None
) -> Iterator[Batch | None]:
    on_fault = [].append if faults is None else faults.append
    return training_batches(sources, TABLE, settings, seed=1, skip=skip, on_fault=on_fault)


def same(left: Batch | None, right: Batch | None) -> bool:
    assert left is not None and right is not None
    pairs = zip(vars(left).values(), vars(right).values(), strict=True)
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in pairs)


def test_a_batch_holds_the_audio_and_the_labels_of_its_cuts(sources: list[Source], tmp_path: Path) -> None:
    seen = {True: 0, False: 0}
    for batch in islice(batches(sources), 12):
        assert batch is not None
        assert batch.padded_seconds <= SMALL.seconds_per_batch
        for row, cut_id in enumerate(batch.cut_ids):
            wave, _ = soundfile.read(tmp_path / f"{cut_id}.wav", dtype="float32")
            assert torch.equal(batch.wave_BS[row, : batch.wave_lengths_B[row]], torch.from_numpy(wave))
            labelled = cut_id.startswith("cv-es")
            spoken = SPOKEN[int(cut_id.split("-")[-1])].split() if labelled else []
            tokens = batch.token_BL[row, : batch.token_lengths_B[row]]
            assert tokens.tolist() == TABLE.encode(spoken)
            assert (bool(batch.labelled_B[row]), batch.languages[row]) == (labelled, cut_id[3:5])
            seen[labelled] += 1
    assert min(seen.values()) > 5


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("workers", [0, 2])
def test_skip_gives_exactly_the_batches_after_it(sources: list[Source], workers: int) -> None:
    settings = LoaderSettings(seconds_per_batch=1.0, workers=workers)
    through = list(islice(batches(sources), 12))
    resumed = list(islice(batches(sources, settings, skip=5), 7))
    assert all(same(left, right) for left, right in zip(through[5:], resumed, strict=True))


VARIED = AugmentSettings(
    speeds=(0.9, 1.0, 1.1), noise=NoiseSettings(share=0.5), reverb=ReverbSettings(share=0.3)
)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("workers", [0, 2])
def test_varied_speech_is_the_same_from_any_batch_on_with_any_readers(
    sources: list[Source], workers: int
) -> None:
    settings = replace(SMALL, augment=VARIED)
    through = list(islice(batches(sources, settings), 12))
    resumed = list(islice(batches(sources, replace(settings, workers=workers), skip=5), 7))
    assert all(same(left, right) for left, right in zip(through[5:], resumed, strict=True))
    # and heard again it is another
    waves: dict[str, list[torch.Tensor]] = {}
    for batch in through:
        for cut_id, wave_S in zip(batch.cut_ids, batch.wave_BS, strict=True):
            waves.setdefault(cut_id, []).append(wave_S[wave_S != 0])
    pairs = [heard[:2] for heard in waves.values() if len(heard) > 1]
    assert sum(left.equal(right) for left, right in pairs) <= len(pairs) / 4 and len(pairs) > 4


def test_ranks_take_turns_at_the_batches_of_one(sources: list[Source]) -> None:
    settings = replace(SMALL, seconds_per_update=4.0, augment=VARIED)
    alone = list(islice(batches(sources, settings, skip=3), 12))
    for rank in range(2):
        own = training_batches(sources, TABLE, settings, 1, 3, pytest.fail, rank, 2)
        assert all(same(left, right) for left, right in zip(alone[rank::2], islice(own, 6), strict=True))


def test_speeds_make_speech_shorter_and_higher_and_keep_to_the_batch(sources: list[Source]) -> None:
    """The phones are pitches: 300 Hz of "a" at 1.1 are 330 Hz."""
    settings = replace(SMALL, augment=AugmentSettings(speeds=(0.9, 1.1)))
    found = {0.9: 0, 1.1: 0}
    for batch in islice(batches(sources, settings), 100):
        assert batch is not None and batch.padded_seconds <= SMALL.seconds_per_batch + 1e-4
        for cut_id, wave_S, samples in zip(batch.cut_ids, batch.wave_BS, batch.wave_lengths_B, strict=True):
            if cut_id.endswith("-0"):
                wave = wave_S[:samples].numpy()
                pitch = np.abs(np.fft.rfft(wave, 160_000)).argmax() / 10
                speed = min(found, key=lambda one: abs(300 * one - pitch))
                assert pitch == pytest.approx(300 * speed, abs=2)
                assert len(wave) == round(3520 / speed)
                found[speed] += 1
    assert min(found.values()) > 3


def test_reading_does_not_move_the_random_numbers_of_the_training(sources: list[Source]) -> None:
    before = torch.get_rng_state()
    next(batches(sources))
    assert torch.equal(torch.get_rng_state(), before)


def test_an_unreadable_cut_costs_that_cut_and_a_line(sources: list[Source], tmp_path: Path) -> None:
    broken = tmp_path / "cv-es_cuts_train-3.wav"
    broken.write_bytes(b"RIFF")
    whole = list(islice(batches(sources, skip=0, faults=(faults := [])), 12))
    read = [cut_id for batch in whole if batch is not None for cut_id in batch.cut_ids]
    assert broken.stem not in read
    assert len(set(read)) == len(SPOKEN) + 6 - 1
    assert faults and all(fault.startswith(f"{broken.stem} left out: {broken}: ") for fault in faults)


def test_samples_that_are_no_sound_cost_that_cut(tones: Tones, tmp_path: Path) -> None:
    manifest = tones(tmp_path / "noise.jsonl", ["a e i"] * 4)
    for number, sample in enumerate([np.nan, np.inf, 1e38]):
        wave, rate = soundfile.read(tmp_path / f"noise-{number}.wav", dtype="float32")
        wave[700] = sample
        soundfile.write(tmp_path / f"noise-{number}.wav", wave, rate, subtype="FLOAT")
    faults: list[str] = []
    (batch,) = inference_batches(read_cuts(manifest), 20.0, None, faults.append)
    assert batch.cut_ids == ("noise-3",)
    said = "left out: its samples are no sound"
    assert [fault.partition(",")[0] for fault in faults] == [f"noise-{number} {said}" for number in range(3)]


def test_what_is_left_of_a_batch_keeps_its_own_audio(manifest: Path, tmp_path: Path) -> None:
    (tmp_path / "cv-es_cuts_train-3.wav").unlink()
    (batch,) = inference_batches(read_cuts(manifest), 100.0, TABLE, on_fault=[].append)
    assert len(batch.cut_ids) == len(SPOKEN) - 1
    # the longest was not read: no sample more than those that are there need
    assert batch.wave_BS.shape == (len(SPOKEN) - 1, int(batch.wave_lengths_B.max()))
    for cut_id, wave_S, samples in zip(batch.cut_ids, batch.wave_BS, batch.wave_lengths_B, strict=True):
        wave, _ = soundfile.read(tmp_path / f"{cut_id}.wav", dtype="float32")
        assert wave_S[:samples].equal(torch.from_numpy(wave)) and not wave_S[samples:].any()


def test_a_batch_of_nothing_readable_is_none_and_keeps_its_place(
    sources: list[Source], tmp_path: Path
) -> None:
    whole = list(islice(batches(sources), 12))
    assert whole[4] is not None
    for cut_id in whole[4].cut_ids:
        (tmp_path / f"{cut_id}.wav").unlink()
    broken = list(islice(batches(sources), 12))
    assert broken[4] is None
    assert same(whole[3], broken[3])


def test_a_corpus_that_is_gone_ends_the_training(sources: list[Source], tmp_path: Path) -> None:
    for wav in tmp_path.glob("*.wav"):
        wav.unlink()
    with pytest.raises(
        ValueError, match=r"20 batches in a row could not be read, at last cv-.* no audio file"
    ):
        list(islice(batches(sources), 100))


def test_more_labels_than_frames_cost_that_cut(tones: Tones, tmp_path: Path) -> None:
    # 0.22 s are 10 frames
    manifest = tones(tmp_path / "x.jsonl", ["a", "e"])
    labels = "a e i o a e i o a e i"
    manifest.write_text(manifest.read_text().replace('"phones": "a"', f'"phones": "{labels}"'))
    sources = open_sources([manifest], True, SMALL, TABLE)
    batch = next(batches(sources, faults=(faults := [])))
    assert batch is not None and batch.cut_ids == ("x-1",)
    assert faults == ["x-0 left out: 11 labels need 11 frames, not 10; `unispeech phonemize` drops such cuts"]


def test_labels_that_fit_but_for_the_speed_say_what_to_do(tones: Tones, tmp_path: Path) -> None:
    # 0.22 s are 10 frames, at 1.2 they are 8
    manifest = tones(tmp_path / "x.jsonl", ["a", "e"])
    manifest.write_text(manifest.read_text().replace('"phones": "a"', '"phones": "a e i o a e i o a e"'))
    settings = replace(SMALL, augment=AugmentSettings(speeds=(1.2,)))
    sources = open_sources([manifest], True, settings, TABLE)
    batch = next(batches(sources, settings, faults=(faults := [])))
    assert batch is not None and batch.cut_ids == ("x-1",)
    needed = "10 labels need 10 frames, not 8 at speed 1.2"
    assert faults == [
        f"x-0 left out: {needed}; `unispeech phonemize` with max_speed as large drops such cuts"
    ]


def test_an_index_that_is_gone_ends_the_training_in_one_line(sources: list[Source]) -> None:
    sources[0].indexes[0].lines.unlink()
    sources[1].indexes[0].lines.unlink()
    with pytest.raises(ValueError, match=r"20 batches in a row .* batch 19 left out: .*cuts\.jsonl"):
        list(islice(batches(sources), 100))


def test_a_reader_that_gives_nothing_more_ends_the_training_in_one_line(
    sources: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "MOST_SECONDS", 4)
    coming = batches(sources, replace(SMALL, workers=1, prefetch=1))
    next(coming)
    (reader,) = multiprocessing.active_children()
    os.kill(reader.pid or 0, signal.SIGSTOP)
    with pytest.raises(OSError, match="no batch has come for 4 s: processes that read audio are stuck"):
        list(coming)
    reader.join(5)
    assert not reader.is_alive()


def test_waiting_is_said(sources: list[Source]) -> None:
    """Nobody trains here, so that all of the time is waited."""
    settings = replace(SMALL, seconds_per_update=2.0)
    list(islice(batches(sources, settings, faults=(faults := [])), 2 * 50 + 1))
    assert len(faults) == 1 and faults[0].startswith("the model waited for data ")


@pytest.mark.parametrize("tokens", [TABLE, None])
def test_inference_gives_every_cut_once_the_longest_first(manifest: Path, tokens: TokenTable | None) -> None:
    found = list(inference_batches(read_cuts(manifest), 1.2, tokens, on_fault=pytest.fail))
    seconds = [float(batch.wave_lengths_B.max()) for batch in found]
    assert seconds == sorted(seconds, reverse=True)
    assert all(batch.padded_seconds <= 1.2 or len(batch.cut_ids) == 1 for batch in found)
    assert sorted(cut_id for batch in found for cut_id in batch.cut_ids) == sorted(
        cut.id for cut in read_cuts(manifest)
    )
    assert all(bool(batch.labelled_B.all()) is (tokens is not None) for batch in found)


def test_held_out_cuts_come_whole_each_time(manifest: Path) -> None:
    held_out = open_held_out([manifest], TABLE, seconds_per_batch=1.0)
    for _ in range(2):
        found = list(held_out.batches(torch.device("cpu"), on_fault=pytest.fail))
        assert sum(len(batch.cut_ids) for batch in found) == len(SPOKEN)


def test_held_out_faults_are_told_and_nothing_readable_is_no_measure(manifest: Path, tmp_path: Path) -> None:
    held_out = open_held_out([manifest], TABLE, seconds_per_batch=1.0)
    (tmp_path / "cv-es_cuts_train-0.wav").unlink()
    list(held_out.batches(torch.device("cpu"), (faults := []).append))
    assert len(faults) == 1
    for wav in tmp_path.glob("*.wav"):
        wav.unlink()
    with pytest.raises(ValueError, match="none of 10 development cuts can be read"):
        list(held_out.batches(torch.device("cpu"), faults.append))


def test_held_out_cuts_need_units_where_units_are_measured(tones: Tones, tmp_path: Path) -> None:
    bare = tones(tmp_path / "x.jsonl", ["a"], labelled=False)
    assert len(open_held_out([bare], None, 1.0).cuts) == 1
    with pytest.raises(ValueError, match=r"x\.jsonl holds no training units"):
        open_held_out([bare], TABLE, 1.0)
    with pytest.raises(ValueError, match=r"no development cuts .* give --dev"):
        open_held_out([], TABLE, 1.0)
