"""The pages before the sound of an Ogg stream, written anew without its comments.

FFmpeg's time for comments grows with the square of their number, and covers are kept in them.
"""

from __future__ import annotations

import struct
from typing import Final

from tts.containers.base import BadContainer
from tts.containers.crc import REVERSED, ogg_crc

COMMENTS: Final = {"opus": b"OpusTags" + bytes(8), "vorbis": b"\x03vorbis" + bytes(8) + b"\x01"}
"""A packet of no comments, by codec."""
PACKETS: Final = {"opus": 1, "vorbis": 2}
"""Packets between the first one and the sound: the comments; for Vorbis its codebooks too."""
MAX_SEGMENTS: Final = 255

_PAGE: Final = struct.Struct("<4sBBqIIIB")


class Head:
    """Gathers the packets before the sound; `first` is the stream's whole first page."""

    def __init__(self, codec: str, serial: int, first: bytes) -> None:
        self._codec = codec
        self._serial = serial
        self._first = first
        self._packets: list[bytes] = []
        self._open = bytearray()

    @property
    def is_whole(self) -> bool:
        """Has all come that lies before the sound?"""
        return len(self._packets) == PACKETS[self._codec]

    def add(self, lacing: bytes, body: bytes) -> None:
        """Take the packets of a page, as far as they are wanted."""
        at = 0
        for size in lacing:
            if self.is_whole:
                return
            self._open += body[at : at + size]
            at += size
            if size < 255:
                self._packets.append(bytes(self._open))
                self._open.clear()

    def written(self) -> bytes:
        """Two pages; nothing before all has come.

        Raises BadContainer when the codebooks fill more than one page.
        """
        if not self.is_whole:
            return b""
        packets = [COMMENTS[self._codec], *self._packets[1:]]
        lacing = b"".join(b"\xff" * (len(it) // 255) + bytes([len(it) % 255]) for it in packets)
        if len(lacing) > MAX_SEGMENTS:
            raise BadContainer("its headers are too long")
        return self._first + _page(self._serial, lacing, b"".join(packets))


def _page(serial: int, lacing: bytes, body: bytes) -> bytes:
    """A stream's second page, with its checksum."""
    head = _PAGE.pack(b"OggS", 0, 0, 0, serial, 1, 0, len(lacing))
    page = head + lacing + body
    crc = ogg_crc(page.translate(REVERSED), 0, len(page))
    return page[:22] + crc.to_bytes(4, "big").translate(REVERSED) + page[26:]
