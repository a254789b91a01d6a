"""Refused bytes are kept for people, who may have paid for them: a bounded quarantine.

The oldest leave first; `tts.verdicts` is what a person does with them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final, Self

from audiocache.conf import MIB
from audiocache.content_types import sniff
from audiocache.entries import Recording
from tts.conf import TTSConfig
from tts.containers import WALKERS, BadContainer

NOTHING: Final = Recording(audio=b"")


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the quarantine; 0 of either switches it off."""

    max_clips: int
    max_bytes: int

    @classmethod
    def of(cls, config: TTSConfig) -> Self:
        """As configured."""
        return cls(config.quarantine_max_clips, int(config.quarantine_max_mb * MIB))

    @classmethod
    def load(cls) -> Self:
        """As settings and environment say. Raises ImproperlyConfigured."""
        return cls.of(TTSConfig.load())

    def take(self, size: int) -> bool:
        """Is there room for so many bytes? An empty answer has nothing to keep."""
        return bool(self.max_clips and 0 < size <= self.max_bytes)


def described(recording: Recording | None) -> Recording:
    """What was refused, with type and duration as told from its bytes."""
    refused = recording or NOTHING
    content_type = sniff(refused.audio)
    return dataclasses.replace(
        refused, content_type=content_type, duration_ms=_duration(refused, content_type)
    )


def _duration(refused: Recording, content_type: str) -> int | None:
    try:
        return WALKERS[content_type](refused.audio).duration_ms
    except (BadContainer, KeyError):
        return refused.duration_ms
