"""One paid clip, many formats: another format of a clip that is there is made from it.

asked -> a sound of the same source? -> made from it
      -> else paid for: as asked, or in the provider's own format where it does not speak that
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from audiocache.cache import MultiTierAudioCache
from audiocache.clock import now_ms
from audiocache.entries import FOREVER, NEVER, AudioEntry, Recording, Ttl
from tts.admission import admit
from tts.conf import TTSConfig
from tts.decoding import can_decode
from tts.exceptions import FormatNotMade
from tts.prepared import Prepared
from tts.providers.base import Provider
from tts.speech import SpeechRequest
from tts.transcoding import (
    MADE,
    CannotTranscode,
    Shape,
    is_good_for,
    shape_of,
    transcoded,
)


class Renditions:
    """The formats of one provider's clips, in one cache."""

    def __init__(self, provider: Provider, config: TTSConfig, cache: MultiTierAudioCache) -> None:
        self._provider = provider
        self._pays_again = config.pay_for_each_format
        self._cache = cache

    def found(self, prepared: Prepared) -> Recording | None:
        """Made from a clip that is there; None: it is to be paid for. Raises FormatNotMade."""
        siblings = {one.clip.key: one for one in self._siblings(prepared)}
        entry = self._cache.look_for_any(list(siblings)) if siblings else None
        if entry is None:
            return None
        if not can_decode():
            self._refuse(prepared)
            return None
        with suppress(CannotTranscode):  # such as what was put there by hand
            return rendition(entry, siblings[entry.key].request, prepared.request)
        return None

    @property
    def pays_for_each(self) -> bool:
        """Is each format bought by itself, for none can be made of another?"""
        return self._pays_again and not can_decode()

    def costs_nothing(self, prepared: Prepared) -> bool:
        """Is there a clip that it would be made from?"""
        siblings = [one.clip.key for one in self._siblings(prepared)] if can_decode() else []
        return bool(siblings) and self._cache.look_for_any(siblings) is not None

    def paid(self, prepared: Prepared) -> Prepared:
        """What the provider is asked for: the clip itself, else the one that it is made from."""
        if self._provider.speaks(prepared.request.audio_format or ""):
            return prepared
        return _in_format(prepared, self._provider.native_format)

    def _siblings(self, prepared: Prepared) -> Iterator[Prepared]:
        """The same sound in each format that is good enough, the best one first."""
        wanted = _shape(prepared.request)
        if wanted.codec not in MADE:
            return
        names = dict.fromkeys((*self._provider.formats, *MADE))
        others = [_in_format(prepared, name) for name in names]
        good = [one for one in others if is_good_for(_shape(one.request), wanted)]
        good.sort(key=lambda one: not _shape(one.request).lossless)
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


def rendition(entry: AudioEntry, source: SpeechRequest, wanted: SpeechRequest) -> Recording:
    """A stored clip in another format, with the life that is left to it.

    Raises CannotTranscode, and NotAudio where nothing is heard in what was made.
    """
    audio = transcoded(entry.audio, _shape(source), _shape(wanted))
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


def _left(entry: AudioEntry) -> Ttl:
    if entry.expires == NEVER:
        return FOREVER
    return max(entry.expires - now_ms(), 1) / 1000


def _shape(request: SpeechRequest) -> Shape:
    return shape_of(request.audio_format or "", request.sample_rate)


def _in_format(prepared: Prepared, name: str) -> Prepared:
    request = prepared.request.completed(audio_format=name)
    return Prepared(request, request.clip(prepared.clip.namespace))
