"""Another format of a sound that is still coming: a piece goes in, what it makes comes out.

bytes -> frames as they are whole (`tts.unpacking`) -> the rate wanted -> a file without an end
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tts.encoding import Encoder, Sink, encoder_for
from tts.transcoding import CannotTranscode, Shape, rate_for
from tts.unpacking import unpacker


class Incremental:
    """Safe under one thread; holds what it has made."""

    def __init__(self, source: Shape, wanted: Shape) -> None:
        self._source = source
        self._wanted = wanted
        self._unpack = unpacker(source)
        self._sink = Sink()
        self._encoder: Encoder | None = None
        self._resampler: Any = None

    def take(self, piece: bytes) -> bytes:
        """What can be heard now that this came, perhaps nothing. Raises CannotTranscode."""
        return self._made(self._frames(piece))

    def end(self) -> tuple[bytes, bytes]:
        """The rest of it, and the whole as it is to be stored; empty where nothing came.

        The whole is what was given out, but that its header knows how long it is. Raises
        CannotTranscode.
        """
        rest = self._made(self._frames(None))
        if self._encoder is None:
            return b"", b""
        return rest + self._made(None), self._encoder.with_length(self._sink.whole)

    def _frames(self, piece: bytes | None) -> Iterable[Any]:
        if self._unpack is None:
            raise CannotTranscode(f"{self._source.codec} is not read as it comes")
        return self._unpack.frames(piece)

    def _made(self, frames: Iterable[Any] | None) -> bytes:
        """Of these frames, or of what is left at the end."""
        from av import FFmpegError

        try:
            for frame in [None] if frames is None else frames:
                self._encode(frame)
            if frames is None and self._encoder:
                self._encoder.end()
        except (FFmpegError, ValueError) as error:  # such as a rate that changes on the way
            raise CannotTranscode(f"not to be read as {self._source.codec}") from error
        return self._sink.taken()

    def _encode(self, frame: Any) -> None:
        if self._encoder is None:
            self._begin(frame.sample_rate)
        assert self._encoder is not None
        for one in self._resampler.resample(frame):
            self._encoder.take(one)

    def _begin(self, found: int) -> None:
        from av import AudioResampler

        rate = rate_for(self._wanted, self._source.rate or found)
        self._resampler = AudioResampler(format="s16", layout="mono", rate=rate)
        self._encoder = encoder_for(self._sink, self._wanted, rate)
