"""A provider that no test may reach."""

from __future__ import annotations

import socket

from audiocache import Recording
from tts import SpeechRequest
from tts.deadline import Deadline
from tts.providers.base import Provider


class PaidProvider(Provider):
    name = "paid"
    formats = ("mp3_44100_128", "wav")
    default_format = "mp3_44100_128"
    native_format = "wav"
    max_text = 1000

    def synthesize(self, request: SpeechRequest, deadline: Deadline) -> Recording:
        with socket.create_connection(("127.0.0.1", 1), deadline.remaining()):
            raise AssertionError("a test reached the paid provider")
