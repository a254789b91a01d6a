"""ADTS: one frame behind the other, nothing between."""

from __future__ import annotations

import pytest

from tests.tts.clips import TEXTS, clip
from tts.containers.aac import walk_aac
from tts.containers.base import BadContainer


def frame(size: int = 40, rate_at: int = 6, blocks: int = 1, head: int = 0xFFF1) -> bytes:
    """AAC LC, mono; rate 6 is 24 kHz."""
    word = head << 40 | 1 << 38 | rate_at << 34 | 1 << 30 | size << 13 | 0x7FF << 2 | (blocks - 1)
    return word.to_bytes(7, "big") + bytes(max(0, size - 7))


def test_frames_are_counted() -> None:
    assert walk_aac(frame() * 75).duration_ms == 3200
    assert walk_aac(frame(blocks=2) * 75).duration_ms == 6400


def test_a_tag_may_be_before_them() -> None:
    """As in the segments of a stream."""
    tag = b"ID3\x04\0\0\0\0\x01\x05" + bytes(133)
    walked = walk_aac(tag + frame() * 75)
    assert walked.duration_ms == 3200
    assert walked.pieces[0].begin == len(tag)


@pytest.mark.parametrize(
    ("audio", "why"),
    [
        (b"", "no ADTS frame"),
        (b"ID3\x04\0\0\0\0\0\x05" + bytes(5), "no ADTS frame"),
        (b"ID3\x04\0\0\0\0\x7f\x7f" + frame(), "a tag is cut"),
        (frame(rate_at=13), "no ADTS frame"),
        (frame(head=0xFFFB), "no ADTS frame"),
        (frame(size=7), "no frame at byte 0"),
        (frame(size=0), "no frame at byte 0"),
        (frame() * 3 + frame(rate_at=5), "no frame at byte 120"),
        (frame() * 3 + b"<html></html>", "no frame at byte 120"),
        (frame() * 3 + frame()[:5], "cut"),
        (frame() * 3 + frame()[:20], "cut: 20 bytes"),
    ],
)
def test_what_is_no_whole_stream_is_refused(audio: bytes, why: str) -> None:
    with pytest.raises(BadContainer, match=why):
        walk_aac(audio)


def test_a_real_stream_has_nothing_else() -> None:
    assert walk_aac(clip(TEXTS["en"], "aac")).duration_ms
