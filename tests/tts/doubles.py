"""A provider that the tests hold in their hands."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import ClassVar

from audiocache.entries import Recording
from tts.conf import TTSConfig
from tts.deadline import Deadline
from tts.providers.tone import ToneProvider
from tts.speech import SpeechRequest


class StubProvider(ToneProvider):
    """Tones, with a list of the calls, a delay, an error or another answer."""

    name = "stub"
    remote = True
    formats: ClassVar[tuple[str, ...]] = ("wav", "pcm", "mp3")

    def __init__(self, config: TTSConfig) -> None:
        super().__init__(config)
        self.calls: list[SpeechRequest] = []
        self.threads: list[int] = []
        self.seconds = 0.0
        self.error: Exception | None = None
        self.answer: Callable[[Recording], Recording] = lambda recording: recording
        self.closed = False

    @property
    def master(self) -> str | None:
        """Called for what is asked for."""
        return None

    def synthesize(self, request: SpeechRequest, deadline: Deadline) -> Recording:
        self.calls.append(request)
        self.threads.append(threading.get_ident())
        time.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return self.answer(super().synthesize(request, deadline))

    def close(self) -> None:
        self.closed = True


class LocalStub(StubProvider):
    """The same, in this process."""

    remote = False
