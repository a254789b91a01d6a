"""The binary interface of libespeak-ng: numbers, structures and signatures.

Source: speak_lib.h of espeak-ng 1.52.
"""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_short, c_size_t, c_ubyte, c_uint, c_void_p
from pathlib import Path
from typing import Any, Final

SYNCHRONOUS: Final = 2
DO_NOT_EXIT: Final = 0x8000
UTF8: Final = 0x1
SSML: Final = 0x10
END_PAUSE: Final = 0x1000
LIST_END: Final = 0
WORD: Final = 1
RATE, VOLUME, PITCH, RANGE = 1, 2, 3, 4
"""Parameters of a clip: words per minute; 0 to 200; 0 to 99; 0 to 99."""


class Voice(ctypes.Structure):
    """espeak_VOICE."""

    _fields_ = (
        ("name", c_char_p), ("languages", c_void_p), ("identifier", c_char_p),
        ("gender", c_ubyte), ("age", c_ubyte), ("variant", c_ubyte), ("unused", c_ubyte),
        ("score", c_int), ("spare", c_void_p),
    )  # fmt: skip


class Event(ctypes.Structure):
    """espeak_EVENT."""

    _fields_ = (
        ("type", c_int), ("identifier", c_uint), ("text_position", c_int), ("length", c_int),
        ("audio_position", c_int), ("sample", c_int), ("user_data", c_void_p),
        ("id", ctypes.c_char * 8),
    )  # fmt: skip


SynthCallback: Final = CFUNCTYPE(c_int, POINTER(c_short), c_int, POINTER(Event))
UriCallback: Final = CFUNCTYPE(c_int, c_int, c_char_p, c_char_p)


def load() -> Any:
    """The library of the package espeakng_loader, its functions typed."""
    from espeakng_loader import get_library_path

    library = ctypes.CDLL(get_library_path())
    library.espeak_Initialize.argtypes = [c_int, c_int, c_char_p, c_int]
    library.espeak_SetVoiceByName.argtypes = [c_char_p]
    library.espeak_SetParameter.argtypes = [c_int, c_int, c_int]
    library.espeak_Synth.argtypes = [
        c_char_p, c_size_t, c_uint, c_int, c_uint, c_uint, c_void_p, c_void_p,
    ]  # fmt: skip
    library.espeak_ListVoices.argtypes = [POINTER(Voice)]
    library.espeak_ListVoices.restype = POINTER(POINTER(Voice))
    return library


def data_path() -> Path:
    """Folder of voices and dictionaries."""
    from espeakng_loader import get_data_path

    return Path(get_data_path())
