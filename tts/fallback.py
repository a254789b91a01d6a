"""Other providers, asked in their order when the first one cannot speak.

Each is a service of its own on the same cache, with its own keys, breaker and older clips:
what it spoke is found under its own name, and a second request pays nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from django.core.exceptions import ImproperlyConfigured

from audiocache.entries import AudioEntry
from tts.deadline import Deadline
from tts.exceptions import SpeechTimeout, TTSError
from tts.outages import may_fall_back
from tts.prepared import Prepared
from tts.rewording import reworded
from tts.speech import Speech, SpeechRequest

if TYPE_CHECKING:
    from tts.service import TTSService


TOO_LITTLE: Final = 0.01
"""Seconds; nobody answers within them."""


class Asked(NamedTuple):
    """What the first provider was asked, and until when its caller waits."""

    request: SpeechRequest
    prepared: Prepared
    namespace: str
    deadline: Deadline


class Fallbacks:
    """The fallbacks of a service."""

    def __init__(self, first: TTSService, services: list[TTSService]) -> None:
        self.first = first
        self.services = services
        self.answers = 0
        """How often one of them spoke, in this process."""

    def may_answer(self, request: SpeechRequest, error: TTSError) -> bool:
        """A request that names its provider, as a complete one does, is for that one alone."""
        return bool(self.services) and request.provider is None and may_fall_back(error)

    def speak(self, asked: Asked, error: TTSError) -> Speech:
        """The first fallback's speech. Raises the first provider's error, with notes.

        Who has no time left is not asked, for nobody would hear it: only its stored clip is.
        """
        failures = _Failures(error)
        for service in self.services:
            with failures.noted(service):
                prepared, seconds = self._reworded(service, asked)
                if seconds > TOO_LITTLE:
                    entry = service.find_or_make_sync(prepared, seconds)
                else:
                    found = _in_time(service.cache.find(prepared.clip))
                    entry = service.tagged_sync(prepared, found)
                return self._counted(Speech(entry, fallback=True))
        raise failures.told() from error

    async def aspeak(self, asked: Asked, error: TTSError) -> Speech:
        """See `speak`."""
        failures = _Failures(error)
        for service in self.services:
            with failures.noted(service):
                prepared, seconds = self._reworded(service, asked)
                if seconds > TOO_LITTLE:
                    entry = await service.find_or_make(prepared, seconds)
                else:
                    found = _in_time(await service.cache.afind(prepared.clip))
                    entry = await service.tagged(prepared, found)
                return self._counted(Speech(entry, fallback=True))
        raise failures.told() from error

    def close(self) -> None:
        """Give their connections back."""
        for service in self.services:
            service.close()

    def _reworded(self, service: TTSService, asked: Asked) -> tuple[Prepared, float]:
        request = reworded(
            asked.request, asked.prepared.request, self.first.provider, service.provider
        )
        prepared = service.prepared(request, asked.namespace, asked.prepared.tags)
        return prepared, asked.deadline.remaining()

    def _counted(self, speech: Speech) -> Speech:
        self.answers += 1
        return speech


def _in_time(stored: AudioEntry | None) -> AudioEntry:
    if stored is None:
        raise SpeechTimeout("not asked: no time was left")
    return stored


class _Failures:
    """The first provider's error, and why nobody spoke in its place."""

    def __init__(self, error: TTSError) -> None:
        self._error = error
        self._notes: list[str] = []

    @contextmanager
    def noted(self, service: TTSService) -> Iterator[None]:
        """Goes on after an error."""
        try:
            yield
        except (TTSError, ImproperlyConfigured) as error:
            self._notes.append(f"fallback {service.config.provider}: {error}")

    def told(self) -> TTSError:
        """A copy: the error itself is shared by all who waited for the call."""
        kind = type(self._error)
        error = kind.__new__(kind, *self._error.args)  # its __init__ may want more
        error.__dict__.update(self._error.__dict__)
        error.__notes__ = [*getattr(error, "__notes__", ()), *self._notes]
        return error
