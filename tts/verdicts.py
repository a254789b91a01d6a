"""What a person says of a refused clip: it is sound after all, or away with it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from audiocache import get_audio_cache
from audiocache.content_types import UNKNOWN
from audiocache.entries import Clip, Recording
from audiocache.models import RefusedClip
from audiocache.rows import checksum, tags_in
from tts.formats import content_type_of
from tts.refusals import refusals_of


def accept(clips: Iterable[RefusedClip]) -> list[RefusedClip]:
    """Store refused clips in the process's cache, and forget the refusals; which.

    Left alone are those whose bytes are gone or damaged, and those that no tier takes.
    """
    cache, stored = get_audio_cache(), list[RefusedClip]()
    for refused, clip, recording in _sound(clips):
        [(_, tiers)] = cache.store_many([(clip, recording)])
        if tiers:
            refusals_of(cache).forget(clip.source_key)
            stored.append(refused)
    return stored


def discard(clips: Iterable[RefusedClip]) -> int:
    """Give up refused bytes, and let the provider be asked again; how many."""
    refusals, number = refusals_of(get_audio_cache()), 0
    for number, clip in enumerate(clips, start=1):  # noqa: B007 - how many there were
        refusals.forget(clip.source_key)
    return number


def _sound(clips: Iterable[RefusedClip]) -> Iterator[tuple[RefusedClip, Clip, Recording]]:
    """One after the other: the bytes of many need not lie in memory at once."""
    for refused in clips:
        audio = bytes(refused.audio or b"")
        if audio and checksum(audio) == refused.checksum:
            yield refused, _clip(refused), _recording(refused, audio)


def _clip(refused: RefusedClip) -> Clip:
    return Clip(
        key=refused.key,
        text_digest=refused.text_digest,
        text=refused.text or "",
        variant=refused.variant,
        namespace=refused.namespace,
        source_key=refused.source_key,
    )


def _recording(refused: RefusedClip, audio: bytes) -> Recording:
    asked = content_type_of(_format(refused.variant))
    return Recording(
        audio=audio,
        content_type=asked if refused.content_type == UNKNOWN else refused.content_type,
        tags=tags_in(refused.tags) if refused.tags else (),
        duration_ms=refused.duration_ms,
        cost=refused.cost,
        billed_units=refused.billed_units,
        timings=refused.timings,
    )


def _format(variant: str) -> str:
    values: dict[str, Any] = json.loads(variant) if variant else {}
    return str(values.get("format", ""))
