"""Tones for a text, in every format that a vendor sends."""

from __future__ import annotations

import io
import re
from array import array
from functools import lru_cache

import av

from tests.tts.clips import encoded
from tts.conf import TTSConfig
from tts.deadline import Deadline
from tts.formats import codec_of
from tts.providers.tone import SAMPLE_RATE, ToneProvider
from tts.speech import SpeechRequest

PCM_RATE = 24_000
"""Hz of a format whose name does not say it."""


@lru_cache(maxsize=256)
def sound(text: str, audio_format: str, speed: float = 1) -> bytes:
    """A whole file, or bare samples, of the rate that the format's name says."""
    named = re.search(r"_(\d{4,5})(_|$)", audio_format)
    rate = int(named[1]) if named else PCM_RATE
    codec = codec_of(audio_format)
    pcm = _resampled(_tones(text, speed), rate)
    return _telephone(pcm, codec) if codec in {"ulaw", "alaw"} else encoded(pcm, rate, codec)


def _tones(text: str, speed: float) -> bytes:
    provider = ToneProvider(TTSConfig())
    request = provider.complete(SpeechRequest(text, audio_format="pcm", speed=speed))
    return provider.synthesize(request.spoken(), Deadline.after(20)).audio


def _resampled(pcm: bytes, rate: int) -> bytes:
    samples = array("h", pcm)
    count = len(samples) * rate // SAMPLE_RATE
    return array("h", [samples[i * SAMPLE_RATE // rate] for i in range(count)]).tobytes()


def _telephone(pcm: bytes, codec: str) -> bytes:
    file = io.BytesIO()
    name = {"ulaw": "mulaw", "alaw": "alaw"}[codec]
    with av.open(file, "w", format=name) as output:
        stream = output.add_stream(f"pcm_{name}", rate=8000)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        frame = av.AudioFrame(format="s16", layout="mono", samples=len(pcm) // 2)
        frame.planes[0].update(pcm)
        frame.sample_rate = 8000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()
