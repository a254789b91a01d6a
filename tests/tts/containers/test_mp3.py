"""MP3: tags, counts in the first frame, and what is no frame."""

from __future__ import annotations

import pytest

from tests.tts.clips import TEXTS, clip
from tts.containers.base import BadContainer
from tts.containers.mp3 import frame_of, walk_mp3
from tts.containers.tags import MAX_TAGS, behind_tags

FRAME = bytes.fromhex("fff314c0") + bytes(20)
"""MPEG-2 layer III at 8 kbit/s and 24 kHz: 24 bytes, 24 ms."""
ID3 = b"ID3\x04\0\0\0\0\0\x05" + bytes(5)
APE = b"APETAGEX" + (2000).to_bytes(4, "little") + (8).to_bytes(4, "little") + bytes(24)


def with_count(frames: int, said: int, name: bytes = b"Xing") -> bytes:
    """MPEG-1 frames of 417 bytes, the first of which says how many there are."""
    frame = bytearray(bytes.fromhex("fffb90c0") + bytes(413))
    at = 36 if name == b"VBRI" else 21
    frame[at : at + 8] = name + b"\0\0\0\x01"
    begin = at + (14 if name == b"VBRI" else 8)
    frame[begin : begin + 4] = said.to_bytes(4, "big")
    return bytes(frame) + (bytes.fromhex("fffb90c0") + bytes(413)) * frames


def test_bare_frames_are_counted() -> None:
    assert walk_mp3(FRAME * 100).duration_ms == 2400


@pytest.mark.parametrize(
    "audio",
    [
        ID3 + FRAME * 10,
        ID3 + ID3 + FRAME * 10,
        FRAME * 5 + ID3 + FRAME * 5,
        FRAME * 10 + b"TAG" + bytes(125),
        FRAME * 10 + APE[:12] + bytes(2020),
        FRAME * 10 + bytes(700),
        b"ID3\x04\0\x10\0\0\0\0" + b"3DI\x04\0\x10\0\0\0\0" + FRAME * 10,
    ],
    ids=["ID3v2", "two of them", "joined files", "ID3v1", "APE", "zeros", "with footer"],
)
def test_tags_are_passed_over(audio: bytes) -> None:
    assert walk_mp3(audio).duration_ms == 240


@pytest.mark.parametrize(
    ("audio", "why"),
    [
        (b"", "no MP3 frame"),
        (ID3, "no MP3 frame"),
        (b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + FRAME, "a tag is cut"),
        (ID3 * (MAX_TAGS + 1) + FRAME, "tags"),
        (b"\xff\xfd\x90\x00" + bytes(500), "no MP3 frame"),
        (b"\xff\xfb\xf0\x00" + bytes(500), "no MP3 frame"),
        (b"\xff\xfb\x00\x00" + bytes(500), "no MP3 frame"),
        (b"\xff\xfb\x9c\x00" + bytes(500), "no MP3 frame"),
        (b"\xff\xeb\x90\x00" + bytes(500), "no MP3 frame"),
        (FRAME * 10 + FRAME[:9], "cut: 15 bytes"),
        (FRAME * 3 + b"junk" + FRAME * 3, "no frame at byte 72"),
        (FRAME * 3 + bytes.fromhex("fff310c0") + bytes(500), "no frame at byte 72"),
    ],
)
def test_what_is_no_whole_file_is_refused(audio: bytes, why: str) -> None:
    with pytest.raises(BadContainer, match=why):
        walk_mp3(audio)


@pytest.mark.parametrize("name", [b"Xing", b"Info", b"VBRI"])
def test_fewer_frames_than_the_first_one_says_is_cut(name: bytes) -> None:
    assert walk_mp3(with_count(100, 100, name)).duration_ms == 2612
    assert walk_mp3(with_count(99, 100, name)).duration_ms  # it may count itself
    assert walk_mp3(with_count(200, 100, name)).duration_ms  # two files, joined
    assert walk_mp3(with_count(50, 0, name)).duration_ms  # a stream's writer did not know
    with pytest.raises(BadContainer, match="cut: 50 of 100 frames"):
        walk_mp3(with_count(50, 100, name))


def test_half_a_clip_cut_between_two_frames_is_seen() -> None:
    audio = clip(TEXTS["en"], "mp3")
    at = behind_tags(audio, 0)
    while at < len(audio) // 2:
        frame = frame_of(audio[at : at + 4])
        assert frame is not None
        at += frame.size
    with pytest.raises(BadContainer, match="frames"):
        walk_mp3(audio[:at])
