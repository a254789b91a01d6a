"""Ogg: pages with their checksums, in sequence, to the end of each stream."""

from __future__ import annotations

import struct

import pytest

from tests.tts.clips import TEXTS, clip
from tests.tts.tagged import with_unmarked_end
from tts.containers.base import BadContainer
from tts.containers.crc import REVERSED, ogg_crc
from tts.containers.ogg import CONTINUED, FIRST, LAST, NO_GRANULE, walk_ogg

HEAD = b"OpusHead\x01\x01" + struct.pack("<HIHB", 312, 24_000, 0, 0)
VORBIS = b"\x01vorbis" + struct.pack("<IBI", 0, 1, 22_050) + bytes(14)


def page(
    number: int,
    flags: int = 0,
    body: bytes = b"\2sound",
    granule: int = 0,
    serial: int = 7,
    lacing: bytes | None = None,
    version: int = 0,
) -> bytes:
    lengths = bytes([len(body)]) if lacing is None else lacing
    header = struct.pack(
        "<4sBBqIIIB", b"OggS", version, flags, granule, serial, number, 0, len(lengths)
    )
    whole = header + lengths + body
    crc = ogg_crc(whole.translate(REVERSED), 0, len(whole))
    return whole[:22] + crc.to_bytes(4, "big").translate(REVERSED) + whole[26:]


def stream(seconds: int = 2, serial: int = 7, head: bytes = HEAD, rate: int = 48_000) -> bytes:
    skip = 312 if head is HEAD else 0
    return (
        page(0, FIRST, head, serial=serial)
        + page(1, 0, b"tags", serial=serial)
        + page(2, 0, granule=rate, serial=serial)
        + page(3, LAST, granule=seconds * rate + skip, serial=serial)
    )


def test_the_time_of_the_last_page_is_the_duration() -> None:
    assert walk_ogg(stream(3))[:3] == (3000, "opus", None)
    assert walk_ogg(stream(3, head=VORBIS, rate=22_050))[:3] == (3000, "vorbis", None)


def test_streams_may_follow_one_another() -> None:
    assert walk_ogg(stream(3) + stream(2, serial=8)).duration_ms == 5000


def test_a_page_without_a_time_is_a_part_of_a_packet() -> None:
    pages = [
        page(0, FIRST, HEAD),
        page(1, 0, bytes(255), NO_GRANULE, lacing=b"\xff"),
        page(2, CONTINUED | LAST, granule=48_312),
    ]
    assert walk_ogg(b"".join(pages)).duration_ms == 1000


def test_the_last_stream_may_leave_its_end_unmarked() -> None:
    """Who sends while it encodes may not know which page is its last."""
    for audio in (stream(3), stream(3) + stream(2, serial=8)):
        marked, unmarked = walk_ogg(audio), walk_ogg(with_unmarked_end(audio))
        assert (marked.end_is_marked, unmarked.end_is_marked) == (True, False)
        assert unmarked._replace(end_is_marked=True) == marked


@pytest.mark.parametrize(
    ("audio", "why"),
    [
        (b"", "cut"),
        (stream()[:-40], "cut"),
        (stream()[:20], "cut in the header"),
        (page(0, FIRST, HEAD), "last page is missing"),
        (page(0, FIRST, HEAD) + page(1, body=b"tags"), "last page is missing"),
        (with_unmarked_end(stream())[:-1], "cut"),
        (
            with_unmarked_end(stream(), 3) + page(3, 0, bytes(255), NO_GRANULE, lacing=b"\xff"),
            "last page is missing",
        ),
        (with_unmarked_end(stream()) + stream(2, serial=8), "within another"),
        (page(0, FIRST, HEAD) + page(2, LAST), "page 2 follows page 0"),
        (page(0, FIRST, HEAD) + page(1, LAST, serial=8), "within another"),
        (page(0, FIRST, HEAD) + page(0, FIRST, HEAD, serial=8), "within another"),
        (page(1, 0, HEAD), "does not begin"),
        (page(3, FIRST, HEAD), "does not begin"),
        (page(0, FIRST | LAST, b"Speex   " + bytes(80)), "neither Opus nor Vorbis"),
        (page(0, FIRST | LAST, b"\x01vorbis" + bytes(30)), "neither Opus nor Vorbis"),
        (page(0, FIRST, HEAD) + page(1, LAST, bytes(255), lacing=b"\xff"), "last packet is cut"),
        (page(0, FIRST, HEAD) + page(1, granule=9) + page(2, LAST, granule=8), "backwards"),
        (page(0, FIRST, HEAD, version=1), "unknown version"),
        (stream(2) + stream(2, head=VORBIS), "several codecs"),
        (stream() + b"junk", "no page at byte"),
        (page(0, FIRST, HEAD) + b"".join(page(n, body=b"") for n in range(1, 4000)), "nothing"),
    ],
)
def test_what_is_no_whole_file_is_refused(audio: bytes, why: str) -> None:
    with pytest.raises(BadContainer, match=why):
        walk_ogg(audio)


def test_the_checksum_is_that_of_other_writers() -> None:
    audio = bytearray(clip(TEXTS["en"], "opus"))
    assert walk_ogg(bytes(audio)).codec == "opus"
    audio[-1] ^= 1
    with pytest.raises(BadContainer, match="fails its checksum"):
        walk_ogg(bytes(audio))


@pytest.mark.parametrize(("size", "refused"), [(1, True), (4, False)])
def test_packets_of_next_to_nothing_are_refused(size: int, refused: bool) -> None:
    """Each costs time: a mebibyte of them half a million steps."""
    lacing = bytes([size]) * 255
    pages = (page(n, 0, bytes(255 * size), n * 122_400, lacing=lacing) for n in range(2, 50))
    audio = page(0, FIRST, HEAD) + page(1, 0, b"tags") + b"".join(pages)
    if refused:
        with pytest.raises(BadContainer, match="next to nothing"):
            walk_ogg(audio)
    else:
        assert walk_ogg(audio).duration_ms
