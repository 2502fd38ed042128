"""Audio that a page carries in itself: 16 kHz mono FLAC as data URIs, up to a size for all of them."""

import base64
import io
from collections.abc import Iterable, Mapping
from typing import Any

import soundfile

from unispeech_cli.audio import Wave, read_cut
from unispeech_cli.frames import SAMPLE_RATE
from unispeech_cli.scorer.report import Clip


def data_uri(wave: Wave) -> str:
    """Samples (samples,) at 16 kHz as a 16-bit FLAC file in a data URI."""
    file = io.BytesIO()
    soundfile.write(file, wave, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return f"data:audio/flac;base64,{base64.b64encode(file.getvalue()).decode()}"


def clips(ids: Iterable[str], cuts: Mapping[str, Any], megabytes: float) -> dict[str, Clip]:
    """The audio of cuts, first come first served while their URIs together take at most `megabytes`.

    A cut that is missing, cannot be read or comes too late has a reason in place of audio.
    """
    left, found = megabytes * 1e6, {}
    for name in ids:
        found[name] = (
            _clip(cuts[name], left)
            if name in cuts
            else Clip(None, "No audio: its cut is in no manifest that was found; give that by --cuts.")
        )
        left -= len(found[name].uri or "")
    return found


def _clip(cut: Any, left: float) -> Clip:
    try:
        uri = data_uri(read_cut(cut))
    except ValueError as error:
        return Clip(None, f"No audio: {error}", failed=True)
    return Clip(uri) if len(uri) <= left else Clip(None, "No audio: the report's audio_megabytes are full.")
