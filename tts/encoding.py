"""Frames of 16-bit mono into a file of a format: into one that is whole at its end, or into one
that is heard while it is written, and is never written again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from tts.wav import endless_header, wav_of

if TYPE_CHECKING:
    from tts.transcoding import Shape

WRITERS: Final = {
    "mp3": ("mp3", "libmp3lame"),
    "opus": ("ogg", "libopus"),
    "aac": ("adts", "aac"),
    "flac": ("flac", "flac"),
}
"""FFmpeg's muxer and encoder by codec; samples need neither."""
_KBPS: Final = {"mp3": 64, "opus": 32, "aac": 64}
"""For one voice, where the format names none."""

_AT_ONCE: Final = {
    "mp3": {"write_xing": "0", "id3v2_version": "0"},  # the first is written again at the end
    "opus": {"page_duration": "100000"},  # microseconds; by default a second
}
"""How a muxer writes what is heard at once."""

_FLAC_SAMPLES: Final = slice(21, 26)
"""Where a FLAC file says how many samples it has: in the last 36 of these bits."""


class Target(Protocol):
    """What is written to."""

    def write(self, data: Any, /) -> int:
        """All of it."""


class Sink:
    """A target that is heard while it is written; it cannot be written again."""

    def __init__(self) -> None:
        self._written = bytearray()
        self._taken = 0

    def write(self, data: Any) -> int:
        """All of it."""
        self._written += data
        return len(data)

    def taken(self) -> bytes:
        """What came since this was asked last."""
        new = bytes(self._written[self._taken :])
        self._taken = len(self._written)
        return new

    @property
    def whole(self) -> bytes:
        """All that came."""
        return bytes(self._written)


class Coded:
    """Through an encoder of FFmpeg."""

    def __init__(self, target: Target, wanted: Shape, rate: int) -> None:
        import av

        muxer, encoder = WRITERS[wanted.codec]
        heard = isinstance(target, Sink)
        options = {"flush_packets": "1"} | _AT_ONCE.get(wanted.codec, {}) if heard else {}
        self._file: Any = av.open(target, "w", format=muxer, options=options)
        stream: Any = self._file.add_stream(encoder, rate=rate, layout="mono")
        if kbps := wanted.kbps or _KBPS.get(wanted.codec):
            stream.bit_rate = 1000 * kbps
        self._stream = stream
        self._is_flac = wanted.codec == "flac"
        self._samples = 0

    def take(self, frame: Any) -> None:
        """The next samples."""
        self._samples += frame.samples
        self._file.mux(self._stream.encode(frame))

    def end(self) -> None:
        """There are no more."""
        self._file.mux(self._stream.encode(None))
        self._file.close()

    def with_length(self, written: bytes) -> bytes:
        """The file, with a header that knows how long it is."""
        if not self._is_flac:
            return written
        at = _FLAC_SAMPLES
        said = int.from_bytes(written[at]) >> 36 << 36 | self._samples
        return written[: at.start] + said.to_bytes(5) + written[at.stop :]


class Samples:
    """As they are, as WAV or bare."""

    def __init__(self, target: Target, wanted: Shape, rate: int) -> None:
        self._target = target
        self._rate = rate
        self._header = endless_header(rate) if wanted.codec == "wav" else b""
        target.write(self._header)

    def take(self, frame: Any) -> None:
        """The next samples; a plane may be longer than them."""
        self._target.write(bytes(frame.planes[0])[: 2 * frame.samples])

    def end(self) -> None:
        """There is nothing to be written."""

    def with_length(self, written: bytes) -> bytes:
        """See `Coded`."""
        return wav_of(written[len(self._header) :], self._rate) if self._header else written


Encoder = Coded | Samples


def encoder_for(target: Target, wanted: Shape, rate: int) -> Encoder:
    """What writes this format at this rate."""
    return (Coded if wanted.codec in WRITERS else Samples)(target, wanted, rate)
