"""One provider before the cache: its clips are found, or made once; while it fails, older ones.

A service is one, and so is each of its fallbacks.
"""

from __future__ import annotations

import asyncio
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from audiocache.cache import MultiTierAudioCache
from audiocache.entries import AudioEntry, Recording
from audiocache.exceptions import WaitExpired
from audiocache.sharing import Sharing
from audiocache.streams import Broadcast
from audiocache.tagging import lacks, with_tags
from tts.building import built
from tts.conf import TTSConfig
from tts.decoding import load
from tts.exceptions import SpeechTimeout
from tts.limits import CallLimits
from tts.making import make
from tts.metering import Meter, Till, Wanted
from tts.outages import FAILURES, Outages
from tts.prepared import Prepared, PreparedRequests
from tts.providers.base import Provider
from tts.quarantine import Limits
from tts.relay import Heard, Relay
from tts.renditions import Renditions, rendering, rendition
from tts.sharing import sharing_of
from tts.speech import SpeechRequest


class Speaker(ABC):
    """What a provider and the cache do together, however one waits."""

    config: TTSConfig
    after: Sequence[Speaker] = ()
    """Who is asked before it, for a fallback."""

    def __init__(self) -> None:
        self._prepared = PreparedRequests(self.complete)

    @property
    @abstractmethod
    def provider(self) -> Provider:
        """Who speaks."""

    @property
    @abstractmethod
    def cache(self) -> MultiTierAudioCache:
        """Where clips are."""

    @abstractmethod
    def is_enabled(self) -> bool:
        """Can it speak?"""

    @abstractmethod
    def complete(self, request: SpeechRequest) -> SpeechRequest:
        """The request with every field filled and checked."""

    @built
    def outages(self) -> Outages:
        """Whether the provider is asked, and what is served when it fails."""
        return Outages(self.config, self.provider)

    @property
    def limits(self) -> CallLimits:
        """How many calls the provider gets at once, from all processes."""
        self._limits.places = self.cache.places  # the process may have another cache by now
        return self._limits

    @built
    def _limits(self) -> CallLimits:
        return CallLimits(self.provider, self.config.max_concurrent, self.cache.places)

    @built
    def till(self) -> Till:
        """What its calls cost, and how much may be spent."""
        return Till(self.provider, self.config)

    @built
    def renditions(self) -> Renditions:
        """Its formats, made of one another."""
        return Renditions(self.provider, self.config, lambda: self.cache)

    @built
    def sharing(self) -> Sharing:
        """How the makings are shared with other processes."""
        provider = self.provider
        return sharing_of(
            remote=provider.remote,
            timeout=self.config.timeout,
            lane=provider.account,
            apart=provider.account if self._has_another_account() else "",
        )

    def _has_another_account(self) -> bool:
        """Than one of the same vendor before it? Its clips have the same names, its calls not."""
        own, before = self.provider, [one.provider for one in self.after if one.is_enabled()]
        return any(one.name == own.name and one.account != own.account for one in before)

    def prepared(
        self, request: SpeechRequest, namespace: str, tags: Iterable[str] = ()
    ) -> Prepared:
        """The request complete, its clip and its tags. Raises InvalidSpeechRequest."""
        return self._prepared.of(request, namespace).tagged(tags)

    async def find_or_make(self, prepared: Prepared, seconds: float) -> AudioEntry:
        """The clip within `seconds`: found, made, or an older one. Asks no fallback."""
        return await self.tagged(prepared, await self._found_or_made(prepared, seconds))

    def find_or_make_sync(self, prepared: Prepared, seconds: float) -> AudioEntry:
        """See `find_or_make`."""
        return self.tagged_sync(prepared, self._found_or_made_sync(prepared, seconds))

    async def tagged(self, prepared: Prepared, entry: AudioEntry) -> AudioEntry:
        """The clip that a request got, with the request's tags beside its own."""
        if (tagging := self.tagging(prepared, entry)) is None:
            return entry
        return await asyncio.wrap_future(self.cache.executor.submit(tagging))

    def tagged_sync(self, prepared: Prepared, entry: AudioEntry) -> AudioEntry:
        """See `tagged`."""
        tagging = self.tagging(prepared, entry)
        return entry if tagging is None else tagging()

    def tagging(self, prepared: Prepared, entry: AudioEntry) -> Callable[[], AudioEntry] | None:
        """What adds the request's tags to the clip that it got, where that lacks one."""
        if not prepared.tags or entry.stale or not lacks(entry, prepared.tags):
            return None
        return partial(with_tags, self.cache, entry, prepared.tags)

    async def _found_or_made(self, prepared: Prepared, seconds: float) -> AudioEntry:
        clip = prepared.clip
        if self.outages.quiet(clip) and (entry := await self.outages.afound(self.cache, clip)):
            return entry
        try:
            return await self._ask(prepared, seconds)
        except FAILURES as error:
            if (entry := await self.outages.aolder(self.cache, clip, error)) is None:
                raise
            return entry

    def _found_or_made_sync(self, prepared: Prepared, seconds: float) -> AudioEntry:
        clip = prepared.clip
        if self.outages.quiet(clip) and (entry := self.outages.found(self.cache, clip)):
            return entry
        try:
            return self._ask_sync(prepared, seconds)
        except FAILURES as error:
            if (entry := self.outages.older(self.cache, clip, error)) is None:
                raise
            return entry

    async def _ask(self, prepared: Prepared, seconds: float) -> AudioEntry:
        clip, make = prepared.clip, lambda: self.make(prepared)
        wait = asyncio.timeout(seconds)
        try:
            async with wait:
                return await self.cache.afind_or_create(clip, make, self.sharing)
        except TimeoutError:
            if not wait.expired():
                raise
            raise too_late(seconds) from None

    def _ask_sync(self, prepared: Prepared, seconds: float) -> AudioEntry:
        clip, make = prepared.clip, lambda: self.make(prepared)
        if not self.provider.remote:
            return self.cache.find_or_create(clip, make, self.sharing)
        try:
            return self.cache.find_or_begin(clip, make, seconds, self.sharing)
        except WaitExpired:
            raise too_late(seconds) from None

    def make(
        self,
        prepared: Prepared,
        broadcast: Broadcast | None = None,
        *,
        anew: bool = False,
        store: bool = True,
    ) -> Recording:
        """Of a clip that is there in another format; else it is paid for. On a thread of ours.

        `anew`: it is paid for in any case. `store` is for the clip that it may be made from.
        """
        made = None if anew else self.renditions.found(prepared)
        if made is not None:
            return made
        paid = self.renditions.paid(prepared)
        each = self.renditions.pays_for_each
        wanted = Wanted(paid.clip, paid.request.spoken(), anew, store, by_format=each)
        if paid is prepared:
            return self._pay(wanted, paid, broadcast)
        return self._made_of(paid, wanted, prepared.request, broadcast)

    def _made_of(
        self, paid: Prepared, wanted: Wanted, asked: SpeechRequest, broadcast: Broadcast | None
    ) -> Recording:
        """Paid for in one format, and made into another: heard as that while it comes."""
        mark = self.cache.removal_mark()
        heard = rendering(broadcast, paid.request, asked) if broadcast else None
        if heard:  # while the provider is waited for
            self.cache.executor.submit(load)
        entry = self.cache.entry(paid.clip, self._pay(wanted, paid, heard))
        try:
            made = rendition(entry, paid.request, asked, heard)
            if heard:
                heard.admit()
            return dataclasses.replace(made, billed_units=entry.billed_units)
        finally:  # what was paid for is kept in any case
            if wanted.store:
                self.cache.keep(entry._replace(spare=True), mark)

    def _pay(self, wanted: Wanted, prepared: Prepared, broadcast: Heard | None = None) -> Recording:
        recording = self._asked(wanted, prepared, broadcast)
        return dataclasses.replace(recording, tags=prepared.tags) if prepared.tags else recording

    def _asked(self, wanted: Wanted, prepared: Prepared, broadcast: Heard | None) -> Recording:
        """Ask the provider, unless its answer was refused lately.

        Its time begins now, however long this waited for a thread.
        """
        self.outages.check_asked()  # whichever way led here
        heard = broadcast if self.provider.streams else None
        relay = Relay(self.provider, heard) if heard else None
        seconds = self.config.timeout
        if not self.provider.remote:
            return make(self.provider, prepared.request, seconds, relay=relay)
        from tts.refusals import refusals_of  # stands on the models

        meter = Meter(self.till, self.cache, wanted)

        def make_it() -> Recording:
            return make(self.provider, prepared.request, seconds, self.limits, relay, meter)

        refusals, clip = refusals_of(self.cache, Limits.of(self.config)), prepared.clip
        name = self.sharing.name_of(clip.source_key)
        return refusals.guarded(clip, make_it, name, prepared.tags)


def too_late(seconds: float) -> SpeechTimeout:
    """A caller's wait is over."""
    return SpeechTimeout(
        f"no speech within {seconds:.3g} s of TTS_TIMEOUT; it is stored when it comes"
    )
