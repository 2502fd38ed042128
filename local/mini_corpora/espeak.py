"""espeak-ng in this process, by ctypes: text to samples and text to phones.

The engine keeps state between calls, so one process must always make the same calls in the same order;
`speakers.py` therefore gives every speaker a process of its own.
"""

import ctypes
import re

import espeakng_loader
import numpy as np

SYNCHRONOUS = 2
POSITION_IS_CHARACTER = 1
TEXT_IS_UTF8 = 1
RATE, PITCH, RANGE = 1, 3, 4
PHONES_IN_IPA = 0x02
PHONE_SEPARATOR = "_"
STRESS_MARKS = str.maketrans("", "", "ˈˌ")
DEFAULT_RATE = 175
HOME_COUNTRY = re.compile(r"^(\w+)-\1(?![\w-])")

_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Engine:
    """One espeak-ng engine; a process may make only one."""

    def __init__(self) -> None:
        self._lib = ctypes.CDLL(espeakng_loader.get_library_path())
        self._lib.espeak_TextToPhonemes.restype = ctypes.c_char_p
        data_dir = espeakng_loader.get_data_path().encode()
        self.rate = self._lib.espeak_Initialize(SYNCHRONOUS, 0, data_dir, 0)
        if self.rate <= 0:
            raise OSError(
                f"espeak-ng could not read its data in {data_dir.decode()}: reinstall espeakng-loader"
            )
        self._pieces: list[np.ndarray] = []
        self._callback = _CALLBACK(self._receive)
        self._lib.espeak_SetSynthCallback(self._callback)
        self.set_voice("en")  # without any voice, TextToPhonemes crashes

    def _receive(self, samples, count, _events) -> int:
        if samples and count > 0:
            self._pieces.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
        return 0

    def set_voice(self, name: str, rate: int = DEFAULT_RATE, pitch: int = 50, pitch_range: int = 50) -> None:
        """Choose a voice such as `es` or `es+f3`; rate in words a minute, pitch and its range 0..99."""
        # The voice of a language's home country is named after the language alone: `fr` speaks fr-fr.
        if not self._choose(name) and not self._choose(HOME_COUNTRY.sub(r"\1", name)):
            raise ValueError(f"espeak-ng has no voice {name!r}: see the names in its voices folder")
        # Rate and pitch outlive a change of voice, so all of them are set each time.
        for parameter, value in ((RATE, rate), (PITCH, pitch), (RANGE, pitch_range)):
            self._lib.espeak_SetParameter(parameter, value, 0)

    def _choose(self, name: str) -> bool:
        return self._lib.espeak_SetVoiceByName(name.encode()) == 0

    def speak(self, text: str, seed: int) -> np.ndarray:
        """Return `text` as float32 samples in -1..1 at `self.rate`; `seed` drives the breath noise."""
        self._pieces = []
        self._lib.espeak_ng_SetRandSeed(ctypes.c_long(seed))
        data = text.encode() + b"\0"
        self._lib.espeak_Synth(data, len(data), 0, POSITION_IS_CHARACTER, 0, TEXT_IS_UTF8, None, None)
        if not self._pieces:
            return np.zeros(0, dtype=np.float32)
        return np.concatenate(self._pieces).astype(np.float32) / 32768

    def phones(self, text: str) -> list[str]:
        """Return the phones of `text` in IPA, without stress marks."""
        data = ctypes.create_string_buffer(text.encode())
        pointer = ctypes.c_void_p(ctypes.addressof(data))
        mode = (ord(PHONE_SEPARATOR) << 8) | PHONES_IN_IPA
        found: list[str] = []
        # One call reads one clause and moves the pointer on; it is null after the last.
        while pointer.value:
            clause = self._lib.espeak_TextToPhonemes(ctypes.byref(pointer), TEXT_IS_UTF8, mode) or b""
            found += (
                clause.decode().translate(STRESS_MARKS).replace(" ", PHONE_SEPARATOR).split(PHONE_SEPARATOR)
            )
        return [phone for phone in found if phone]
