"""One paid clip, many formats: another format of a clip that is there is made from it.

asked -> a sound of the same source? -> made from it
      -> else paid for: the master, and made from it; what holds more than the master as asked
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from audiocache.cache import MultiTierAudioCache
from audiocache.clock import now_ms
from audiocache.entries import FOREVER, NEVER, AudioEntry, Recording, Ttl
from audiocache.streams import Broadcast
from tts.admission import admit
from tts.building import built
from tts.conf import TTSConfig
from tts.decoding import can_decode
from tts.exceptions import FormatNotMade, InvalidSpeechRequest, NotAudio
from tts.prepared import Prepared
from tts.providers.base import Provider
from tts.rendering import Rendering
from tts.speech import SpeechRequest
from tts.transcoding import (
    MADE,
    CannotTranscode,
    Shape,
    is_good_for,
    shape_of,
    transcoded,
)

AS_ASKED: Final = "none"
"""TTS_MASTER where there is to be none."""


class Renditions:
    """The formats of one provider's clips, in the cache of the day."""

    def __init__(
        self, provider: Provider, config: TTSConfig, cache: Callable[[], MultiTierAudioCache]
    ) -> None:
        self._provider = provider
        self._config = config
        self._pays_again = config.pay_for_each_format
        self._cache = cache

    def found(self, prepared: Prepared) -> Recording | None:
        """Made from a clip that is there; None: it is to be paid for. Raises FormatNotMade."""
        siblings = {one.clip.key: one for one in self._siblings(prepared)}
        entry = self._best(siblings)
        if entry is None:
            return None
        if not can_decode():
            self._refuse(prepared)
            return None
        with suppress(CannotTranscode, NotAudio):  # such as what was put there by hand
            return rendition(entry, siblings[entry.key].request, prepared.request)
        return None

    @property
    def pays_for_each(self) -> bool:
        """Is each format bought by itself, for none can be made of another?"""
        return self._pays_again and not can_decode()

    def costs_nothing(self, prepared: Prepared) -> bool:
        """Is there a clip that it would be made from?"""
        siblings = {one.clip.key: one for one in self._siblings(prepared)} if can_decode() else {}
        return self._best(siblings) is not None

    def paid(self, prepared: Prepared) -> Prepared:
        """What the provider is asked for: the clip itself, else the one that it is made from."""
        name = prepared.request.audio_format or ""
        if self._master and self._is_made_of(self._master, prepared.request):
            return _in_format(prepared, self._master)
        if self._provider.speaks(name):
            return prepared
        return _in_format(prepared, self._provider.native_format)

    @built
    def _master(self) -> str | None:
        """What is bought, whichever format is asked for, as far as it holds as much."""
        name = self._config.master or self._provider.master or AS_ASKED
        return name if self._provider.speaks(name) else None

    @built
    def _default(self) -> str:
        """The format of those who name none."""
        with suppress(InvalidSpeechRequest):
            return self._provider.complete_format(SpeechRequest(""))
        return self._provider.default_format

    def _is_made_of(self, master: str, request: SpeechRequest) -> bool:
        """A site's own default is bought as it is, where the master has lost something too."""
        wanted, source = _shape(request), shape_of(master, request.sample_rate)
        if request.audio_format in {master, None if source.lossless else self._default}:
            return False
        return wanted.codec in MADE and can_decode() and is_good_for(source, wanted)

    def _best(self, siblings: dict[str, Prepared]) -> AudioEntry | None:
        """The first that is there; what has lost nothing, in whatever tier, before the others."""
        lossless = [key for key, one in siblings.items() if _shape(one.request).lossless]
        others = [key for key in siblings if key not in lossless]
        for keys in filter(None, (lossless, others)):
            if entry := self._cache().look_for_any(keys):
                return entry
        return None

    def _siblings(self, prepared: Prepared) -> Iterator[Prepared]:
        """The same sound in each format that is good enough."""
        wanted = _shape(prepared.request)
        if wanted.codec not in MADE:
            return
        names = dict.fromkeys((*self._provider.formats, *MADE))
        others = (_in_format(prepared, name) for name in names)
        good = (one for one in others if is_good_for(_shape(one.request), wanted))
        yield from (one for one in good if one.clip.key != prepared.clip.key)

    def _refuse(self, prepared: Prepared) -> None:
        if self._pays_again:
            return
        raise FormatNotMade(
            f"this clip is there in another format than {prepared.request.audio_format}: "
            "pip install 'django-audiocache[audio]' makes formats of one another, "
            "TTS_PAY_FOR_EACH_FORMAT=true pays for each",
            provider=self._provider.name,
        )


def rendition(
    entry: AudioEntry,
    source: SpeechRequest,
    wanted: SpeechRequest,
    heard: Rendering | None = None,
) -> Recording:
    """A clip in another format, with the life that is left to it; of what was heard already.

    Raises CannotTranscode, and NotAudio where nothing is heard in what was made.
    """
    audio = heard.end() if heard else None
    audio = audio or transcoded(entry.audio, _shape(source), _shape(wanted))
    recording = Recording(
        audio=audio,
        ttl_seconds=_left(entry),
        tags=entry.tags,
        duration_ms=entry.duration_ms,
        cost=entry.cost,
        timings=entry.timings,
        transcoded_from=entry.key,
    )
    return admit(recording, wanted)


def rendering(broadcast: Broadcast, source: SpeechRequest, wanted: SpeechRequest) -> Rendering:
    """What a provider sends of the source, heard as what is wanted."""
    return Rendering(broadcast, _shape(source), _shape(wanted))


def _left(entry: AudioEntry) -> Ttl:
    if entry.expires == NEVER:
        return FOREVER
    return max(entry.expires - now_ms(), 1) / 1000


def _shape(request: SpeechRequest) -> Shape:
    return shape_of(request.audio_format or "", request.sample_rate)


def _in_format(prepared: Prepared, name: str) -> Prepared:
    request = prepared.request.completed(audio_format=name)
    return prepared._replace(request=request, clip=request.clip(prepared.clip.namespace))
