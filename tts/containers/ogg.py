"""Ogg (RFC 3533) with Opus (RFC 7845) or Vorbis: every page with its checksum, to the end.

Streams may follow one another, as where a provider joins answers; each must have its end. That of
the last one may be unmarked: writers that send while they encode do not know which page it is.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import accumulate, compress
from operator import and_
from typing import Final, NamedTuple

from tts.containers import opus
from tts.containers.base import BadContainer, Piece, Pieces, Walked
from tts.containers.crc import REVERSED, ogg_crc
from tts.containers.ogg_head import Head

CONTINUED: Final = 1
FIRST: Final = 2
LAST: Final = 4
NO_GRANULE: Final = -1
LONGER: Final = (0.3, 0.1)
"""Seconds, and the part, by which the packets of a stream may last longer than it says: the greater
of both. The last packet is filled up, and begins and ends may be cut off."""

FREE_PAGES: Final = 1000
LEAST_PAGE: Final = 64
"""Bytes of an average page behind those: 20 ms of speech take more. Bounds the walk."""
FREE_SEGMENTS: Final = 1000
LEAST_SEGMENT: Final = 3
"""The same of a packet's segments: most of a sound has more than a byte in each."""

_HEADER: Final = struct.Struct("<4sBBqIIIB")
_ENDS: Final = b"\1" * 255 + b"\0"
"""Does a segment of that length end a packet?"""
_HOLDS: Final = b"\0" + b"\1" * 255
"""Does it hold anything?"""


class Page(NamedTuple):
    """A page whose checksum is right."""

    flags: int
    granule: int
    serial: int
    number: int
    at: int
    """Where it begins."""
    lacing: bytes
    """Lengths of its packets' segments; one below 255 ends a packet."""
    begin: int
    """Of its packets' bytes."""
    end: int

    @property
    def open(self) -> bool:
        """Does its last packet go on in the next page?"""
        return self.lacing[-1:] == b"\xff"


class Stream:
    """One logical stream, page by page."""

    def __init__(self, page: Page, audio: bytes) -> None:
        if not page.flags & FIRST or page.number:
            raise BadContainer("a stream does not begin with its first page")
        self.codec, self.rate, self._skip = _identified(audio[page.begin : page.begin + 64])
        self._audio = audio
        self._head = Head(self.codec, page.serial, audio[page.at : page.end])
        self._pieces = Pieces(page.end)
        self._serial = page.serial
        self._number: int = page.number
        self._granule: int = 0
        self._ticks: int = 0
        self._page = page
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
        self._page = page
        self._take(page)
        if self.ended:
            self._refuse_longer()

    def stop(self) -> None:
        """No page follows, and none said so. Raises BadContainer where a part is missing."""
        if self._page.open or not (self._head.is_whole and self._granule > self._skip):
            raise BadContainer("cut: its last page is missing")
        self._pieces.cut(self._page.end)
        self._refuse_longer()

    def _take(self, page: Page) -> None:
        """Of its head, or of its sound."""
        pieces = self._pieces
        if not self._head.is_whole:
            self._head.add(page.lacing, self._audio[page.begin : page.end])
            pieces.head = self._head.written()
            pieces.skip(page.end)
            return
        if self.codec == "vorbis":
            _refuse_headers(self._audio, page)
        else:
            self._ticks += opus.ticks(self._audio, _packets(page))
        if self.ended or self._granule >= self.rate * (len(pieces.found) + 1):
            pieces.cut(page.end)

    def _refuse_longer(self) -> None:
        """Nothing below counts its packets: its pieces too are cut by what it says."""
        told, least, part = self._ticks / self.rate, *LONGER
        if told > self.seconds + max(least, part * self.seconds):
            raise BadContainer(f"its sound goes on behind the {self.seconds:.2f} s that it says")

    @property
    def pieces(self) -> list[Piece]:
        """Of its sound, about a second each."""
        return self._pieces.found

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
    if not streams:
        raise BadContainer("cut: its last page is missing")
    if not (ended := streams[-1].ended):
        streams[-1].stop()
    codecs = {stream.codec for stream in streams}
    if len(codecs) > 1:
        raise BadContainer("it holds streams of several codecs")
    seconds = sum(stream.seconds for stream in streams)
    pieces = tuple(piece for stream in streams for piece in stream.pieces)
    return Walked(round(seconds * 1000), codecs.pop(), end_is_marked=ended, pieces=pieces)


def _refuse_headers(audio: bytes, page: Page) -> None:
    """A decoder would read them again, comments and all; packets of sound are even."""
    if any(audio[at] & 1 for at in _packets(page)):
        raise BadContainer("a header lies within its sound")


def _packets(page: Page) -> Iterator[int]:
    """Where those begin that begin in this page; without a step of ours for each."""
    before = (b"\xff" if page.flags & CONTINUED else b"\0") + page.lacing
    begins = map(and_, before.translate(_ENDS), page.lacing.translate(_HOLDS))
    return compress(accumulate(page.lacing, initial=page.begin), begins)


def _pages(audio: bytes) -> Iterator[Page]:
    mirrored = audio.translate(REVERSED)
    at, left = 0, FREE_PAGES + len(audio) // LEAST_PAGE
    segments = FREE_SEGMENTS + len(audio) // LEAST_SEGMENT
    while at < len(audio):
        page = _page(audio, at)
        left, segments = left - 1, segments - len(page.lacing)
        if left < 0 or segments < 0:
            raise BadContainer("its pages hold next to nothing")
        crc = int.from_bytes(mirrored[at + 22 : at + 26], "big")
        if ogg_crc(mirrored, at, page.end) != crc:
            raise BadContainer(f"the page at byte {at} fails its checksum")
        yield page
        at = page.end


def _page(audio: bytes, at: int) -> Page:
    """The page that begins here."""
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
    return Page(flags, granule, serial, number, at, lacing, begin, end)


def _identified(packet: bytes) -> tuple[str, int, int]:
    """Codec, ticks a second and ticks to skip, told by a stream's first packet."""
    if packet[:8] == b"OpusHead" and len(packet) >= 19:
        return "opus", opus.RATE, int.from_bytes(packet[10:12], "little")
    if packet[:7] == b"\x01vorbis" and len(packet) >= 30:
        rate = int.from_bytes(packet[12:16], "little")
        if rate:
            return "vorbis", rate, 0
    raise BadContainer("it holds neither Opus nor Vorbis")
