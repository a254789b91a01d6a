"""Frames out of a sound that is still coming, as soon as each is whole.

What is whole already is opened by FFmpeg's demuxers, which know much more (`tts.transcoding`);
they look for what has not come yet.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from tts.transcoding import CannotTranscode
from tts.wav import PCM, BadWav, beginning_of

if TYPE_CHECKING:
    from tts.transcoding import Shape

LONGEST_HEAD: Final = 65_536
"""Bytes before the sound."""
_LAYOUTS: Final = {1: "mono", 2: "stereo"}
_ID3: Final = 10
"""Bytes of the header of a tag."""


class Unpacker(ABC):
    """Of one format."""

    def __init__(self) -> None:
        self._held = b""
        """Came, and is not whole yet."""

    @abstractmethod
    def frames(self, piece: bytes | None) -> Iterator[Any]:
        """What is whole with this piece; None: nothing more comes. Raises CannotTranscode."""


class Bare(Unpacker):
    """Samples of 16 bits."""

    def __init__(self, rate: int, channels: int = 1) -> None:
        super().__init__()
        self._rate = rate
        self._channels = channels
        self._position = 0

    def frames(self, piece: bytes | None) -> Iterator[Any]:
        """See `Unpacker`; a sample that is cut is none."""
        held = self._held + (piece or b"")
        size = len(held) - len(held) % (2 * self._channels)
        self._held = held[size:]
        if size:
            yield self._frame(held[:size])

    def _frame(self, samples: bytes) -> Any:
        from av import AudioFrame

        number = len(samples) // (2 * self._channels)
        frame = AudioFrame(format="s16", layout=_LAYOUTS[self._channels], samples=number)
        frame.planes[0].update(samples)
        frame.sample_rate = self._rate
        frame.pts = self._position
        self._position += number
        return frame


class Wav(Unpacker):
    """A header, bare samples, and perhaps something behind them."""

    def __init__(self) -> None:
        super().__init__()
        self._samples: Bare | None = None
        self._left = 0

    def frames(self, piece: bytes | None) -> Iterator[Any]:
        """See `Unpacker`."""
        sound = self._behind_header(piece or b"") if self._samples is None else piece
        if self._samples is None or not sound:
            return
        sound = sound[: self._left]
        self._left -= len(sound)
        yield from self._samples.frames(sound)

    def _behind_header(self, piece: bytes) -> bytes:
        self._held += piece
        try:
            head = beginning_of(self._held)
        except BadWav as error:
            raise CannotTranscode(str(error)) from error
        if head is None:
            if len(self._held) > LONGEST_HEAD:
                raise CannotTranscode("its header does not end")
            return b""
        if (head.coding, head.bits) != (PCM, 16) or head.channels not in _LAYOUTS:
            raise CannotTranscode("its samples are not read as they come")
        self._samples = Bare(head.sample_rate, head.channels)
        self._left = head.size
        return self._held[head.begin :]


class Coded(Unpacker):
    """Frames that say by themselves where they begin, behind a tag."""

    def __init__(self, codec: str) -> None:
        from av import CodecContext

        super().__init__()
        self._context: Any = CodecContext.create(codec, "r")
        self._is_past_tag = False

    def frames(self, piece: bytes | None) -> Iterator[Any]:
        """See `Unpacker`. What cannot be decoded is left out; admission judges the whole."""
        from av import InvalidDataError

        packets = self._packets(piece)
        for packet in [*packets, None] if piece is None else packets:
            with suppress(InvalidDataError, EOFError):
                yield from self._context.decode(packet)

    def _packets(self, piece: bytes | None) -> list[Any]:
        if piece is None:
            return list(self._context.parse(b""))
        sound = piece if self._is_past_tag else self._behind_tag(piece)
        return list(self._context.parse(sound)) if sound else []

    def _behind_tag(self, piece: bytes) -> bytes:
        """A tag's picture could look like frames."""
        self._held += piece
        if len(self._held) < _ID3:
            return b""
        tag = _tag_bytes(self._held) if self._held.startswith(b"ID3") else 0
        self._is_past_tag = len(self._held) >= tag
        return self._held[tag:] if self._is_past_tag else b""


def _tag_bytes(head: bytes) -> int:
    """Seven bits a byte."""
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return _ID3 + size


def unpacker(source: Shape) -> Unpacker | None:
    """None where it cannot be read before it is whole."""
    if source.codec in {"mp3", "aac"}:
        return Coded(source.codec)
    if source.codec == "pcm" and source.rate:
        return Bare(source.rate)
    return Wav() if source.codec == "wav" else None
