"""A provider that is asked over HTTP: three steps of one straight template.

    call(request)              what to send: address, headers with the key, body
                               (stream_call(request), where a stream is asked for elsewhere)
    send(...)                  over the wire; an answer that is no success -> meaning(answer)
    recording(answer, request) the sound in the answer, and what was billed

A vendor is this class with `call`, its class attributes, and, where its errors say more than
their status does, `error_words` and the table `meanings`.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from audiocache.entries import Recording
from tts.conf import TTSConfig
from tts.deadline import Deadline, until
from tts.exceptions import (
    ContentRefused,
    ProviderDown,
    ProviderError,
    QuotaSpent,
    RateLimited,
    RequestRefused,
    SpeechNotConfigured,
    WrongKey,
)
from tts.formats import codec_of
from tts.plausible import bounds
from tts.providers.base import Provider, Take
from tts.providers.calls import HttpAnswer, HttpCall
from tts.providers.retry_after import seconds_to_wait
from tts.speech import SpeechRequest

BYTES_PER_SECOND: Final = {"mp3": 40_000, "opus": 64_000, "aac": 64_000}
"""The most that a codec has."""
SAMPLES_PER_SECOND: Final = 192_000
"""Bytes a second of what is not compressed: 48 kHz, 16 bits, two channels."""
HEAD: Final = 65_536
MAX_ANSWER: Final = 256 * 1024 * 1024

BY_STATUS: Final[Mapping[int, type[ProviderError]]] = {
    401: WrongKey,
    402: QuotaSpent,
    403: WrongKey,
    429: RateLimited,
    451: ContentRefused,
}
"""What a status means; any other 5xx is ProviderDown, any other RequestRefused."""

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_.:/=-]{1,128}")


class HttpProvider(Provider):
    """Base of the vendors. One instance serves all threads, with a session for each."""

    extra = ("requests", "tts")
    streams = True
    default_base_url: ClassVar[str]
    """Without a slash at its end; TTS_BASE_URL replaces it."""

    billed_header: ClassVar[str | None] = None
    """Of an answer: units billed for it."""
    concurrency_headers: ClassVar[tuple[str, str] | None] = None
    """Of an answer: calls that run now, and how many may."""
    concurrency_words: ClassVar[frozenset[str]] = frozenset()
    """Those of `meanings` that say: too many at once."""
    request_id_header: ClassVar[str] = "x-request-id"
    meanings: ClassVar[Mapping[str, type[ProviderError]]] = {}
    """What the vendor's own words for its errors mean, over BY_STATUS."""

    def __init__(self, config: TTSConfig) -> None:
        super().__init__(config)
        from tts.providers.wire import Wire  # stands on the extra

        if not config.cache_only:  # else there are no calls to have a key for
            self.check_access()
        self._wire = Wire(self.name, config.proxy, self.billed_header)

    def check_access(self) -> None:
        """Raise SpeechNotConfigured when the key, or what stands for it, is not set."""
        if not self.config.api_key:
            raise SpeechNotConfigured(f"TTS_API_KEY is not set: {self.name} needs a key")

    @property
    def base_url(self) -> str:
        """Without a slash at its end."""
        return (self.config.base_url or self.default_base_url).rstrip("/")

    def synthesize(self, request: SpeechRequest, deadline: Deadline) -> Recording:
        """Call, send, recording."""
        with until(deadline):  # what signs a call may have to ask for its credentials
            call = self.call(request)
        answer = self.send(call, deadline, self.max_answer(request))
        return self.recording(answer, request)

    def stream(self, request: SpeechRequest, deadline: Deadline, take: Take) -> Recording:
        """The same; the body of a success is the sound, unless `streams` denies it."""
        if not self.streams:
            return self.synthesize(request, deadline)
        with until(deadline):
            call = self.stream_call(request)
        answer = self.send(call, deadline, self.max_answer(request), take)
        return self.recording(answer, request)

    # First step

    @abstractmethod
    def call(self, request: SpeechRequest) -> HttpCall:
        """What is sent for a complete request; the key stands in a header and nowhere else."""

    def stream_call(self, request: SpeechRequest) -> HttpCall:
        """What is sent for a sound that is to be heard while it is made."""
        return self.call(request)

    # Second step

    def send(
        self, call: HttpCall, deadline: Deadline, limit: int, take: Take | None = None
    ) -> HttpAnswer:
        """The vendor's success, of at most `limit` bytes. Raises a ProviderError."""
        answer = self._wire.send(call, deadline, limit, take)
        if self.concurrency_headers:
            self.allowed_calls = answer.number(self.concurrency_headers[1])
        if not answer.ok:
            raise self.meaning(answer)
        return answer

    def max_answer(self, request: SpeechRequest) -> int:
        """The most bytes that can be an answer to this request."""
        _, seconds = bounds(request.text, request.speed or 1.0, ssml=request.ssml)
        rate = BYTES_PER_SECOND.get(codec_of(request.audio_format or ""), SAMPLES_PER_SECOND)
        return min(MAX_ANSWER, HEAD + int(seconds * rate))

    # Third step

    def recording(self, answer: HttpAnswer, request: SpeechRequest) -> Recording:
        """The sound in an answer: here the body itself."""
        return Recording(audio=answer.body, billed_units=self.billed(answer, request))

    def billed(self, answer: HttpAnswer, request: SpeechRequest) -> int:
        """Units as the vendor says, else by its rule."""
        told = answer.number(self.billed_header)
        return self.units(request) if told is None else told

    # What errors mean

    def meaning(self, answer: HttpAnswer) -> ProviderError:
        """The error that an answer stands for.

        Its message holds no word of the answer that is not in `meanings`: the vendor may
        repeat the text.
        """
        found = answer.json()
        words = self.error_words(found) if isinstance(found, dict) else ()
        word = next((word for word in words if word in self.meanings), None)
        kind = self.kind(self.meanings[word], answer) if word else by_status(answer.status)
        error = self.error(kind, f"HTTP {answer.status}" + (f", {word}" if word else ""), answer)
        if isinstance(error, RateLimited):
            error.at_once = word in self.concurrency_words
        return error

    def kind(self, told: type[ProviderError], answer: HttpAnswer) -> type[ProviderError]:
        """As it is told by a word; but who answers 4xx is not down, whatever it says."""
        wrong = told is ProviderDown and answer.status < 500
        return by_status(answer.status) if wrong else told

    def error_words(self, body: dict[str, Any]) -> Iterable[str]:  # noqa: ARG002 - for those who override it
        """The words in the JSON of an error that may stand in `meanings`, the best first."""
        return ()

    def error(self, kind: type[ProviderError], message: str, answer: HttpAnswer) -> ProviderError:
        """An error of this provider, with what the answer's headers say."""
        return kind(
            f"{self.name}: {message}",
            provider=self.name,
            status=answer.status,
            retry_after=seconds_to_wait(answer.headers),
            request_id=self._request_id(answer),
        )

    def _request_id(self, answer: HttpAnswer) -> str:
        name = answer.headers.get(self.request_id_header, "")
        return name if _REQUEST_ID.fullmatch(name) else ""

    def close(self) -> None:
        """Give connections back; the next call opens new ones."""
        self._wire.close()


def by_status(status: int) -> type[ProviderError]:
    """The error of a status that is no success; a redirect is none and is not followed."""
    return BY_STATUS.get(status, ProviderDown if status >= 500 else RequestRefused)


def words_in(*found: object) -> list[str]:
    """Those of the values that are str: a vendor's JSON may hold anything."""
    return [word for word in found if isinstance(word, str)]
