"""MPEG audio, layer III: length, rate and channels from a file's first bytes, without decoding any."""

import io
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_KBPS = {
    1152: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    576: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
# bytes that tell all, save for long ID3 tags and variable bit rates without a Xing frame
HEAD = 4096
# samples that mpg123 drops at the start of a stream with a Xing frame, as `playable` makes it
_DECODER_DELAY = 529
# a Xing frame with its table and LAME's tag ends within this many bytes of its start
_TAG_REACH = 200


class Frame(NamedTuple):
    """What the four bytes at the head of a frame say."""

    sampling_rate: int
    channels: int
    num_samples: int
    num_bytes: int
    kbps: int
    side_info: int


def measure(head: bytes, size: int, whole: Callable[[], bytes]) -> tuple[int, int, int] | None:
    """Samples per channel, sampling rate and channels of a file of `size` bytes that begins with `head`.

    `whole` gives all bytes; it is called only for variable bit rates without a Xing frame and for long ID3
    tags. None when this is not layer III. Raises ValueError when fewer bytes are there than the Xing frame
    promises.
    """
    start = _after_id3(head)
    if start + _TAG_REACH > len(head) < size:
        head = whole()
    frame = _frame(head[start : start + 4])
    if frame is None:
        return None
    num_samples = _promised(head, start, frame, size)
    if num_samples is None:
        num_samples = _counted(head, start, size, whole)
    return None if num_samples is None else (num_samples, frame.sampling_rate, frame.channels)


def playable(source: str | Path | io.BytesIO) -> str | Path | io.BytesIO:
    """What libsndfile plays to its end: the source, or bytes that state the length which it does not.

    Without a Xing frame libsndfile guesses the length from the first frames; at a variable bit rate it then
    stops too early.
    """
    if isinstance(source, io.BytesIO):
        head = source.getbuffer()[:HEAD].tobytes()
    else:
        with open(source, "rb") as stream:
            head = stream.read(HEAD)
    start = _after_id3(head)
    frame = _frame(head[start : start + 4])
    if frame is None or _has_xing(head, start, frame) or len({one.kbps for one in _frames(head, start)}) == 1:
        return source
    data = (source.getvalue() if isinstance(source, io.BytesIO) else Path(source).read_bytes())[start:]
    return io.BytesIO(_xing_frame(data) + data)


def _xing_frame(data: bytes) -> bytes:
    """A frame that says how many frames follow; 320 kb/s, so that there is room in it."""
    header = bytes([0xFF, data[1] | 1, 0xE0 | data[2] & 0x0C, data[3]])
    frame = _frame(header)
    assert frame is not None
    counted = b"Xing\0\0\0\1" + sum(1 for _ in _frames(data, 0)).to_bytes(4, "big")
    return (header + bytes(frame.side_info) + counted).ljust(frame.num_bytes, b"\0")


def _has_xing(head: bytes, start: int, frame: Frame) -> bool:
    at = start + 4 + frame.side_info
    return head[at : at + 4] in (b"Xing", b"Info") and bool(head[at + 7] & 1)


def _after_id3(head: bytes) -> int:
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    length = 0
    for byte in head[6:10]:
        length = length << 7 | byte & 0x7F
    return 10 + length + (10 if head[5] & 0x10 else 0)


@lru_cache(maxsize=1024)
def _frame(header: bytes) -> Frame | None:
    bits = int.from_bytes(header, "big")
    version, layer, kbps_index, rate_index = bits >> 19 & 3, bits >> 17 & 3, bits >> 12 & 15, bits >> 10 & 3
    synchronised = len(header) == 4 and bits >> 21 == 0x7FF and version != 1 and layer == 1
    if not synchronised or kbps_index in (0, 15) or rate_index == 3:
        return None
    num_samples = 1152 if version == 3 else 576
    kbps, rate = _KBPS[num_samples][kbps_index], _RATES[version][rate_index]
    channels = 1 if bits >> 6 & 3 == 3 else 2
    side_info = {(1152, 2): 32, (1152, 1): 17, (576, 2): 17, (576, 1): 9}[num_samples, channels]
    checked = 0 if bits >> 16 & 1 else 2
    num_bytes = num_samples * 125 * kbps // rate + (bits >> 9 & 1)
    return Frame(rate, channels, num_samples, num_bytes, kbps, side_info + checked)


def _promised(head: bytes, start: int, frame: Frame, size: int) -> int | None:
    """Samples by the Xing frame, less the encoder's delay and padding; None when there is no such frame."""
    if not _has_xing(head, start, frame):
        return None
    at = start + 4 + frame.side_info
    flags = int.from_bytes(head[at + 4 : at + 8], "big")
    num_frames = int.from_bytes(head[at + 8 : at + 12], "big")
    if flags & 2:
        _check_bytes(int.from_bytes(head[at + 12 : at + 16], "big"), size - start, frame)
    # frames, bytes, table of contents, quality: each there when its flag is
    tag = at + 8 + sum(length for bit, length in ((1, 4), (2, 4), (4, 100), (8, 4)) if flags & bit)
    trim = int.from_bytes(head[tag + 21 : tag + 24], "big")
    return max(num_frames * frame.num_samples - (trim >> 12) - (trim & 0xFFF), 0)


def _check_bytes(promised: int, found: int, frame: Frame) -> None:
    # writers differ on whether the Xing frame itself counts
    if found + frame.num_bytes < promised:
        raise ValueError(f"truncated: its header promises {promised} bytes, {found} are there")


def _counted(head: bytes, start: int, size: int, whole: Callable[[], bytes]) -> int | None:
    """Samples by the size at a constant bit rate, else by counting frames; None when frames break off."""
    frames = list(_frames(head, start))
    reached = start + sum(frame.num_bytes for frame in frames)
    if reached < len(head) - 4 and len(frames) < 2:
        return None
    first = frames[0]
    if all(frame.kbps == first.kbps for frame in frames):
        mean_bytes = first.num_samples * 125 * first.kbps / first.sampling_rate
        return round((size - start) / mean_bytes) * first.num_samples
    return max(sum(frame.num_samples for frame in _frames(whole(), start)) - _DECODER_DELAY, 0)


def _frames(data: bytes, start: int) -> Iterator[Frame]:
    while (frame := _frame(data[start : start + 4])) is not None:
        yield frame
        start += frame.num_bytes
