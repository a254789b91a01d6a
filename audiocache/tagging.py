"""Tags for what is there already: who asks for a clip wants it found by a tag of his own, too.

The clip is stored again with all tags, and its life. One process after the other does so: each
adds to what the one before it has stored.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from audiocache.entries import ORIGIN, AudioEntry
from audiocache.fields import as_tags
from audiocache.forks import RenewedLock

if TYPE_CHECKING:
    from audiocache.cache import MultiTierAudioCache

logger = logging.getLogger(__name__)

SECONDS: Final = 10.0
"""For a turn at most."""
_lock: Final = RenewedLock()
"""Where nobody can say whose turn it is, there is one process."""


def lacks(entry: AudioEntry, tags: Collection[str]) -> bool:
    """Is one of them missing?"""
    return not set(tags) <= set(entry.tags)


def with_tags(cache: MultiTierAudioCache, entry: AudioEntry, tags: Collection[str]) -> AudioEntry:
    """The entry with these tags, too; so it is stored, and so is the clip that it was made from.

    What was removed meanwhile is not brought back.
    """
    keys = [key for key in (entry.transcoded_from, entry.key) if key]
    with cache.turns.one_by_one(f"tags:{entry.source_key}", SECONDS), _lock:
        done = [_tag(cache, key, tags) for key in keys]
    if not all(done):
        logger.warning("no tier took the tags of the clip key=%s", entry.key)
    return entry._replace(tags=_both(entry, tags))


def _tag(cache: MultiTierAudioCache, key: str, tags: Collection[str]) -> bool:
    """False: no tier took it."""
    mark = cache.removal_mark()
    held = cache.look_for_any([key])
    if held is None or not lacks(held, tags):
        return True
    # A millisecond younger: others drop what they hold without the tags.
    tagged = held._replace(tags=_both(held, tags), created=held.created + 1, tier=ORIGIN)
    return cache.ladder.store_unless_removed(tagged, mark) != 0


def _both(entry: AudioEntry, tags: Collection[str]) -> tuple[str, ...]:
    return as_tags({*entry.tags, *tags})
