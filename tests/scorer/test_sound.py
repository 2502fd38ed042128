import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from unispeech_cli.manifests import read_cuts
from unispeech_cli.scorer.sound import clips, data_uri


def test_a_data_uri_holds_the_samples() -> None:
    wave = (np.sin(np.arange(1600) / 7) / 2).astype(np.float32)
    uri = data_uri(wave)
    assert uri.startswith("data:audio/flac;base64,")
    back, rate = soundfile.read(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    assert rate == 16_000
    np.testing.assert_allclose(back, wave, atol=2**-15)


def test_clips_are_bounded_and_say_why_they_are_missing(tones: Callable[..., Path], tmp_path: Path) -> None:
    cuts = {
        cut.id[-1]: cut for cut in read_cuts(tones(tmp_path / "t_cuts_x.jsonl.gz", ["a e", "a", "i o", "e"]))
    }
    Path(cuts["1"].recording.sources[0].source).unlink()
    sizes = {name: len(found.uri or "") for name, found in clips("023", cuts, 1.0).items()}
    found = clips("0129", cuts, (sizes["0"] + 10) / 1e6)
    assert [clip.uri is not None for clip in found.values()] == [True, False, False, False]
    assert [clip.failed for clip in found.values()] == [False, True, False, False]
    assert f"cut {cuts['1'].id}: no audio file" in found["1"].reason
    assert "audio_megabytes" in found["2"].reason and "in no manifest" in found["9"].reason
