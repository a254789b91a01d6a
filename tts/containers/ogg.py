"""Ogg (RFC 3533) with Opus (RFC 7845) or Vorbis: every page with its checksum, to the end.

Streams may follow one another, as where a provider joins answers; each must have its end.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from tts.containers.base import BadContainer, Walked
from tts.containers.crc import REVERSED, ogg_crc

CONTINUED: Final = 1
FIRST: Final = 2
LAST: Final = 4
NO_GRANULE: Final = -1
OPUS_RATE: Final = 48_000

FREE_PAGES: Final = 1000
LEAST_PAGE: Final = 64
"""Bytes of an average page behind those: 20 ms of speech take more. Bounds the walk."""

_HEADER: Final = struct.Struct("<4sBBqIIIB")


class Page(NamedTuple):
    """A page whose checksum is right."""

    flags: int
    granule: int
    serial: int
    number: int
    begin: int
    """Of its packets' bytes."""
    open: bool
    """Its last packet goes on in the next page."""


class Stream:
    """One logical stream, page by page."""

    def __init__(self, page: Page, audio: bytes) -> None:
        if not page.flags & FIRST or page.number:
            raise BadContainer("a stream does not begin with its first page")
        self.codec, self.rate, self._skip = _identified(audio[page.begin : page.begin + 64])
        self._serial = page.serial
        self._number: int = page.number
        self._granule: int = 0
        self.ended = bool(page.flags & LAST)

    def add(self, page: Page) -> None:
        """Take the next page. Raises BadContainer when it is not the next."""
        if page.flags & FIRST or page.serial != self._serial:
            raise BadContainer("a stream begins within another")
        self._number += 1
        if page.number != self._number:
            raise BadContainer(f"page {page.number} follows page {self._number - 1}")
        if page.granule != NO_GRANULE:
            if page.granule < self._granule:
                raise BadContainer("its time runs backwards")
            self._granule = page.granule
        self.ended = bool(page.flags & LAST)
        if self.ended and page.open:
            raise BadContainer("its last packet is cut")

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return max(0, self._granule - self._skip) / self.rate


def walk_ogg(audio: bytes) -> Walked:
    """All pages of all streams. Raises BadContainer."""
    streams: list[Stream] = []
    for page in _pages(audio):
        if streams and not streams[-1].ended:
            streams[-1].add(page)
        else:
            streams.append(Stream(page, audio))
    if not streams or not streams[-1].ended:
        raise BadContainer("cut: its last page is missing")
    codecs = {stream.codec for stream in streams}
    if len(codecs) > 1:
        raise BadContainer("it holds streams of several codecs")
    return Walked(round(sum(stream.seconds for stream in streams) * 1000), codecs.pop())


def _pages(audio: bytes) -> Iterator[Page]:
    mirrored = audio.translate(REVERSED)
    at, left = 0, FREE_PAGES + len(audio) // LEAST_PAGE
    while at < len(audio):
        if (left := left - 1) < 0:
            raise BadContainer("its pages hold next to nothing")
        page, end = _page(audio, at)
        crc = int.from_bytes(mirrored[at + 22 : at + 26], "big")
        if ogg_crc(mirrored, at, end) != crc:
            raise BadContainer(f"the page at byte {at} fails its checksum")
        yield page
        at = end


def _page(audio: bytes, at: int) -> tuple[Page, int]:
    """The page that begins here, and where it ends."""
    if audio[at : at + 4] != b"OggS":
        raise BadContainer(f"no page at byte {at}")
    begin = at + _HEADER.size
    if begin > len(audio):
        raise BadContainer("cut in the header of a page")
    _, version, flags, granule, serial, number, _, count = _HEADER.unpack_from(audio, at)
    lacing = audio[begin : begin + count]
    begin += count
    end = begin + sum(lacing)
    if len(lacing) < count or end > len(audio):
        raise BadContainer(f"cut in the page at byte {at}")
    if version:
        raise BadContainer(f"the page at byte {at} has an unknown version")
    return Page(flags, granule, serial, number, begin, lacing[-1:] == b"\xff"), end


def _identified(packet: bytes) -> tuple[str, int, int]:
    """Codec, ticks a second and ticks to skip, told by a stream's first packet."""
    if packet[:8] == b"OpusHead" and len(packet) >= 19:
        return "opus", OPUS_RATE, int.from_bytes(packet[10:12], "little")
    if packet[:7] == b"\x01vorbis" and len(packet) >= 30:
        rate = int.from_bytes(packet[12:16], "little")
        if rate:
            return "vorbis", rate, 0
    raise BadContainer("it holds neither Opus nor Vorbis")
