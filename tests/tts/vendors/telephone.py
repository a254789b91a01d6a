"""µ-law and A-law in a WAV file, as Azure and Google send them."""

from __future__ import annotations

import struct

from tests.tts.vendors.sounds import sound

CODINGS = {"alaw": 6, "ulaw": 7}
RATE = 8000


def telephone_wav(text: str, coding: str, speed: float) -> bytes:
    samples = sound(text, f"{coding}_{RATE}", speed)
    fmt = struct.pack("<HHIIHHH", CODINGS[coding], 1, RATE, RATE, 1, 8, 0)
    fact = struct.pack("<I", len(samples))
    chunks = b"".join(
        name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
        for name, data in ((b"fmt ", fmt), (b"fact", fact), (b"data", samples))
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
