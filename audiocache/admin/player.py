"""An entry's sound for the player on its page.

What is not known as audio is sent as bytes without a meaning, and nothing that is sent here can
run as a page of the admin's site.
"""

from __future__ import annotations

from typing import Final

from django.http import Http404

from audiocache.builder import get_audio_cache
from audiocache.conf import PERSISTENT
from audiocache.content_types import extension
from audiocache.models import AudioCacheEntry
from audiocache.playing import Sound, playable_type
from audiocache.tiers.clip_files import FileTrouble
from audiocache.tiers.persistent import PersistentTier

HEADERS: Final = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def sound_of(pk: int) -> Sound:
    """The sound of an entry, as it lies in the row or in a storage. Raises Http404."""
    row = (
        AudioCacheEntry.objects.filter(pk=pk)
        .values_list("key", "revision", "content_type", "audio", "storage_name", "size")
        .first()
    )
    if row is None:
        raise Http404(f"there is no entry {pk}")
    key, revision, content_type, audio, name, size = row
    sound = _filed(name, size) if audio is None and name else audio
    if sound is None:
        raise Http404(f"there is no sound in entry {pk}")
    return sound_from(key, revision, content_type, sound)


def _filed(name: str, size: int) -> bytes | None:
    tier = get_audio_cache().tiers.get(PERSISTENT)
    try:
        return tier.clips.sound(name, size) if isinstance(tier, PersistentTier) else None
    except FileTrouble:
        return None


def sound_from(key: str, revision: int, content_type: str, audio: bytes | memoryview) -> Sound:
    """The sound of a row; the revision changes when it is replaced."""
    plain = playable_type(content_type)
    return Sound(bytes(audio), plain, f'"{key[:32]}-{revision}"', f"{key[:12]}.{extension(plain)}")
