"""How long packets of Opus last (RFC 6716, 3.1 and 3.2)."""

from __future__ import annotations

import pytest

from tests.tts.clips import TEXTS, clip
from tests.tts.tagged import with_time
from tts.containers.base import BadContainer
from tts.containers.ogg import walk_ogg
from tts.containers.opus import ticks


@pytest.mark.parametrize(
    ("packet", "ms"),
    [
        (bytes([0 << 3]), 10),
        (bytes([3 << 3]), 60),
        (bytes([11 << 3 | 1]), 120),
        (bytes([12 << 3]), 10),
        (bytes([15 << 3 | 2]), 40),
        (bytes([16 << 3]), 2.5),
        (bytes([31 << 3]), 20),
        (bytes([31 << 3 | 3, 5]), 100),
        (bytes([31 << 3 | 3, 0x80 | 0x40 | 3]), 60),
        (bytes([31 << 3 | 3]), 0),
    ],
)
def test_a_packet_says_in_its_first_bytes_how_long_it_is(packet: bytes, ms: float) -> None:
    assert ticks(b"before" + packet, [6]) == ms * 48
    assert ticks(packet + packet, [0, len(packet)]) >= ms * 96


@pytest.mark.parametrize("factor", [0.5, 0.8])
def test_a_stream_cannot_be_longer_than_it_says(factor: float) -> None:
    audio = clip(TEXTS["en"], "opus")
    assert walk_ogg(audio).duration_ms
    with pytest.raises(BadContainer, match="its sound goes on"):
        walk_ogg(with_time(audio, factor))
