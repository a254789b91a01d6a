"""What walking a container gives."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

Samples: TypeAlias = "array[int] | array[float]"


class BadContainer(ValueError):
    """Not a whole file of its kind; the message says where it breaks, without its bytes."""


class Piece(NamedTuple):
    """About a second of the sound, which a decoder takes by itself behind its head."""

    head: bytes
    """Made here or copied: what a decoder must know before. Tags and comments are not in it."""
    begin: int
    end: int


class Bare(NamedTuple):
    """Sound that lies open, sample for sample."""

    data: bytes
    block: int
    """Bytes of one sample of all channels."""
    rate: int
    """Samples a second."""
    read: Callable[[bytes], Samples]


class Walked(NamedTuple):
    """What walking a whole container has shown."""

    duration_ms: int | None = None
    codec: str = ""
    """Where the container may hold several: opus or vorbis; ulaw, alaw or linear."""
    silent: bool | None = None
    """None: the sound lies coded, only decoding shows it."""
    end_is_marked: bool = True
    """False: what is there is whole, but more may have been meant to follow."""
    pieces: tuple[Piece, ...] = ()
    """All of the coded sound, in order, and nothing else that the file holds."""
    rate: int | None = None
    """Samples a second; None where those of the sound may be others than its container's."""
    bare: Bare | None = None
    """The sound, where it is not coded and its end is not marked."""


class Pieces:
    """Where the sound lies, noted while a walker goes on."""

    def __init__(self, begin: int, head: bytes = b"") -> None:
        self.found: list[Piece] = []
        self.begin = begin
        self.head = head

    def cut(self, at: int) -> None:
        """What was walked since the last cut is a piece."""
        if at > self.begin:
            self.found.append(Piece(self.head, self.begin, at))
            self.begin = at

    def skip(self, to: int) -> None:
        """What lies before is no sound."""
        self.begin = to


def sound_of(audio: bytes, pieces: Iterable[Piece]) -> bytes:
    """The pieces as one file, with each head where it changes."""
    parts, head = [], b""
    for piece in pieces:
        if piece.head != head:
            parts.append(head := piece.head)
        parts.append(audio[piece.begin : piece.end])
    return b"".join(parts)
