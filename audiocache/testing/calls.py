"""What a test sees of speech: the calls that would have been paid, and what was stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias, overload

from audiocache.testing.memory_only import MemoryOnlyCache

if TYPE_CHECKING:
    from audiocache.entries import AudioEntry
    from tts.service import TTSService
    from tts.speech import SpeechRequest

Answer: TypeAlias = "bytes | Callable[[SpeechRequest], bytes] | None"
"""What the provider answers; None: a short sound in the format asked for."""

Failure: TypeAlias = "Exception | type[Exception] | None"
"""What the provider raises instead."""


class SpeechCalls(Sequence["SpeechRequest"]):
    """The calls made to the provider, in order. A clip that was found is no call.

    `audio` and `fail_with` may be set at any time, and hold for the calls from then on.
    """

    def __init__(self, audio: Answer = None, fail_with: Failure = None) -> None:
        self.audio = audio
        self.fail_with = fail_with
        self.cache = MemoryOnlyCache()
        """What `get_audio_cache()` gives meanwhile."""
        self.service: TTSService | None = None
        """What `get_tts_service()` gives meanwhile; None where `tts` is not installed."""
        self._calls: list[SpeechRequest] = []

    @property
    def calls(self) -> list[SpeechRequest]:
        """The requests as the provider got them: complete, failed ones too."""
        return list(self._calls)

    @property
    def texts(self) -> list[str]:
        """The text of each call, as it was sent."""
        return [request.text for request in self._calls]

    @property
    def stored(self) -> list[AudioEntry]:
        """The fresh entries of the cache, whoever put them there, the oldest first."""
        return self.cache.entries()

    def reset(self) -> None:
        """Forget the calls and empty the cache."""
        self._calls.clear()
        self.cache.clear()

    def answer(self, request: SpeechRequest) -> bytes | None:
        """Note a call; what to answer, None for a sound. Raises `fail_with`."""
        self._calls.append(request)
        if (failure := self.fail_with) is not None:
            raise failure if isinstance(failure, type) else failure.with_traceback(None)
        return self.audio(request) if callable(self.audio) else self.audio

    @overload
    def __getitem__(self, index: int) -> SpeechRequest: ...
    @overload
    def __getitem__(self, index: slice) -> list[SpeechRequest]: ...
    def __getitem__(self, index: int | slice) -> SpeechRequest | list[SpeechRequest]:
        return self._calls[index]

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[SpeechRequest]:
        return iter(self.calls)

    def __repr__(self) -> str:
        return f"<SpeechCalls {self._calls!r}>"
