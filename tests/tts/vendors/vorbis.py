"""Ogg Vorbis, with the true time on each page: FFmpeg's encoder must be told it."""

from __future__ import annotations

import io
from fractions import Fraction

import av

from tests.tts.vendors.sounds import sound


def vorbis(text: str, rate: int, speed: float) -> bytes:
    pcm, file = sound(text, f"pcm_{rate}", speed), io.BytesIO()
    with av.open(file, "w", format="ogg") as output:
        stream = output.add_stream("vorbis", rate=rate, options={"strict": "-2"})
        assert isinstance(stream, av.AudioStream)
        stream.layout = "stereo"  # it knows nothing else
        for frame in _frames(pcm, rate, stream.codec_context):
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def _frames(pcm: bytes, rate: int, context: av.AudioCodecContext) -> list[av.AudioFrame]:
    whole = av.AudioFrame(format="s16", layout="mono", samples=len(pcm) // 2)
    whole.planes[0].update(pcm)
    whole.sample_rate = rate
    context.open()
    resampler = av.AudioResampler(context.format, context.layout, rate, context.frame_size)
    frames = [*resampler.resample(whole), *resampler.resample(None)]
    at = 0
    for frame in frames:
        frame.pts, frame.time_base = at, Fraction(1, rate)
        at += frame.samples
    return frames
