"""What can go wrong in the cache.

AudioCacheError
├── WaitExpired          the caller waited as long as it wanted to
├── MakingFailed         another process tried to make the clip, and failed
└── TierError            a tier could not do its work; the cache goes on with the others
    ├── TierUnavailable  it cannot be reached, or is not ready
    ├── TierBusy         all its connections are in use; no sign of an outage
    ├── Unwritable       it will never take this value
    ├── CorruptEntry     a stored value failed its check
    └── NewerSchema      a later release wrote it, and alone can read it
"""

from __future__ import annotations


class AudioCacheError(Exception):
    """Base of everything the cache itself raises."""


class WaitExpired(AudioCacheError, TimeoutError):
    """The caller's wait is over. What was begun goes on, and its clip is stored."""


class MakingFailed(AudioCacheError):
    """Another process was making the clip and failed; `kind` is the class of its error."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"the clip could not be made in another process: {kind}")
        self.kind = kind


class TierError(AudioCacheError):
    """A tier could not answer. Caught by the cache, never seen by its callers (law 3)."""


class TierUnavailable(TierError):
    """The tier's server or file cannot be reached, or refuses to work."""


class TierBusy(TierError):
    """The tier's connection pool stayed full for the whole wait."""


class Unwritable(TierError):
    """The tier does not take this value, however often it is asked."""


class CorruptEntry(TierError):
    """A stored value is not an intact entry: checksum, length or shape is wrong."""


class NewerSchema(TierError):
    """A stored value was written by a later release: a miss here, left for its owner (law 14)."""
