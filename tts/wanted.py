"""What a listener asks a service for, and what is heard instead when the provider fails.

For one who has heard a byte already there is nothing else: another clip has another beginning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from audiocache.cache import MultiTierAudioCache
from audiocache.entries import AudioEntry, Clip, Recording
from audiocache.sharing import Sharing
from audiocache.streams import Broadcast
from tts.deadline import Deadline
from tts.exceptions import SpeechTimeout, TTSError
from tts.fallback import Asked
from tts.formats import content_type_of
from tts.prepared import Prepared
from tts.speaker import too_late
from tts.speech import Speech, SpeechRequest

if TYPE_CHECKING:
    from tts.service import TTSService


class Wanted:
    """A request, and the service that it was given to."""

    def __init__(
        self, service: TTSService, request: SpeechRequest, prepared: Prepared, namespace: str
    ) -> None:
        self._service = service
        self._request = request
        self._prepared = prepared
        self._namespace = namespace

    @property
    def cache(self) -> MultiTierAudioCache:
        """Where the clip is, or comes."""
        return self._service.cache

    @property
    def clip(self) -> Clip:
        """Its name there."""
        return self._prepared.clip

    @property
    def content_type(self) -> str:
        """Of the format asked for."""
        return content_type_of(self._prepared.request.audio_format or "")

    @property
    def sharing(self) -> Sharing:
        """How its making is shared with other processes."""
        return self._service.sharing

    @property
    def patience(self) -> float:
        """Seconds until the first byte: then other providers are asked."""
        return self._service.patience

    @property
    def timeout(self) -> float:
        """Seconds until the last one."""
        return self._service.config.timeout

    def found(self) -> AudioEntry | None:
        """What is there; None: it is to be made. Raises NotCached or BreakerOpen."""
        outages, clip = self._service.outages, self.clip
        if outages.quiet(clip) and (entry := outages.found(self.cache, clip)):
            return entry
        return self.cache.find(clip)

    async def afound(self) -> AudioEntry | None:
        """See `found`."""
        outages, clip = self._service.outages, self.clip
        if outages.quiet(clip) and (entry := await outages.afound(self.cache, clip)):
            return entry
        return await self.cache.afind(clip)

    def tagging(self, entry: AudioEntry) -> Callable[[], AudioEntry] | None:
        """What adds the request's tags to the clip that it got, where that lacks one."""
        return self._service.tagging(self._prepared, entry)

    def make(self, broadcast: Broadcast) -> Recording:
        """Ask the provider; what it sends is heard on the broadcast."""
        return self._service.make(self._prepared, broadcast)

    def instead(self, error: TTSError, until: Deadline) -> Speech:
        """An older clip, or another provider's. Raises the error where there is none."""
        if entry := self._service.outages.older(self.cache, self.clip, error):
            return Speech(entry)
        if not self._service.fallbacks.may_answer(self._request, error):
            raise error
        return self._service.fallbacks.speak(self._asked(until), error)

    async def ainstead(self, error: TTSError, until: Deadline) -> Speech:
        """See `instead`."""
        if entry := await self._service.outages.aolder(self.cache, self.clip, error):
            return Speech(entry)
        if not self._service.fallbacks.may_answer(self._request, error):
            raise error
        return await self._service.fallbacks.aspeak(self._asked(until), error)

    def too_late(self) -> SpeechTimeout:
        """The listener's wait is over."""
        return too_late(self.timeout)

    def _asked(self, until: Deadline) -> Asked:
        return Asked(self._request, self._prepared, self._namespace, until)
