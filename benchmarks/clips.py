"""The clips that are measured with: keys, sounds, and the entries that our tiers take."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

from audiocache.clock import now_ms
from audiocache.entries import AudioEntry, Clip, Life, Recording, entry_of
from audiocache.keys import clip_of

K: Final = 1024
VARIANT: Final = {"voice": "nova", "model": "m2"}
HOUR_MS: Final = 3_600_000
SOUNDS: Final = 8
ASKED: Final = 10_000


class Clips:
    """So many clips of one size."""

    def __init__(self, number: int, size: int, *, characters: int = 60) -> None:
        self.size = size
        # The same in every process.
        self._sounds = [random.Random(seed).randbytes(size) for seed in range(SOUNDS)]
        self.texts = [f"{size} bytes, {n} ".ljust(characters, "x") for n in range(number)]
        self.clips: list[Clip] = [clip_of(text, VARIANT) for text in self.texts]
        self.keys = [clip.key for clip in self.clips]
        self.sounds = dict(zip(self.keys, map(self._sound, range(number)), strict=True))
        self.by_text = dict(zip(self.texts, map(self._sound, range(number)), strict=True))

    @property
    def name(self) -> str:
        """The size as people say it."""
        return f"{self.size // K} KiB"

    @cached_property
    def entries(self) -> dict[str, AudioEntry]:
        """As our tiers take them, by key; they live for a day."""
        now = now_ms()
        life = Life(now, now + 24 * HOUR_MS, now + 24 * HOUR_MS)
        return {
            clip.key: entry_of(
                clip,
                Recording(audio=self.sounds[clip.key], content_type="audio/mpeg"),
                life,
                store_text=True,
            )
            for clip in self.clips
        }

    def asked(self, known: Sequence[str] | None = None) -> list[str]:
        """Keys, or others, in an order without order."""
        return random.choices(self.keys if known is None else known, k=ASKED)

    # Checks

    def is_sound(self, key: str, audio: object) -> bool:
        """Is this the audio of the key?"""
        return audio == self.sounds[key]

    def is_entry(self, key: str, entry: Any) -> bool:
        """Is this the entry of the key?"""
        return entry is not None and bool(entry.audio == self.sounds[key])

    def is_spoken(self, text: str, audio: object) -> bool:
        """Is this the audio of the text?"""
        return audio == self.by_text[text]

    def _sound(self, number: int) -> bytes:
        return self._sounds[number % SOUNDS]


def is_none(_: object, result: object) -> bool:
    """A miss."""
    return result is None
